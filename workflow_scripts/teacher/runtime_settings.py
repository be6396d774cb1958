"""The part of `teacher:` that changes no answer: rates, prices, budget, addresses.

It reaches the jobs by an environment variable and not as a parameter of their rules, so that a raised budget or a
server on another port makes no finished shard run again. It holds the name of the key's variable, never the key.
"""

import json
import os
from typing import Any

from workflow_scripts.common.errors import UserError

ANSWERING = ("kind", "model", "revision", "prefill", "context")  # what an answer depends on
VARIABLE = "CAPYBARA_TEACHER_LIMITS"


def answering(teacher: dict[str, Any]) -> dict[str, Any]:
    """What of `teacher:` its answers depend on; of a vLLM server's options, its number format and what is passed on."""
    options = {name: teacher["vllm"][name] for name in ("dtype", "extra")}
    return {name: teacher[name] for name in ANSWERING} | ({"options": options} if teacher["kind"] == "vllm" else {})


def share_limits(teacher: dict[str, Any]) -> None:
    """Hand the rest of `teacher:` to all jobs of this process."""
    rest = {name: value for name, value in teacher.items() if name not in (*ANSWERING, "resources")}
    os.environ[VARIABLE] = json.dumps(rest, sort_keys=True)


def shared_limits() -> dict[str, Any]:
    """What `share_limits` was given."""
    if VARIABLE not in os.environ:
        raise UserError(f"the environment variable {VARIABLE} is not set. Run this through snakemake, which sets it.")
    return json.loads(os.environ[VARIABLE])

"""The keys of `teacher` in the config that do not affect answers: rates, prices, budget, addresses.

Jobs receive them in an environment variable and not as a parameter of their rules, so that a higher budget or another
port does not rerun finished shards. The variable holds the name of the API key's variable, never the key.
"""

import json
import os

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config

ANSWER_KEYS = ("kind", "model", "revision", "prefill", "structured", "context")  # keys that affect answers
VARIABLE = "CAPYBARA_TEACHER_RUNTIME"


def answer_settings(teacher: Config) -> Config:
    """The keys of `teacher` that affect answers; of a vLLM server's options, `dtype` and `extra`."""
    options = {name: teacher["vllm"][name] for name in ("dtype", "extra")}
    return {name: teacher[name] for name in ANSWER_KEYS} | ({"options": options} if teacher["kind"] == "vllm" else {})


def export_runtime_settings(teacher: Config) -> None:
    """Pass all other keys of `teacher` to the jobs that this process starts."""
    runtime = {name: value for name, value in teacher.items() if name not in (*ANSWER_KEYS, "resources")}
    os.environ[VARIABLE] = json.dumps(runtime, sort_keys=True)


def runtime_settings() -> Config:
    """The keys passed by `export_runtime_settings`. UserError outside of a Snakemake run."""
    if VARIABLE not in os.environ:
        raise UserError(
            f"the environment variable {VARIABLE} is not set. Start this module through snakemake, which sets it."
        )
    settings: Config = json.loads(os.environ[VARIABLE])
    return settings

"""The judge's server: the keys of `teacher`, overridden by those of `judge.teacher`."""

import json
import os

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config
from workflow_scripts.teacher.keys import KEYS
from workflow_scripts.teacher.runtime_settings import answer_settings

VARIABLE = "CAPYBARA_JUDGE_RUNTIME"


def judge_settings(config: Config) -> Config:
    """All settings of the judge's server: another model has another revision, and a key of its own replaces the teacher's."""
    own: Config = config["judge"]["teacher"]
    no_key = {} if own.keys().isdisjoint(KEYS) else dict.fromkeys(KEYS)
    return config["teacher"] | ({"revision": None} if "model" in own else {}) | no_key | own


def independent_endpoint(config: Config) -> Config:
    """The settings of a judge that answers the judgements within the synthesis as well; empty if the teacher does.

    It is an endpoint: a shard's job starts no second model.
    """
    settings = judge_settings(config)
    return settings if config["judge"]["teacher"] and settings["kind"] == "endpoint" else {}


def export_judge_runtime(config: Config) -> None:
    """Pass the keys that do not affect answers to the jobs that this process starts, as `export_runtime_settings` does."""
    settings = judge_settings(config)
    known = answer_settings(settings)
    runtime = {name: value for name, value in settings.items() if name not in known and name != "resources"}
    os.environ[VARIABLE] = json.dumps(runtime, sort_keys=True)


def complete_settings(text: str) -> Config:
    """All settings from `answer_settings` as JSON and the environment. UserError outside of a Snakemake run."""
    settings: Config = json.loads(text)
    if not settings:
        return settings
    if VARIABLE not in os.environ:
        raise UserError(
            f"the environment variable {VARIABLE} is not set. Start this module through snakemake, which sets it."
        )
    return settings | json.loads(os.environ[VARIABLE])

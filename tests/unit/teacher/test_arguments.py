"""Options shared by the entry points that use a teacher, and the settings that jobs read from the environment."""

import argparse
import json
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.runtime_settings import (
    VARIABLE,
    answer_settings,
    export_runtime_settings,
    runtime_settings,
)


@pytest.fixture
def parse():
    """A function that parses the options for `--teacher` as given."""
    parser = argparse.ArgumentParser()
    add_teacher_arguments(parser)
    options = ["--threads", "2", "--teacher-folder", "teacher"]
    return lambda teacher: parser.parse_args([*options, "--teacher", teacher])


@pytest.fixture
def exported(config, monkeypatch):
    """The pocket run's section `teacher`, exported to jobs."""
    monkeypatch.setenv(VARIABLE, "")  # restored after the test
    export_runtime_settings(config["teacher"])
    return config["teacher"]


def test_the_teacher_gets_the_runtime_settings(parse, exported):
    args = parse(json.dumps(answer_settings(exported)))
    assert args.teacher == {name: value for name, value in exported.items() if name != "resources"}
    assert (args.threads, args.teacher_folder) == (2, Path("teacher"))


def test_without_a_teacher_no_runtime_settings_are_needed(parse, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert parse("{}").teacher == {}
    with pytest.raises(UserError, match=f"{VARIABLE} is not set. Start this module through snakemake"):
        parse('{"kind": "vllm"}')


def test_settings_that_affect_answers_are_not_exported(exported):
    assert answer_settings(exported).keys() & runtime_settings().keys() == set()
    assert runtime_settings().keys() >= {"concurrency", "rate", "price", "budget", "base_url", "api_key_env"}


def test_number_format_and_extra_options_of_vllm_affect_answers(config):
    options = {"dtype": "float16", "extra": ["--seed", 1]}
    config["teacher"] |= {"kind": "vllm", "vllm": {**config["teacher"]["vllm"], **options}}
    assert answer_settings(config["teacher"])["options"] == options

"""Suites: the tasks of a configuration, each with its number of shots, and the averages of a suite.

This module does not import lm-eval, because the Snakefile imports it.
"""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml

SUITES = package_file("evaluation/suites.yaml")


@dataclass(frozen=True)
class Member:
    """A value of a suite: the metric of a task, or the plain mean of another suite.

    `questions` is equal for tasks that ask the same questions (`same_questions` of the suite), otherwise the entry.
    """

    task: str
    entry: str
    metric: str
    filter: str = "none"
    suite: str | None = None
    questions: str = ""


@cache
def registered() -> dict[str, Config]:
    """All suites of suites.yaml by name."""
    return read_yaml(SUITES)


def known(custom: dict[str, Config]) -> dict[str, Config]:
    """The registered suites and those of `evaluation.custom`, which may replace a registered suite."""
    return registered() | custom


def entry_name(task: str, shots: int | None) -> str:
    """The name of a task with its shots, used as file name: suites may use a task with different shots."""
    return task if shots is None else f"{task}.{shots}shot"


def members(name: str, suites: dict[str, Config]) -> list[Member]:
    """The values of a suite, in its order. KeyError for an unknown suite."""
    suite = suites[name]
    tasks = suite["tasks"]
    questions = {task: group[0] for group in suite.get("same_questions") or [] for task in group}
    found = []
    for task in tasks:
        own = {key: suite.get(key) for key in ("shots", "metric", "filter")} | (
            (tasks[task] or {}) if isinstance(tasks, dict) else {}
        )
        if "suite" in own:
            found.append(Member(task, "", "", suite=own["suite"], questions=own["suite"]))
        else:
            entry = entry_name(task, own["shots"])
            found.append(
                Member(task, entry, own["metric"], own["filter"] or "none", questions=questions.get(task, entry))
            )
    return found


def _asked(name: str, suites: dict[str, Config]) -> Iterator[tuple[str, Config]]:
    suite = suites[name]
    for member in members(name, suites):
        if member.suite:
            yield from _asked(member.suite, suites)
        else:
            own = (suite["tasks"][member.task] or {}) if isinstance(suite["tasks"], dict) else {}
            yield member.entry, {"task": member.task, "shots": own.get("shots", suite.get("shots"))}


def entries(evaluation: Config) -> dict[str, Config]:
    """{entry name: {task, shots}} of all suites and single tasks of `evaluation` in the configuration, each once."""
    suites = known(evaluation["custom"])
    found: dict[str, Config] = {}
    for name in evaluation["suites"]:
        found.update(_asked(name, suites))
    for task in evaluation["tasks"]:
        shots = evaluation["num_fewshot"].get(task)
        found[entry_name(task, shots)] = {"task": task, "shots": shots}
    return found


def headline_metrics(custom: dict[str, Config]) -> dict[str, str]:
    """{entry: metric}: the metric of the suites, by which an item counts as correct."""
    suites = known(custom)
    return {member.entry: member.metric for name in suites for member in members(name, suites) if not member.suite}


def batches(names: list[str], size: int) -> list[list[str]]:
    """The entries in groups of at most `size`, in order; the entries of a group share one load of the model."""
    return [names[start : start + size] for start in range(0, len(names), size)]


def average(
    values: Sequence[float],
    errors: Sequence[float | None],
    weights: Sequence[float],
    questions: Sequence[Hashable] | None = None,
) -> tuple[float, float | None]:
    """Weighted mean of tasks and its standard error; the error is None if one is missing.

    Tasks with equal `questions` have the same documents: the errors of their scores add up, which is the upper bound for any
    correlation. All others are independent.
    """
    total = math.fsum(weights)
    value = math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / total
    sums: dict[Hashable, float] = {}
    for place, (error, weight) in enumerate(zip(errors, weights, strict=True)):
        if error is None:
            return value, None
        name = place if questions is None else questions[place]
        sums[name] = sums.get(name, 0.0) + error * weight
    return value, math.sqrt(math.fsum(each**2 for each in sums.values())) / total


def task_data(scores: Iterable[Mapping[Any, Any]]) -> dict[str, tuple[str, ...]]:
    """{entry: (dataset, config, revision)} of the rows of scores.csv that are single tasks, not groups."""
    names = ("dataset", "config", "revision")
    return {
        row["asked"]: tuple(str(row.get(name)) for name in names)
        for row in scores
        if row["asked"].startswith(row["task"]) and isinstance(row.get("dataset"), str)
    }


def documents_of(member: Member, data: dict[str, tuple[str, ...]]) -> Hashable:
    """A value that is equal for members with the same documents: by `same_questions`, or by the data of their task.

    `data` is that of `task_data`.
    """
    return data.get(member.entry, member.questions) if member.questions == member.entry else member.questions


RULES = {
    "mean": "plain mean of the tasks",
    "by_documents": "mean weighted by the tasks' documents",
}


def score_settings(evaluation: Config, model: str) -> Config:
    """The settings of `evaluation` that a model's scores depend on."""
    names = (
        "include_path",
        "revisions",
        "limit",
        "batch_size",
        "dtype",
        "backend",
        "backend_args",
        "system_instruction",
        "gen_kwargs",
    )
    chat_template = evaluation["apply_chat_template"]
    applied = model in chat_template if isinstance(chat_template, list) else chat_template
    return {name: evaluation[name] for name in names} | {
        "apply_chat_template": applied,
        # lm-eval ignores it without a template: then it must not cause a rerun.
        "fewshot_as_multiturn": applied and evaluation["fewshot_as_multiturn"],
    }

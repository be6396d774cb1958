"""Suites: their tasks, shots, metrics and averages."""

import math

import pytest

from workflow_scripts.evaluation.suites import average, batches, entries, entry_name, members, registered

EVALUATION = {"suites": [], "custom": {}, "tasks": [], "num_fewshot": {}}


def entries_of(**values):
    return entries({**EVALUATION, **values})


@pytest.mark.parametrize(
    ("suite", "count"),
    [("gpt4all", 7), ("agieval-nous", 8), ("truthfulqa", 2), ("mmlu", 57), ("openllm-v1", 62), ("gsm8k", 1), ("humaneval", 1), ("bigbench-nous", 14)],
)  # fmt: skip
def test_a_suite_has_its_tasks(suite, count):
    found = entries_of(suites=[suite])
    assert len(found) == count
    assert all(name == entry_name(entry["task"], entry["shots"]) for name, entry in found.items())


def test_the_shots_of_the_leaderboard():
    found = {entry["task"]: entry["shots"] for entry in entries_of(suites=["openllm-v1"]).values()}
    assert (
        found["arc_challenge"],
        found["hellaswag"],
        found["truthfulqa_mc2"],
        found["winogrande"],
        found["gsm8k"],
    ) == (25, 10, 0, 5, 5)
    assert {shots for task, shots in found.items() if task.startswith("mmlu_")} == {5}


def test_the_metrics_of_nous():
    assert {member.task for member in members("gpt4all", registered()) if member.metric == "acc"} == {
        "boolq",
        "winogrande",
    }
    assert {member.metric for member in members("agieval-nous", registered())} == {"acc_norm"}


def test_every_suite_has_a_source_and_a_metric_for_each_task():
    for name, suite in registered().items():
        assert suite["source"] and set(suite["average"]) <= {"mean", "by_documents"}
        assert all(member.suite or member.metric for member in members(name, registered()))


def test_two_suites_may_use_a_task_with_different_shots():
    names = [name for name in entries_of(suites=["gpt4all", "openllm-v1"]) if name.startswith("arc_challenge")]
    assert names == ["arc_challenge.0shot", "arc_challenge.25shot"]


def test_single_tasks_keep_their_name_unless_shots_are_given():
    assert entries_of(tasks=["piqa", "gsm8k"], num_fewshot={"gsm8k": 8}) == {
        "piqa": {"task": "piqa", "shots": None},
        "gsm8k.8shot": {"task": "gsm8k", "shots": 8},
    }


def test_batches_contain_every_entry_once_in_order():
    assert batches(["a", "b", "c", "d", "e"], 2) == [["a", "b"], ["c", "d"], ["e"]]
    assert batches(["a", "b"], 1) == [["a"], ["b"]]


def test_averages_with_their_standard_errors():
    assert average([0.2, 0.6], [0.03, 0.04], [1, 1]) == pytest.approx((0.4, 0.025))
    assert average([0.2, 0.6], [0.03, 0.04], [10, 30]) == pytest.approx((0.5, math.hypot(0.3, 1.2) / 40))
    assert average([0.2, 0.6], [0.03, None], [1, 1]) == (pytest.approx(0.4), None)


def test_every_task_exists_in_lm_eval_or_in_the_project():
    """Checked by the task files: lm-eval's index of all its tasks takes 15 s."""
    import re

    from workflow_scripts.evaluation.tasks import folders

    defines = re.compile(rb"""^["']?task["']?:\s*["']?([\w.-]+)""", re.M)
    known = {
        name.decode()
        for place in folders(None)
        for path in place.rglob("*.yaml")
        for name in defines.findall(path.read_bytes())
    }
    required = {entry["task"] for entry in entries_of(suites=list(registered())).values()}
    assert required - known == set()

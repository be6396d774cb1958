"""Only complete tasks of unmodified suites are compared with published scores."""

import pandas as pd
import pytest

from workflow_scripts.report.claims.scores import comparable_scores, peer_differences

SETTINGS = {"suites": ["truthfulqa", "gpt4all"], "custom": {}, "limit": None}
GPT4ALL = ["hellaswag", "openbookqa", "winogrande", "arc_easy", "arc_challenge", "boolq", "piqa"]


def table(missing=(), short=()):
    names = {**dict.fromkeys(GPT4ALL, "acc_norm"), "boolq": "acc", "winogrande": "acc", "truthfulqa_mc1": "acc"}
    return pd.DataFrame(
        [
            {"model": model, "asked": f"{task}.0shot", "task": task, "metric": metric, "filter": "none", "value": 0.5,
             "stderr": 0.01, "documents": 10 if task in short else 100, "of_documents": 100}
            for model in ("base", "capybara")
            for task, metric in names.items()
            if task not in missing
        ]
    )  # fmt: skip


AVERAGES = pd.DataFrame(
    [
        {"suite": "gpt4all", "model": "capybara", "rule": "mean", "value": 0.6, "stderr": 0.004},
        {"suite": "gpt4all", "model": "base", "rule": "mean", "value": 0.1, "stderr": 0.004},
        {"suite": "mmlu", "model": "capybara", "rule": "mean", "value": float("nan"), "stderr": float("nan")},
    ]
)


def test_scores_of_complete_suites_are_in_percent():
    found = comparable_scores(table(), AVERAGES, SETTINGS, "capybara")
    assert found["gpt4all", None]["value"] == pytest.approx(60) and found["gpt4all", None]["stderr"] == pytest.approx(
        0.4
    )
    assert found["gpt4all", "piqa"] == {"value": 50.0, "stderr": 1.0}
    assert ("truthfulqa", "truthfulqa_mc1") in found and ("truthfulqa", "truthfulqa_mc2") not in found


def test_a_suite_with_an_incomplete_task_has_no_mean():
    found = comparable_scores(table(short=["piqa"]), AVERAGES, SETTINGS, "capybara")
    assert ("gpt4all", None) not in found and ("gpt4all", "piqa") not in found and ("gpt4all", "boolq") in found


def test_with_a_limit_no_score_is_comparable():
    assert comparable_scores(table(), AVERAGES, {**SETTINGS, "limit": 100}, "capybara") == {}


def test_a_custom_suite_with_a_known_name_is_not_comparable():
    custom = {"gpt4all": {"metric": "acc", "average": ["mean"], "tasks": ["mine"]}}
    assert not any(
        suite == "gpt4all"
        for suite, _ in comparable_scores(table(), AVERAGES, {**SETTINGS, "custom": custom}, "capybara")
    )


def compared(**values):
    return {"model": "capybara", "reference": "other", "difference": 0.01, "low": -0.02, "high": 0.04, **values}


def test_differences_from_a_peer_are_those_of_suites_and_of_tasks_without_an_average():
    suites = pd.DataFrame(
        [
            compared(suite="gpt4all", rule="mean"),
            compared(suite="mmlu", rule="by_documents"),
            compared(suite="gpt4all", rule="mean", reference="base"),
        ]
    )
    tasks = pd.DataFrame(
        [compared(asked="truthfulqa_mc1.0shot", metric="acc"), compared(asked="piqa.0shot", metric="acc_norm")]
    )
    settings = {**SETTINGS, "peers": {"other": {"examples": 300_000}}}
    (peer,) = peer_differences(tasks, suites, settings, "capybara")
    assert (peer["name"], peer["examples"]) == ("other", 300_000)
    assert [row["name"] for row in peer["differences"]] == ["gpt4all mean", "truthfulqa truthfulqa_mc1"]
    assert peer["differences"][0]["low"] == pytest.approx(-2)
    assert peer_differences(tasks, suites, {**settings, "limit": 20}, "capybara") == []

"""Only complete tasks of unmodified suites are compared with published scores."""

import pandas as pd
import pytest

from workflow_scripts.report.claims.scores import comparable_scores, complete_tasks

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


def test_single_tasks():
    assert complete_tasks(table(short=["boolq"]), "capybara")["winogrande"] == {
        "value": 50.0,
        "stderr": 1.0,
        "documents": 100,
    }
    assert "boolq" not in complete_tasks(table(short=["boolq"]), "capybara")

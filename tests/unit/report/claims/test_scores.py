"""Only whole tasks of a suite as published may stand beside published scores."""

import pandas as pd
import pytest

from workflow_scripts.report.claims.scores import tasks, whole

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


def test_percent_of_whole_suites():
    found = whole(table(), AVERAGES, SETTINGS, "capybara")
    assert found["gpt4all", None]["value"] == pytest.approx(60) and found["gpt4all", None]["stderr"] == pytest.approx(
        0.4
    )
    assert found["gpt4all", "piqa"] == {"value": 50.0, "stderr": 1.0}
    assert ("truthfulqa", "truthfulqa_mc1") in found and ("truthfulqa", "truthfulqa_mc2") not in found


def test_a_suite_with_a_cut_task_has_no_mean():
    found = whole(table(short=["piqa"]), AVERAGES, SETTINGS, "capybara")
    assert ("gpt4all", None) not in found and ("gpt4all", "piqa") not in found and ("gpt4all", "boolq") in found


def test_a_limit_leaves_nothing():
    assert whole(table(), AVERAGES, {**SETTINGS, "limit": 100}, "capybara") == {}


def test_a_suite_of_ones_own_under_a_known_name_is_another():
    custom = {"gpt4all": {"metric": "acc", "average": ["mean"], "tasks": ["mine"]}}
    assert not any(
        suite == "gpt4all" for suite, _ in whole(table(), AVERAGES, {**SETTINGS, "custom": custom}, "capybara")
    )


def test_single_tasks():
    assert tasks(table(short=["boolq"]), "capybara")["winogrande"] == {"value": 50.0, "stderr": 1.0, "documents": 100}
    assert "boolq" not in tasks(table(short=["boolq"]), "capybara")

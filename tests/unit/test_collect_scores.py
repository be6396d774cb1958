"""Scores as one table, each with what it takes to reproduce it."""

import pandas as pd
import pytest

from workflow_scripts.collect_scores import main, scores
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json

RESULT = {
    "results": {
        "stones": {"alias": "stones", "acc,none": 0.5, "acc_stderr,none": 0.1, "perplexity,none": 3},
        "gems": {"alias": " - gems", "acc,strict": 0.25, "acc_stderr,strict": "N/A"},
    },
    "n-shot": {"stones": 5, "gems": 0},
    "versions": {"stones": 1.0},
    "n-samples": {"stones": {"original": 40, "effective": 8}},
    "config": {"model_args": {"dtype": "float32"}, "batch_size": 8},
    "lm_eval_version": "0.4.13",
    "chat_template": None,
}


def test_one_row_for_each_metric_of_each_task():
    rows = scores(RESULT, "base", "minerals")
    assert [(row["task"], row["metric"], row["filter"], row["value"], row["stderr"]) for row in rows] == [
        ("stones", "acc", "none", 0.5, 0.1),
        ("stones", "perplexity", "none", 3, None),
        ("gems", "acc", "strict", 0.25, None),
    ]
    assert rows[0] | {"value": 0, "stderr": 0} == {
        "model": "base",
        "asked": "minerals",
        "task": "stones",
        "metric": "acc",
        "filter": "none",
        "value": 0,
        "stderr": 0,
        "shots": 5,
        "documents": 8,
        "task_version": 1.0,
        "lm_eval": "0.4.13",
        "chat_template": False,
        "dtype": "float32",
        "batch_size": 8,
    }


def test_a_result_without_a_score_is_an_error():
    with pytest.raises(UserError, match="result of stones for base holds no score"):
        scores({**RESULT, "results": {"stones": {"alias": "stones"}}}, "base", "stones")


def test_models_and_tasks_are_named_by_their_files(tmp_path):
    paths = [tmp_path / model / f"{task}.json" for task in ("b", "a") for model in ("capybara", "base")]
    for path in paths:
        write_json(path, RESULT)
    main(["--results", *map(str, paths), "--scores", str(tmp_path / "new" / "scores.csv")])
    table = pd.read_csv(tmp_path / "new" / "scores.csv")
    assert len(table) == 12
    assert list(table["asked"]) == ["a"] * 6 + ["b"] * 6
    assert list(table["model"][:4]) == ["base", "capybara"] * 2

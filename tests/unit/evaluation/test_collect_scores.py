"""Scores in a table, each with the settings to reproduce it; averages of suites."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.evaluation.collect_scores import averages, main, scores
from workflow_scripts.evaluation.suites import members, registered

RESULT = {
    "results": {
        "stones": {"alias": "stones", "acc,none": 0.5, "acc_stderr,none": 0.1, "perplexity,none": 3},
        "gems": {"alias": " - gems", "acc,strict": 0.25, "acc_stderr,strict": "N/A"},
    },
    "n-shot": {"stones": 5, "gems": 0},
    "versions": {"stones": 1.0},
    "n-samples": {"stones": {"original": 40, "effective": 8}},
    "config": {"model_args": {"dtype": "float32"}, "batch_size": 8, "device": "cpu"},
    "capybara": {"backend": "hf", "adapter": None, "tasks": {"stones": {"dataset": "rocks/stones", "revision": "abc"}}},
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
        "of_documents": 40,
        "dataset": "rocks/stones",
        "config": None,
        "revision": "abc",
        "task_version": 1.0,
        "lm_eval": "0.4.13",
        "backend": "hf",
        "adapter": None,
        "chat_template": False,
        "dtype": "float32",
        "batch_size": 8,
        "device": "cpu",
    }


def test_a_result_without_a_score_is_an_error():
    with pytest.raises(UserError, match="result of stones for base contains no score"):
        scores({**RESULT, "results": {"stones": {"alias": "stones"}}}, "base", "stones")


def test_models_and_tasks_are_named_by_their_files(tmp_path):
    paths = [tmp_path / model / f"{task}.json" for task in ("b", "a") for model in ("capybara", "base")]
    for path in paths:
        write_json(path, RESULT)
    settings = {
        "suites": ["pair"],
        "limit": None,
        "custom": {"pair": {"metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}},
    }
    scores_file, averages_file = tmp_path / "new" / "scores.csv", tmp_path / "new" / "averages.csv"
    main(
        [
            "--results",
            *map(str, paths),
            "--settings",
            json.dumps(settings),
            "--scores",
            str(scores_file),
            "--averages",
            str(averages_file),
        ]
    )
    table = pd.read_csv(tmp_path / "new" / "scores.csv")
    assert len(table) == 12
    assert list(table["asked"]) == ["a"] * 6 + ["b"] * 6
    assert list(table["model"][:4]) == ["base", "capybara"] * 2


def suite(**values):
    """A row of scores for the averages."""
    return {"model": "base", "filter": "none", "stderr": 0.03, "documents": 10, **values}


def test_averages_by_both_rules_and_of_a_suite_within_a_suite():
    frame = pd.DataFrame(
        [
            suite(asked="a.0shot", task="a", metric="acc", value=0.2),
            suite(asked="b.0shot", task="b", metric="acc", value=0.6, stderr=0.04, documents=30),
            suite(asked="c", task="c", metric="f1", value=0.1),
        ]
    )
    custom = {
        "pair": {"shots": 0, "metric": "acc", "average": ["mean", "by_documents"], "tasks": ["a", "b"]},
        "all": {"average": ["mean"], "tasks": {"pair": {"suite": "pair"}, "c": {"metric": "f1"}}},
    }
    table = averages(frame, {"suites": ["pair", "all"], "custom": custom, "limit": None}).set_index(["suite", "rule"])
    assert table.loc[("pair", "mean"), "value"] == pytest.approx(0.4)
    assert table.loc[("pair", "mean"), "stderr"] == pytest.approx(0.025)
    assert table.loc[("pair", "by_documents"), "value"] == pytest.approx(0.5)
    assert table.loc[("all", "mean"), "value"] == pytest.approx(0.25)


def test_an_average_with_a_missing_task_is_none_and_names_it():
    frame = pd.DataFrame([suite(asked="a.0shot", task="a", metric="acc", value=0.2)])
    custom = {"pair": {"shots": 0, "metric": "acc", "average": ["mean"], "tasks": ["a", "b"]}}
    (row,) = averages(frame, {"suites": ["pair"], "custom": custom, "limit": None}).to_dict("records")
    assert row["value"] is None and row["missing"] == "b.0shot"


def test_the_llama_scores_of_the_logs_give_the_published_averages():
    """The log states 66.72 for GPT4All; its AGIEval tasks give 23.86, where it states 26.90."""
    published = yaml.safe_load(Path("workflow_scripts/evaluation/published.yaml").read_text(encoding="utf-8"))["rows"]
    for name, expected in (("gpt4all", 66.72), ("agieval-nous", 23.86)):
        tasks = next(row["scores"] for row in published if row["suite"] == name and row["model"] == "Llama-2-7B (base)")
        frame = pd.DataFrame(
            [
                suite(asked=member.entry, task=member.task, metric=member.metric, value=tasks[member.task] / 100)
                for member in members(name, registered())
            ]
        )
        (row,) = averages(frame, {"suites": [name], "custom": {}, "limit": None}).to_dict("records")
        assert round(100 * row["value"], 2) == expected

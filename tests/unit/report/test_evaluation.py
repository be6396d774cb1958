"""The evaluation section: scores with their conditions, significance of differences, and the table of the claim."""

import argparse
import json

import pandas as pd
import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import write_json
from workflow_scripts.evaluation import collect_scores, compare_models, judge
from workflow_scripts.evaluation.collect_scores import AVERAGES
from workflow_scripts.report import evaluation
from workflow_scripts.report.pages import render

CUSTOM = {
    "gems": {"source": "made up", "shots": 0, "metric": "acc", "average": ["mean"], "tasks": ["opal", "jade"]},
}


def score(model, task, value, **more):
    return {
        "model": model, "asked": f"{task}.0shot", "task": task, "metric": "acc", "filter": "none", "value": value, "stderr": 0.02,
        "shots": 0, "documents": 400, "of_documents": 400, "dataset": "rocks/gems", "revision": "c0ffee", "task_version": 1.0,
        "lm_eval": "0.4.13", "backend": "hf", "adapter": None, "chat_template": False, "dtype": "float32", "batch_size": 8,
        "device": "cpu", **more,
    }  # fmt: skip


def difference(task, value, beyond):
    return {
        "model": "capybara", "reference": "base", "asked": f"{task}.0shot", "task": task, "filter": "none", "metric": "acc", "documents": 400, "base": 0.5,
        "tuned": 0.5 + value, "difference": value, "stderr": 0.01, "low": value - 0.02, "high": value + 0.02, "gained": 30, "lost": 10,
        "test": "McNemar, exact", "p": 0.001, "p_adjusted": 0.002, "beyond_noise": beyond,
    }  # fmt: skip


@pytest.fixture
def shown(tmp_path):
    """A function that returns the values of the section for two models and two tasks, and its HTML."""

    def show(
        base="SmolLM2",
        suites=("gems",),
        limit=None,
        scores=None,
        averages=(),
        multi_turn=(),
        checks=(),
        knowledge=(),
        compared=None,
        peers=(),
    ):
        rows = scores if scores is not None else [
            score("base", "opal", 0.5), score("capybara", "opal", 0.6), score("base", "jade", 0.4), score("capybara", "jade", 0.41)
        ]  # fmt: skip
        tables = {
            "scores": pd.DataFrame(rows),
            "averages": pd.DataFrame(
                [
                    {"suite": "gems", "model": model, "rule": "mean", "value": value, "stderr": 0.014, "tasks": 2, "documents": 800}
                    for model, value in (("base", 0.45), ("capybara", 0.505))
                ]
                + list(averages),
                columns=AVERAGES,
            ),
            "comparisons": pd.DataFrame(
                compared if compared is not None else [difference("opal", 0.1, True), difference("jade", 0.01, False)],
                columns=compare_models.TASK_COLUMNS,
            ),
            "suites": pd.DataFrame(columns=compare_models.SUITE_COLUMNS),
        }  # fmt: skip
        paths = {name: tmp_path / f"{name}.csv" for name in tables}
        for name, table in tables.items():
            table.to_csv(paths[name], index=False)
        args = argparse.Namespace(
            evaluation=[paths["averages"], paths["comparisons"], paths["suites"]],
            multi_turn=list(multi_turn),
            checks=list(checks),
            knowledge=list(knowledge),
        )
        settings = {"suites": list(suites), "custom": CUSTOM, "limit": limit, "peers": list(peers)}
        section = evaluation.section(args, paths["scores"], settings, base, 120)
        return section, render(package_file("report/templates/evaluation.html.jinja"), evaluation=section)

    return show


def test_an_average_is_displayed_with_its_rule(shown):
    _, page = shown()
    row = next(line for line in page.split("<tr>") if "<td>gems</td>" in line)
    assert "plain mean of the tasks" in row and "50.50 ± 1.40" in row


def test_only_significant_differences_are_marked(shown):
    _, page = shown()
    assert "<mark>+10.00 ± 1.00</mark>" in page
    assert "+1.00 ± 1.00" in page and "<mark>+1.00" not in page


def test_the_conditions_of_the_scores_are_displayed(shown):
    _, page = shown()
    assert "not applied" in page and "float32" in page and "0.4.13" in page and "c0ffee" in page


def test_a_limit_is_stated_before_any_number(shown):
    _, page = shown(limit=20)
    assert page.index("Only the first 20 documents") < page.index("<table>")
    assert "Only the first" not in shown()[1]


def test_published_scores_are_compared_with_measured_suites(shown):
    scores = [
        score(model, "truthfulqa_mc2", value) for model, value in (("base", 0.38), ("capybara", 0.5))
    ]  # fmt: skip
    section, page = shown(suites=["truthfulqa"], scores=scores, base="meta-llama/Llama-2-7b-hf")
    rows = {(row["published"], row["task"]): row for row in section["published"]}
    row = rows["Nous-Hermes-1-Llama-2-7B", "truthfulqa_mc2"]
    assert (row["value"], row["mark"]) == (49.10, "S") and row["ours"]["capybara"]["value"] == pytest.approx(50)
    assert "50.00 (+0.90)" in page
    assert "this run's base model is different" not in page
    assert "this run's base model is different" in shown(suites=["truthfulqa"], scores=scores)[1].replace("&#39;", "'")


def test_the_table_of_the_claim_has_published_models_and_those_of_this_run(shown):
    extra = [
        {"suite": "gpt4all", "model": "capybara", "rule": "mean", "value": 0.69, "stderr": 0.004, "tasks": 7, "documents": 9000}
    ]  # fmt: skip
    section, _ = shown(averages=extra)
    rows = {row["model"]: row for row in section["claim"]}
    assert rows["Nous-Hermes-1-Llama-2-7B"]["cells"]["gpt4all"] == [(None, 68.60, "S")]
    assert rows["Nous-Hermes-1-Llama-2-7B"]["examples"] == "about 300,000 [M]"
    assert rows["Nous-Capybara-7B V1"]["cells"]["truthfulqa"] == [("mc2", 51.13, "S")]
    assert "gpt4all" not in rows["Nous-Capybara-7B V1"]["cells"], "never published as text"
    assert rows["this run: capybara"]["cells"]["gpt4all"] == [(None, pytest.approx(69), "measured here")]
    assert rows["this run: capybara"]["examples"] == "120 conversations"


def test_every_published_value_has_its_mark_and_source():
    for row in evaluation.published()["rows"]:
        assert row["mark"] in "SIM" and row["source"] and row["examples"]
        assert "average" not in row or row["average_mark"] in "SIM"


def test_multi_turn_results_have_intervals(shown, tmp_path):
    judgements = [
        {"id": str(number), "turn": turn, "tuned_first": "A", "reference_first": "B" if number < 3 else "A", "outcome": "win" if number < 3 else "tie"}
        for number in range(4)
        for turn in (1, 2)
    ]  # fmt: skip
    found = judge.summary(judgements)
    stats = {
        "judge": "teacher", "in": 8, "out": 8, "grades": {}, "agreement_with_grades": {"judgements": 0, "share": None},
        "pairs": [{"model": "capybara", "reference": "base", "all": found, "first": found, "later": found}],
    }  # fmt: skip
    path = tmp_path / "stats.json"
    write_json(path, stats)
    _, page = shown(multi_turn=[path])
    row = next(line for line in page.split("<tr>") if "<td>all</td>" in line)
    # Shares of the questions: 1, 1, 1, 0.5; mean 0.875, standard error 0.25 / 2.
    assert "87.5" in row and "47.7 to 100.0" in row


def test_identical_answers_are_not_displayed_as_a_certain_difference_of_zero(shown):
    _, page = shown(compared=[{**difference("opal", 0.0, False), "stderr": 0.0}])
    assert "no item differs" in page and "0.00 ± 0.00" not in page


def test_peers_have_scores_and_their_differences_are_listed_apart(shown):
    scores = [score(model, "opal", value) for model, value in (("other", 0.7), ("base", 0.5), ("capybara", 0.6))]
    compared = [
        difference("opal", 0.1, True),
        difference("opal", -0.1, True) | {"reference": "other"},
        difference("opal", 0.2, True) | {"model": "other"},
    ]
    section, page = shown(scores=scores, compared=compared, peers=["other"])
    assert section["models"] == ["base", "capybara", "other"] and section["trained"] == ["capybara"]
    assert [(row["model"], row["reference"]) for row in section["other_pairs"]] == [
        ("capybara", "other"),
        ("other", "base"),
    ]
    assert "capybara − other" in page and "other − base" in page
    (task,) = section["tasks"]
    assert task["differences"]["capybara"]["difference"] == 0.1


def test_without_scores_the_report_says_so(shown):
    section, page = shown(suites=[], scores=[score("base", "opal", 0.5)])
    assert "Nothing was scored" not in page
    scores = pd.DataFrame(columns=collect_scores.SCORES)
    section, page = shown(suites=[], scores=scores, compared=pd.DataFrame(columns=compare_models.TASK_COLUMNS))
    assert section["figures"] == [] and "Nothing was scored" in page


def test_knowledge_by_year_and_answers_checked_without_a_judge(shown, tmp_path):
    items = [{"document": json.dumps({"date": f"{year}-05"}), "acc": float(year < 2020)} for year in range(2018, 2022)]
    (tmp_path / "capybara").mkdir()
    pd.DataFrame(items).to_parquet(tmp_path / "capybara" / "knowledge_dated.parquet")
    share = {"questions": 6, "share": 0.5, "stderr": 0.1, "low": 0.25, "high": 0.75}
    row = {"model": "capybara", "reference": "base", "group": "all", "questions": 6, "difference": 0.2, "low": 0.1, "high": 0.3, "p_adjusted": 0.04}  # fmt: skip
    checks = {
        "models": {model: {"all": share, "recall": share} for model in ("base", "capybara")},
        "differences": [row],
    }
    write_json(tmp_path / "checks.json", checks)
    _, page = shown(knowledge=[tmp_path / "capybara" / "knowledge_dated.parquet"], checks=[tmp_path / "checks.json"])
    (year,) = (line for line in page.split("<tr>") if "<td>2018</td>" in line)
    assert "100.0" in year
    (line,) = (line for line in page.split("<tr>") if "<td>recall</td>" in line)
    assert line.count("50.0") == 2 and "25.0 to 75.0" in line
    assert "+20.0" in page and "capybara − base" in page


def test_grades_are_displayed_by_turn_and_category(shown, tmp_path):
    grades = judge.grade_summary([{"id": str(number), "turn": 1, "grade": 6 + number} for number in range(3)])
    none = judge.grade_summary([])
    parts = {"all": grades, "first": grades, "later": none, "by_category": {"coding": grades, "writing": none}}
    stats = {
        "judge": "teacher", "in": 3, "out": 3, "pairs": [], "grades": {"base": parts},
        "agreement_with_grades": {"judgements": 2, "share": 0.5},
    }  # fmt: skip
    write_json(tmp_path / "stats.json", stats)
    _, page = shown(multi_turn=[tmp_path / "stats.json"])
    (line,) = (line for line in page.split("<tr>") if "<td>coding</td>" in line)
    assert "7.00" in line and "agree with 50 %" in page
    (line,) = (line for line in page.split("<tr>") if "<td>writing</td>" in line)
    assert "–" in line

"""The dated questions: number, years, form; accuracy by year."""

import json
import re
from collections import Counter

import pandas as pd
import pytest

from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.evaluation.tasks import OWN_TASKS
from workflow_scripts.report.claims.knowledge import LATE, by_date, by_year

ROWS = list(read_jsonl(OWN_TASKS / "knowledge_dated.jsonl"))


def test_there_are_enough_questions_of_every_year():
    years = Counter(row["date"][:4] for row in ROWS)
    assert len(ROWS) >= 120 and set(years) == {str(year) for year in range(2018, 2024)} and min(years.values()) >= 15
    assert sum(LATE[0] <= row["date"] <= LATE[1] for row in ROWS) >= 25


def test_every_question_has_a_month_a_source_and_four_different_choices():
    assert len({row["id"] for row in ROWS}) == len({row["question"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert re.fullmatch(r"20(18|19|20|21|22|23)-(0[1-9]|1[0-2])", row["date"]) and row["source"]
        assert len(set(row["choices"])) == 4 and row["choices"][row["answer"]]


def test_the_place_of_the_answer_is_balanced():
    counts = Counter(row["answer"] for row in ROWS)
    assert set(counts) == {0, 1, 2, 3} and max(counts.values()) < len(ROWS) / 3


def test_accuracy_by_date(tmp_path):
    months = ["2021-03", "2022-06", "2022-07", "2022-12", "2023-01"]
    items = [{"document": json.dumps({"date": month}), "acc": float(month < "2022-12")} for month in months]
    pd.DataFrame(items).to_parquet(tmp_path / "items.parquet")
    found = by_date(tmp_path / "items.parquet")
    assert (found["early"]["questions"], found["early"]["value"]) == (2, 100)
    assert (found["late"]["questions"], found["late"]["value"]) == (2, 50)
    # Wilson's interval of one of two.
    assert found["late"]["low"] == pytest.approx(9.45, abs=0.01)
    assert {year: row["questions"] for year, row in by_year(tmp_path / "items.parquet").items()} == {
        "2021": 1,
        "2022": 3,
        "2023": 1,
    }

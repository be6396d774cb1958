"""The spreadsheet is written, filled in and read; a text that looks like a formula stays text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.verification.spreadsheet import escape_formula, read_sheet, sheet, unescape_formula

ITEM = {
    "id": "aaaa", "kind": "gold", "expected": "wrong", "field": "physics", "topic": "Optics",
    "conversation": [{"input": "=HYPERLINK(1)", "output": "a\n- b"}, {"input": "Why?", "output": "-4 m"}],
}  # fmt: skip


def test_a_row_for_each_answer_without_the_reason():
    text = sheet([ITEM], "ben")
    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert (first["question"], first["text"], second["text"]) == ("'=HYPERLINK(1)", "a\n'- b", "'-4 m")
    assert first["item"] == "id-aaaa"  # an id such as 1234e567 is a number for a spreadsheet
    assert (second["answer"], second["reviewer"], second["verdict"]) == ("2", "ben", "")
    assert "wrong" not in text and "gold" not in text


def test_a_filled_sheet_is_read(tmp_path):
    path = tmp_path / "ben.csv"
    rows = list(csv.reader(io.StringIO(sheet([ITEM], "ben"), newline="")))
    rows[2][7:11] = ["wrong", "4", "'-5 m", "a sign;\n'- twice"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert list(read_sheet(path)) == [
        (f"{path}, line 4", {
            "item": "aaaa", "answer": "2", "reviewer": "ben", "verdict": "wrong", "confidence": "4", "corrected": "-5 m",
            "note": "a sign;\n- twice", "at": None, "seconds": None,
        }),
    ]  # fmt: skip


HEADER = "item,answer,reviewer,verdict,confidence,corrected,note,date\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            'x,1,ben,correct,3,,"said ""so\nx,2,ben,wrong,,,,\n',
            "line 2: not valid CSV (a quote is opened and never closed). Fix",
        ),
        (
            "x,1,ben,correct\nx,2,ben,wrong,3,,a,note,with,commas\n",
            "line 3: 10 cells, but the header has 8. Fix the row.",
        ),
        ('x,1,ben,correct,3,,"a"b,\n', "line 2: not valid CSV (',' expected after '\"'"),
    ],
)
def test_a_row_that_would_swallow_a_verdict_is_an_error(tmp_path, rows, message):
    (tmp_path / "b.csv").write_text(HEADER + rows)
    with pytest.raises(UserError) as caught:
        list(read_sheet(tmp_path / "b.csv"))
    assert str(caught.value).startswith(f"{tmp_path / 'b.csv'}, {message}")


def test_a_row_without_a_verdict_but_with_a_correction_is_not_skipped(tmp_path):
    (tmp_path / "b.csv").write_text(HEADER + "x,1,ben,,,Better.,,\nx,2,ben\nx,3,ben,,,,,\n")
    assert [row["corrected"] for _, row in read_sheet(tmp_path / "b.csv")] == ["Better."]


def test_a_very_long_cell(tmp_path):
    text = 'a, "b"\n' * 100_000
    with open(tmp_path / "b.csv", "w", newline="") as file:
        csv.writer(file).writerows([HEADER.strip().split(","), ["x", "1", "ben", "wrong", "", text, "", ""]])
    [(_, row)] = read_sheet(tmp_path / "b.csv")
    assert row["corrected"] == text.strip()


@given(st.text(st.sampled_from("=+-@＝;,\t\r\n\"' ab0"), max_size=40))
def test_escaping_removes_formulas_and_is_reversible(cell):
    """A spreadsheet splits a CSV file at commas, semicolons or tabs, depending on its language, and ends rows at line ends."""
    item = {"id": "a", "field": "f", "topic": cell, "conversation": [{"input": cell, "output": cell}]}
    written = sheet([item]).removeprefix("\ufeff")
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
            assert not any(found.lstrip('" ').startswith(("=", "+", "-", "@", "＝")) for found in row)
    assert unescape_formula(escape_formula(cell)) == cell

"""The spreadsheet is written, filled in and read; a text that looks like a formula stays text."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.verification.spreadsheet import escape_formula, read_sheet, sheet, unescape_formula

ITEM = {
    "id": "aaaa", "kind": "gold", "expected": "wrong", "field": "physics", "topic": "Optics",
    "conversation": [{"input": "=HYPERLINK(1)", "output": "a\n- b"}, {"input": "Why?", "output": "-4 m"}],
}  # fmt: skip


def test_a_row_for_each_answer_without_the_reason():
    text = sheet([ITEM], "ben")
    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert (first["question"], first["text"], second["text"]) == ("'=HYPERLINK(1)", "a\n- b", "'-4 m")
    assert (second["answer"], second["reviewer"], second["verdict"]) == ("2", "ben", "")
    assert "wrong" not in text and "gold" not in text


def test_a_filled_sheet_is_read(tmp_path):
    path = tmp_path / "ben.csv"
    rows = list(csv.reader(io.StringIO(sheet([ITEM], "ben"), newline="")))
    rows[2][7:11] = ["wrong", "4", "'-5 m", "a sign"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert list(read_sheet(path)) == [
        (f"{path}, row 3", {
            "item": "aaaa", "answer": "2", "reviewer": "ben", "verdict": "wrong", "confidence": "4", "corrected": "-5 m",
            "note": "a sign", "at": None, "seconds": None,
        }),
    ]  # fmt: skip


@given(st.text(max_size=40))
def test_escaping_removes_formulas_and_is_reversible(cell):
    assert not escape_formula(cell).startswith(("=", "+", "-", "@"))
    if not cell.startswith("'"):
        assert unescape_formula(escape_formula(cell)) == cell

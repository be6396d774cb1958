"""The queue as a spreadsheet, filled and read again; a text that looks like a formula is text."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.verification.spreadsheet import as_text, as_written, read_sheet, sheet

ITEM = {
    "id": "aaaa", "kind": "gold", "expected": "wrong", "field": "physics", "topic": "Optics",
    "conversation": [{"input": "=HYPERLINK(1)", "output": "a\n- b"}, {"input": "Why?", "output": "-4 m"}],
}  # fmt: skip


def test_a_row_for_each_answer_that_tells_nothing_of_why():
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
def test_a_cell_is_no_formula_and_comes_back(cell):
    assert not as_text(cell).startswith(("=", "+", "-", "@"))
    if not cell.startswith("'"):
        assert as_written(as_text(cell)) == cell

"""The queue as a CSV spreadsheet, one row for each answer: write it for a reviewer, read it when filled in."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

ITEM_COLUMNS = ["item", "answer", "field", "topic", "question", "text"]
REVIEWER_COLUMNS = ["reviewer", "verdict", "confidence", "corrected", "note", "date"]
REQUIRED_COLUMNS = ["item", "answer", "reviewer", "verdict"]
# A spreadsheet runs a cell with such a beginning as a formula; an apostrophe in front marks it as text.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(cell: str) -> str:
    """The cell, marked as text if a spreadsheet would run it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_PREFIXES) else cell


def unescape_formula(cell: str) -> str:
    """The cell without the apostrophe of `escape_formula`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_PREFIXES) else cell


def sheet(queue: Iterable[Row], reviewer: str = "") -> str:
    """The items as CSV, without the reasons for their selection.

    It begins with a byte order mark, by which spreadsheets recognise UTF-8.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*ITEM_COLUMNS, *REVIEWER_COLUMNS])
    for item in queue:
        for number, exchange in enumerate(item["conversation"], 1):
            texts = [item["field"], item["topic"], exchange["input"], exchange["output"]]
            writer.writerow([item["id"], number, *map(escape_formula, texts), reviewer, "", "", "", "", ""])
    return "\ufeff" + out.getvalue()


def read_sheet(path: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a filled spreadsheet that have a verdict, each with its place (file and row).

    The separator is comma, semicolon or tab: spreadsheets choose it by language. UserError if a column is missing or the
    file is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid UTF-8 ({error.reason}). Save it as CSV UTF-8.") from error
    header = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    if missing := [name for name in REQUIRED_COLUMNS if name not in (rows.fieldnames or [])]:
        raise UserError(f"{path}: no column {', '.join(missing)}. Fill in the spreadsheet written by the workflow.")
    for number, row in enumerate(rows, 2):
        columns = [*REQUIRED_COLUMNS, *REVIEWER_COLUMNS]
        cells = {name: unescape_formula((row.get(name) or "").strip()) for name in columns}
        date = cells.pop("date") or None
        if cells["verdict"]:
            yield f"{path}, row {number}", {**cells, "at": date, "seconds": None}

"""The queue as a spreadsheet, out and in: a row for each answer, to be filled by a reviewer without access."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

SHOWN = ["item", "answer", "field", "topic", "question", "text"]
FILLED = ["reviewer", "verdict", "confidence", "corrected", "note", "date"]
NEEDED = ["item", "answer", "reviewer", "verdict"]
# A cell that begins so is a formula to a spreadsheet; an apostrophe before it makes it text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def as_written(cell: str) -> str:
    """A cell without the apostrophe of `as_text`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def sheet(queue: Iterable[Row], reviewer: str = "") -> str:
    """The items as CSV with a byte order mark, by which spreadsheets know UTF-8. What chose an item is not told."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*SHOWN, *FILLED])
    for item in queue:
        for number, exchange in enumerate(item["conversation"], 1):
            told = [item["field"], item["topic"], exchange["input"], exchange["output"]]
            writer.writerow([item["id"], number, *map(as_text, told), reviewer, "", "", "", "", ""])
    return "\ufeff" + out.getvalue()


def read_sheet(path: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a filled spreadsheet that hold a verdict, each with where it stands.

    Comma, semicolon and tab are taken as separators: spreadsheets write what their language has. UserError if a
    column is missing or the file is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid UTF-8 ({error.reason}). Save it as CSV UTF-8.") from error
    header = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    if missing := [name for name in NEEDED if name not in (rows.fieldnames or [])]:
        raise UserError(f"{path}: no column {', '.join(missing)}. Fill in the spreadsheet that the queue made.")
    for number, row in enumerate(rows, 2):
        cells = {name: as_written((row.get(name) or "").strip()) for name in [*NEEDED, *FILLED]}
        date = cells.pop("date") or None
        if cells["verdict"]:
            yield f"{path}, row {number}", {**cells, "at": date, "seconds": None}

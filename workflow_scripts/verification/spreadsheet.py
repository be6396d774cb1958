"""The queue as a CSV spreadsheet, one row for each answer: write it for a reviewer, read it when filled in."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from workflow_scripts.common.csv_files import read_records
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.text_files import open_bytes
from workflow_scripts.common.types import Row

ITEM_COLUMNS = ["item", "answer", "field", "topic", "question", "text"]
REVIEWER_COLUMNS = ["reviewer", "verdict", "confidence", "corrected", "note", "date"]
REQUIRED_COLUMNS = ["item", "answer", "reviewer", "verdict"]
# Before an item's id, which a spreadsheet would read as a number if it had digits only, or digits and an e.
ID_PREFIX = "id-"
# A spreadsheet runs a cell that begins with such a character as a formula; an apostrophe before it marks the cell as text.
# One that is set to semicolons or tabs does not see the quotes of this file: a cell then begins after each of these and
# at every line end, also within a text. The run of characters before the formula is matched from its beginning, once.
CELL_ENDS = frozenset(";\t\r\n")
FORMULA = re.compile(r"""(?<![;\t\r\n "'])[;\t\r\n "']*+(?=[=+\-@＝＋－＠])""")


def _begins_cell(match: re.Match[str]) -> bool:
    return match.start() == 0 or not CELL_ENDS.isdisjoint(match[0])


def escape_formula(cell: str) -> str:
    """The cell with an apostrophe before everything that a spreadsheet would run as a formula."""
    return FORMULA.sub(lambda match: f"{match[0]}'" if _begins_cell(match) else match[0], cell)


def unescape_formula(cell: str) -> str:
    """The cell without the apostrophes of `escape_formula`."""
    return FORMULA.sub(lambda match: match[0].removesuffix("'") if _begins_cell(match) else match[0], cell)


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
            writer.writerow([ID_PREFIX + item["id"], number, *map(escape_formula, texts), reviewer, "", "", "", "", ""])
    return "\ufeff" + out.getvalue()


def read_sheet(path: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a filled spreadsheet, each with its place (file and line); rows in which nothing is filled in are skipped.

    The separator is comma, semicolon or tab: spreadsheets choose it by language. UserError with the line for a missing
    column, a row with more cells than the header, an unclosed quote, or a file that is not UTF-8. A row may have fewer cells:
    spreadsheets leave out empty ones at the end.
    """
    with open(path, "rb") as file:
        header = file.readline().decode("utf-8-sig", "replace")
    with open_bytes(path) as content:
        rows = read_records(content, path, max(",;\t", key=header.count))
        _, names = next(rows, (1, []))
        if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
            raise UserError(f"{path}: no column {', '.join(missing)}. Fill in the spreadsheet written by the workflow.")
        for line, found in rows:
            if len(found) > len(names):
                raise UserError(
                    f"{path}, line {line}: {len(found)} cells, but the header has {len(names)}. Fix the row."
                )
            row = dict(zip(names, found, strict=False))
            cells = {
                name: unescape_formula(row.get(name, "").strip()) for name in (*REQUIRED_COLUMNS, *REVIEWER_COLUMNS)
            }
            cells["item"] = cells["item"].removeprefix(ID_PREFIX)
            date = cells.pop("date") or None
            if any(cells[name] for name in ("verdict", "confidence", "corrected", "note")):
                yield f"{path}, line {line}", {**cells, "at": date, "seconds": None}

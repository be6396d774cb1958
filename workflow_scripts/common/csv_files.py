"""Rows of CSV files (RFC 4180): every cell is text, exactly as written; an empty cell is an empty text."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.text_files import LINE_BYTES, open_bytes

BATCH_ROWS = 8192


def csv_columns(path: Path) -> Iterator[dict[str, list[str]]]:
    """The columns of a comma-separated file with a header, in batches. Blank lines are skipped.

    UserError with file and line for a row with more or fewer cells than the header, an unclosed quote, a column name that
    is used twice, or invalid UTF-8.
    """
    with open_bytes(path) as file:
        rows = read_records(file, path, ",")
        _, header = next(rows, (0, []))
        if twice := next((name for name in header if header.count(name) > 1), None):
            raise UserError(f"{path}, line 1: two columns are named {twice!r}. Rename one.")
        while batch := list(islice(rows, BATCH_ROWS)):
            for line, cells in batch:
                if len(cells) != len(header):
                    raise UserError(
                        f"{path}, line {line}: {len(cells)} cells, but the header has {len(header)}. Put a text that "
                        "contains a comma in double quotes, or fix the row."
                    )
            yield dict(zip(header, map(list, zip(*(cells for _, cells in batch), strict=True)), strict=True))


def read_records(file: IO[bytes], path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of every record, the header included; blank lines are skipped.

    UserError with file and line for an unclosed quote, text after a closing quote, a cell of more than `LINE_BYTES`
    characters, or invalid UTF-8.
    """
    csv.field_size_limit(LINE_BYTES)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: not valid CSV ({_explain(error)}). Fix the row.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {_undecodable_line(path)}: not valid UTF-8 ({error.reason}). Fix the line."
        ) from error


def _explain(error: csv.Error) -> str:
    """What the messages of the csv module mean."""
    message = str(error)
    if "unexpected end of data" in message:
        return "a quote is opened and never closed"
    if "field larger" in message:
        return f"a cell has more than {LINE_BYTES:,} characters; a quote may not be closed"
    return f"{message}; a quote inside a quoted cell is written twice"


def _undecodable_line(path: Path) -> int:
    """The number of the first line that is not UTF-8."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0

"""Rows of CSV files (RFC 4180): every cell is text, exactly as written; an empty cell is an empty text.

A file in which every quote is where RFC 4180 allows it is parsed by Arrow, which is three times as fast. Any other file is
parsed by the csv module in strict mode, which reports what is wrong.
"""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.text_files import BLOCK_BYTES, BYTE_ORDER_MARK, LINE_BYTES, open_bytes

BATCH_ROWS = 8192
QUOTE, COMMA, LINE_FEED, CARRIAGE_RETURN = b'",\n\r'


def csv_columns(path: Path) -> Iterator[dict[str, list[str] | pa.Array]]:
    """The columns of a comma-separated file with a header, in batches. Blank lines are skipped.

    UserError with file and line for a row with more or fewer cells than the header, an unclosed quote, a column name that
    is used twice, or invalid UTF-8.
    """
    with open_bytes(path) as file:
        _, header = next(read_records(file, path, ","), (0, []))
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise UserError(f"{path}, line 1: two columns are named {twice!r}. Rename one.")
    done = 0
    if _quotes_are_regular(path):
        try:
            for batch in _parsed_by_arrow(path, header):
                yield batch
                done += len(next(iter(batch.values())))
            return
        except pa.ArrowException:
            pass  # the csv module explains the error, or reads a row that is longer than Arrow's blocks
    yield from _parsed_by_csv(path, header, done)


def _quotes_are_regular(path: Path) -> bool:
    """Whether every quote opens or closes a cell or is doubled inside a quoted cell, so that all parsers agree."""
    inside, before = 0, LINE_FEED
    with open_bytes(path) as file:
        block = file.read(BLOCK_BYTES).removeprefix(BYTE_ORDER_MARK)
        while block:
            following = file.read(BLOCK_BYTES)
            codes = np.frombuffer(b"".join((bytes([before]), block, following[:1] or b"\n")), np.uint8)
            places = np.flatnonzero(codes[1:-1] == QUOTE) + 1
            # In quotes of regular files the even ones open, and the odd ones close; a doubled quote does both.
            closing = (np.arange(len(places)) + inside) % 2 == 1
            neighbours = np.where(closing, codes[places + 1], codes[places - 1])
            if not np.isin(neighbours, (QUOTE, COMMA, LINE_FEED, CARRIAGE_RETURN)).all():
                return False
            inside = (inside + len(places)) % 2
            before, block = block[-1], following
    return inside == 0


def _parsed_by_arrow(path: Path, header: list[str]) -> Iterator[dict[str, pa.Array]]:
    """The columns of a file with regular quotes. Raises pa.ArrowException."""
    with (
        open_bytes(path) as file,
        pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        ) as reader,
    ):
        if reader.schema.names != header:
            raise pa.ArrowInvalid("other names")
        for batch in reader:
            if batch.num_rows:
                yield dict(zip(header, batch.columns, strict=True))


def _parsed_by_csv(path: Path, header: list[str], skip: int) -> Iterator[dict[str, list[str]]]:
    """The columns of any file after `skip` rows, parsed strictly. UserError with file and line."""
    with open_bytes(path) as file:
        rows = islice(read_records(file, path, ","), 1 + skip, None)
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

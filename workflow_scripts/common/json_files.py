"""Rows of JSON files: JSON Lines, an array of objects, or one object. Values are kept as written; nothing is inferred."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.nesting import TOO_DEEP, nested_too_deeply
from workflow_scripts.common.rows import parse_line
from workflow_scripts.common.text_files import BYTE_ORDER_MARK, format_suffix, is_compressed, line_blocks, open_bytes
from workflow_scripts.common.types import Row

BATCH_ROWS = 8192
# A compressed document that is read as a whole may have this size, or this multiple of its compressed size. JSON is rarely
# compressed to less than a thirtieth.
DOCUMENT_BYTES, MAX_RATIO = 100 * 2**20, 200
PEEKED_BYTES = 8192  # in which an array is recognised


def json_rows(path: Path) -> Iterator[list[Row]]:
    """The rows of a JSON file in batches; a null row has no columns. The content decides, not the suffix.

    An array contains a row in each element. A file that begins with an object is JSON Lines or, if it is named `.json` and
    its first line is not complete, one row. UserError with file and line or row for anything else.
    """
    with open_bytes(path) as file:
        most = _most_bytes(path.stat().st_size) if is_compressed(path) else None
        yield from _rows(file, str(path), format_suffix(path) == ".json", most)


def archive_rows(path: Path) -> Iterator[list[Row]]:
    """The rows of all JSON files in a zip archive, in the order of their names; of JSON Lines, line by line."""
    batch: list[Row] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if format_suffix(Path(name)) not in (".json", ".jsonl", ".ndjson") or name.startswith("__MACOSX/"):
                    continue
                most = _most_bytes(archive.getinfo(name).compress_size)
                with archive.open(name) as member:
                    lines = io.BufferedReader(cast(io.RawIOBase, member))
                    for rows in _rows(lines, f"{path}, {name}", format_suffix(Path(name)) == ".json", most):
                        batch += rows
                        if len(batch) >= BATCH_ROWS:
                            yield batch
                            batch = []
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, unknown method, encrypted
        raise UserError(f"{path}: not a readable zip archive ({error}). Replace the file.") from error
    if batch:
        yield batch


def _most_bytes(compressed: int) -> int:
    return max(DOCUMENT_BYTES, MAX_RATIO * compressed)


def _rows(file: IO[bytes], name: str, document: bool, most: int | None) -> Iterator[list[Row]]:
    """The rows of a file. UserError for a document of more than `most` bytes, before they are in memory."""
    peeked = cast(io.BufferedReader, file).peek(PEEKED_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip()
    if document or peeked.startswith(b"["):
        content = file.read(-1 if most is None else most + 1).removeprefix(BYTE_ORDER_MARK)
        if most is not None and len(content) > most:
            raise UserError(
                f"{name}: more than {most // 2**20} MiB when decompressed, {MAX_RATIO} times its compressed size. If it is "
                "valid, decompress it yourself or write it as JSON Lines."
            )
        first, line_end, _ = content.lstrip().partition(b"\n")
        if peeked.startswith(b"[") or not (line_end and _is_json(first)):
            if content.strip():
                yield _document(content, name)
            return
        file = io.BytesIO(content)
    number = 1
    for lines in line_blocks(file, name):
        for place, line in enumerate(lines):
            if nested_too_deeply(line):
                raise UserError(f"{name}, line {number + place}: {TOO_DEEP} Fix the line.")
        try:
            rows = list(map(orjson.loads, lines))
        except orjson.JSONDecodeError:  # a blank line, NaN, a surrogate, or an error that `parse_line` explains
            rows = [parse_row(name, number + place, line) for place, line in enumerate(lines) if line.strip()]
        if set(map(type, rows)) - {dict}:
            rows = [parse_row(name, number + place, line) for place, line in enumerate(lines) if line.strip()]
        number += len(lines)
        if rows:
            yield rows


def parse_row(name: str, number: int, line: bytes) -> Row:
    """One line as a row, an empty one for `null`. UserError with file and line if it is not a JSON object."""
    return {} if line.strip() == b"null" else parse_line(name, number, line + b"\n")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _document(content: bytes, name: str) -> list[Row]:
    """The rows of a whole JSON document."""
    if nested_too_deeply(content):
        raise UserError(f"{name}: {TOO_DEEP} Fix the file.")
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(content.decode("utf-8"))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UserError(f"{name}, line {line}: not valid UTF-8 ({error.reason}). Fix the line.") from error
        except json.JSONDecodeError as error:
            raise UserError(
                f"{name}, line {error.lineno}: not valid JSON ({error.msg} at column {error.colno}). Fix the file."
            ) from error
        except RecursionError as error:
            raise UserError(f"{name}: {TOO_DEEP} Fix the file.") from error
    rows: Iterable[Any] = value if isinstance(value, list) else [value]
    checked: list[Row] = []
    for number, row in enumerate(rows, 1):
        if row is not None and not isinstance(row, dict):
            raise UserError(f"{name}, row {number}: a JSON object was expected, not {type(row).__name__}. Fix the row.")
        checked.append(row or {})
    return checked

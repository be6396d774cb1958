"""Rows on disk: a reader that reports file and line, an atomic writer, a content hash."""

import codecs
import contextlib
import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.nesting import TOO_DEEP, nested_too_deeply
from workflow_scripts.common.types import Row

T = TypeVar("T")


def content_id(*parts: Any) -> str:
    """16 hex digits of the SHA-256 of `parts` as canonical JSON. Equal content has an equal id on every machine."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_line(path: Path | str, number: int, line: bytes) -> Row:
    """One line of a JSON Lines file as a dict.

    UserError with file and line for invalid UTF-8, invalid JSON, deep nesting, or a line that is not an object.
    """
    if nested_too_deeply(line):
        raise UserError(f"{path}, line {number}: {TOO_DEEP} Fix the line.")
    try:
        row = json.loads(line.rstrip(b"\r\n"))  # an error at the end of the line is in its last column
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number}: not valid UTF-8 ({error.reason}). Fix the line.") from error
    except json.JSONDecodeError as error:
        truncated = "" if line.endswith(b"\n") else " The file ends here: if a job wrote it, delete it and run again."
        raise UserError(
            f"{path}, line {number}: not valid JSON ({error.msg} at column {error.colno}). Fix the line.{truncated}"
        ) from error
    except RecursionError as error:  # not closed either
        raise UserError(f"{path}, line {number}: {TOO_DEEP} Fix the line.") from error
    if not isinstance(row, dict):
        raise UserError(f"{path}, line {number}: a JSON object was expected, not {type(row).__name__}. Fix the line.")
    return row


def numbered_jsonl(path: Path) -> Iterator[tuple[int, Row]]:
    """(line number, row) of a JSON Lines file (`parse_line`); blank lines and a byte order mark are skipped."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if line.strip():
                yield number, parse_line(path, number, line)


def read_jsonl(path: Path) -> Iterator[Row]:
    """The rows of a JSON Lines file (`numbered_jsonl`)."""
    for _, row in numbered_jsonl(path):
        yield row


def read_rows(path: Path, kind: type[T]) -> Iterator[T]:
    """`read_jsonl` for a file whose rows are of the TypedDict `kind`. The fields are not checked: a stage wrote them."""
    return cast(Iterator[T], read_jsonl(path))


@contextlib.contextmanager
def atomically(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error; until then readers see the old file.

    The file is never visible in part, even after a crash: temporary file in the same folder, fsync, `os.replace`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with atomically(path) as file:
        file.write(text.encode("utf-8"))


def _dumps(path: Path, value: Any, **options: Any) -> str:
    """JSON without escapes; with escapes if it contains half of a surrogate pair, which UTF-8 cannot encode.

    UserError with the place of a number that is not finite, which JSON cannot represent.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, **options)
    except ValueError as error:
        if (place := not_finite(value)) is None:
            raise
        raise UserError(f"{path}: {place}, which is not a finite number. Nothing was written.") from error
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, **options)
    return text


def not_finite(value: Any, place: str = "") -> str | None:
    """`place is value` of the first number in a JSON value that is not finite; None if all are."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{place.lstrip('.') or 'the value'} is {value}"
    inside = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    )
    found = (not_finite(part, f"{place}.{key}" if isinstance(key, str) else f"{place}[{key}]") for key, part in inside)
    return next((text for text in found if text), None)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically."""
    write_text(path, _dumps(path, value, indent=1) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines atomically, one row at a time, with keys in the given order."""
    with atomically(path) as file:
        for row in rows:
            file.write(_dumps(path, row).encode("utf-8") + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON document that a job wrote. UserError with the file if it is not valid JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise UserError(f"{path}: {TOO_DEEP} Delete it and run again.") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}). Delete it and run again.") from error


def read_user_json(path: Path) -> Any:
    """Read a JSON document that a user wrote or exported, with or without a byte order mark. UserError with file and line."""
    content = Path(path).read_bytes()
    if nested_too_deeply(content):
        raise UserError(f"{path}: {TOO_DEEP} Fix the file.")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise UserError(f"{path}: {TOO_DEEP} Fix the file.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg} at column {error.colno}). Fix the file."
        ) from error

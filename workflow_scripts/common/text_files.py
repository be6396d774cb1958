"""Text files, plain or compressed: opened by the suffix of their name, read in blocks of whole lines."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from workflow_scripts.common.errors import UserError

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".zip", ".parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_BYTES = 64 * 2**20  # longer lines are rejected: their line ends are probably lost
BLOCK_BYTES = 4 * 2**20


def format_suffix(path: Path) -> str:
    """The suffix that names the format: `.jsonl` for `rows.jsonl` and for `rows.jsonl.gz`, in lower case."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return inner.suffix.lower()


def is_compressed(path: Path) -> bool:
    """Whether the suffix names a compression."""
    return path.suffix.lower() in COMPRESSIONS


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, decompressed if its suffix says so. UserError for a damaged compressed file."""
    if not is_compressed(path):
        with open(path, "rb") as file:
            yield file
        return
    kind = COMPRESSIONS[path.suffix.lower()]
    try:
        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, kind) as stream:
            yield cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, stream), BLOCK_BYTES))
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged {kind} file ({' '.join(str(error).split())}). Replace the file.") from error


def line_blocks(file: IO[bytes], name: str) -> Iterator[list[bytes]]:
    """The lines of a file without line feeds, in lists of about `BLOCK_BYTES` bytes.

    UserError with file and line for a line of more than `LINE_BYTES` bytes. A byte order mark is removed.
    """
    rest, number = b"", 1
    while block := file.read(BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        if number == 1:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        rest = lines.pop()
        if max(map(len, [*lines, rest])) > LINE_BYTES:
            place = next(place for place, line in enumerate([*lines, rest]) if len(line) > LINE_BYTES)
            raise UserError(
                f"{name}, line {number + place}: longer than {LINE_BYTES // 2**20} MiB; its line ends are probably lost. "
                "Fix the line."
            )
        number += len(lines)
        yield lines
    if rest:
        yield [rest.removeprefix(BYTE_ORDER_MARK) if number == 1 else rest]

"""Rows packed into JavaScript files, for a page opened from disk: browsers allow such a page to load scripts, but no data.

The rows are distributed over a fixed number of scripts by the first digit of their id, so that the page loads only what it
displays. A script contains blocks of rows as JSON, compressed with deflate and encoded in base64; it never contains the
text of a row directly.
"""

import base64
import bisect
import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from workflow_scripts.common.rows import atomically
from workflow_scripts.common.types import Row

PART_NAMES = "0123456789abcdef"  # one script for each first digit of an id
BLOCK_CHARS = 1 << 18  # of JSON per block: a few ms to decompress


def part_number(key: str) -> int:
    """The number of the script that contains a row. For sorted keys it never decreases."""
    return max(0, bisect.bisect_right(PART_NAMES, key[:1]) - 1)


def blocks(rows: Iterable[Row]) -> Iterator[list[bytes]]:
    """Rows in groups of about `BLOCK_CHARS` characters, each row as ASCII JSON, which can also encode single surrogates."""
    block, size = [], 0
    for row in rows:
        block.append(json.dumps(row, separators=(",", ":")).encode("ascii"))
        size += len(block[-1])
        if size >= BLOCK_CHARS:
            yield block
            block, size = [], 0
    if block:
        yield block


def write_parts(rows: Iterable[Row], paths: list[Path]) -> list[list[int]]:
    """Write the scripts. `rows` are sorted by their `key`; memory is bounded by one block.

    Returns [script number, rows] of each block. The output is deterministic. Raises ValueError if rows are not sorted.
    """
    index = []
    groups = groupby(rows, key=lambda row: part_number(row["key"]))
    number, group = next(groups, (None, iter(())))
    for part, path in enumerate(paths):
        with atomically(path) as file:
            file.write(b"conversationPart(%d, [\n" % part)
            if number == part:
                for block in blocks(group):
                    packed = zlib.compress(b"[" + b",".join(block) + b"]", 6)
                    file.write(b'"' + base64.b64encode(packed) + b'",\n')
                    index.append([part, len(block)])
                number, group = next(groups, (None, iter(())))
            file.write(b"]);\n")
    if number is not None:
        raise ValueError(f"rows out of order: script {number} after script {len(paths) - 1}")
    return index

"""Conversations packed for a page that is opened from disk, where a browser lets a page read nothing but scripts.

The rows lie in a fixed number of scripts, by the beginning of their id, so that a page loads only what it shows. A script holds
blocks: JSON of some rows, deflated, in base64. No text of a row ever stands in a script as such.
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

NAMES = "0123456789abcdef"  # a script for each first digit of an id
BLOCK = 1 << 18  # characters of JSON after which a block is closed: a few ms to unpack


def part_of(key: str) -> int:
    """The number of the script that holds a row; it never falls from one key to the next in order."""
    return max(0, bisect.bisect_right(NAMES, key[:1]) - 1)


def blocks(rows: Iterable[Row]) -> Iterator[list[bytes]]:
    """Rows as JSON in ASCII, so that half a surrogate pair passes too, in groups of about `BLOCK` characters."""
    block, size = [], 0
    for row in rows:
        block.append(json.dumps(row, separators=(",", ":")).encode("ascii"))
        size += len(block[-1])
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def write_parts(rows: Iterable[Row], paths: list[Path]) -> list[list[int]]:
    """Write the scripts, each row by its `key`, in whose order the rows come; memory is that of one block.

    Returns [script, rows] of each block. The same rows make the same bytes.
    """
    places = []
    groups = groupby(rows, key=lambda row: part_of(row["key"]))
    number, group = next(groups, (None, iter(())))
    for part, path in enumerate(paths):
        with atomically(path) as file:
            file.write(b"conversationPart(%d, [\n" % part)
            if number == part:
                for block in blocks(group):
                    packed = zlib.compress(b"[" + b",".join(block) + b"]", 6)
                    file.write(b'"' + base64.b64encode(packed) + b'",\n')
                    places.append([part, len(block)])
                number, group = next(groups, (None, iter(())))
            file.write(b"]);\n")
    if number is not None:
        raise ValueError(f"rows out of order: script {number} after script {len(paths) - 1}")
    return places

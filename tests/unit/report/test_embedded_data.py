"""Rows packed into scripts: all of them come back, whatever they hold, and nothing of them stands in a script as such."""

import base64
import json
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.report.embedded_data import BLOCK, NAMES, blocks, part_of, write_parts

HOSTILE = [
    "<script>alert(1)</script>", "</script><!--", "-->]]>", "line\u2028paragraph\u2029", "\ud800 alone", "\udc00\ud800", "\u202egnp.exe",
    "\x00\x1b[31m", "“’\"'`${x}\\", "x" * 100_000, "",
]  # fmt: skip


def unpacked(path):
    """(number, rows of each block) of a script, read as the page reads it."""
    text = path.read_bytes().decode("ascii")
    number, body = re.fullmatch(r'conversationPart\((\d+), \[\n((?:"[A-Za-z0-9+/=]+",\n)*)\]\);\n', text).groups()
    packed = [line.strip('",') for line in body.splitlines()]
    return int(number), [json.loads(zlib.decompress(base64.b64decode(block))) for block in packed]


def written(folder, rows):
    paths = [folder / f"{name}.js" for name in NAMES]
    places = write_parts(rows, paths)
    parts = [unpacked(path) for path in paths]
    assert [number for number, _ in parts] == list(range(len(NAMES)))
    assert places == [[number, len(block)] for number, found in parts for block in found]
    return [row for _, found in parts for block in found for row in block]


def test_hostile_texts_come_back_as_they_were(tmp_path):
    rows = [{"key": f"{number:x}", "text": text} for number, text in enumerate(HOSTILE)]
    assert written(tmp_path, rows) == rows  # the pattern of `unpacked` lets nothing but base64 pass


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(alphabet=st.characters(), max_size=20)), max_size=12))
def test_any_text_comes_back(tmp_path_factory, rows):
    rows = [{"key": key, "text": text} for key, text in sorted(rows)]
    assert written(tmp_path_factory.mktemp("parts"), rows) == rows


def test_a_row_lies_where_its_id_begins():
    assert [part_of(key) for key in ("0", "00", "9f", "a0", "ffff")] == [0, 0, 9, 10, 15]
    assert (part_of(""), part_of("-"), part_of("Z"), part_of("zz")) == (0, 0, 9, 15)
    keys = sorted(["", "!", "0", "9", "A", "a", "f", "g", "é"])
    assert [part_of(key) for key in keys] == sorted(part_of(key) for key in keys)


def test_blocks_are_small():
    rows = [{"key": "a", "text": "x" * (BLOCK // 4)}] * 9
    assert [len(block) for block in blocks(rows)] == [4, 4, 1]


def test_the_same_rows_make_the_same_bytes(tmp_path):
    rows = [{"key": f"{number:02x}", "text": "y" * number} for number in range(256)]
    for name in ("a", "b"):
        written(tmp_path / name, rows)
    assert all(
        (tmp_path / "a" / f"{name}.js").read_bytes() == (tmp_path / "b" / f"{name}.js").read_bytes() for name in NAMES
    )


def test_rows_out_of_order_are_refused(tmp_path):
    with pytest.raises(ValueError, match="out of order"):
        written(tmp_path, [{"key": "b"}, {"key": "a"}])

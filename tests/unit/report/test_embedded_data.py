"""Rows packed into scripts: every row can be read back, and no script contains the text of a row."""

import base64
import json
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.report.embedded_data import BLOCK_CHARS, PART_NAMES, blocks, part_number, write_parts

HOSTILE = [
    "<script>alert(1)</script>", "</script><!--", "-->]]>", "line\u2028paragraph\u2029", "\ud800 alone", "\udc00\ud800", "\u202egnp.exe",
    "\x00\x1b[31m", "“’\"'`${x}\\", "x" * 100_000, "",
]  # fmt: skip


def unpacked(path):
    """(number, rows of each block) of a script, read in the same way as by the page."""
    text = path.read_bytes().decode("ascii")
    number, body = re.fullmatch(r'conversationPart\((\d+), \[\n((?:"[A-Za-z0-9+/=]+",\n)*)\]\);\n', text).groups()
    packed = [line.strip('",') for line in body.splitlines()]
    return int(number), [json.loads(zlib.decompress(base64.b64decode(block))) for block in packed]


def written(folder, rows):
    paths = [folder / f"{name}.js" for name in PART_NAMES]
    index = write_parts(rows, paths)
    parts = [unpacked(path) for path in paths]
    assert [number for number, _ in parts] == list(range(len(PART_NAMES)))
    assert index == [[number, len(block)] for number, found in parts for block in found]
    return [row for _, found in parts for block in found for row in block]


def test_hostile_text_is_read_back_unchanged(tmp_path):
    rows = [{"key": f"{number:x}", "text": text} for number, text in enumerate(HOSTILE)]
    assert written(tmp_path, rows) == rows  # the pattern of `unpacked` accepts only base64


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PART_NAMES), st.text(alphabet=st.characters(), max_size=20)), max_size=12))
def test_any_text_is_read_back_unchanged(tmp_path_factory, rows):
    rows = [{"key": key, "text": text} for key, text in sorted(rows)]
    assert written(tmp_path_factory.mktemp("parts"), rows) == rows


def test_the_first_digit_of_the_id_selects_the_script():
    assert [part_number(key) for key in ("0", "00", "9f", "a0", "ffff")] == [0, 0, 9, 10, 15]
    assert (part_number(""), part_number("-"), part_number("Z"), part_number("zz")) == (0, 0, 9, 15)
    keys = sorted(["", "!", "0", "9", "A", "a", "f", "g", "é"])
    assert [part_number(key) for key in keys] == sorted(part_number(key) for key in keys)


def test_blocks_are_small():
    rows = [{"key": "a", "text": "x" * (BLOCK_CHARS // 4)}] * 9
    assert [len(block) for block in blocks(rows)] == [4, 4, 1]


def test_the_output_is_deterministic(tmp_path):
    rows = [{"key": f"{number:02x}", "text": "y" * number} for number in range(256)]
    for name in ("a", "b"):
        written(tmp_path / name, rows)
    assert all(
        (tmp_path / "a" / f"{name}.js").read_bytes() == (tmp_path / "b" / f"{name}.js").read_bytes()
        for name in PART_NAMES
    )


def test_unsorted_rows_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="out of order"):
        written(tmp_path, [{"key": "b"}, {"key": "a"}])

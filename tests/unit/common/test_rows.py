"""Rows on disk: the content hash, the reader that reports file and line, the atomic writer."""

import json
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, file_sha256, read_json, read_jsonl, write_json, write_jsonl

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4))
ROW = st.dictionaries(TEXT, JSON, max_size=5)


def shuffled(value, rng):
    """The same JSON value with the keys of every object in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, rng)) for key, inner in value.items()]
        rng.shuffle(items)
        return dict(items)
    return [shuffled(inner, rng) for inner in value] if isinstance(value, list) else value


@given(ROW, st.integers())
def test_id_does_not_depend_on_the_order_of_keys(row, seed):
    assert content_id(shuffled(row, random.Random(seed))) == content_id(row)


@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3))
def test_ids_are_equal_exactly_for_equal_content(one, other):
    # Compared as JSON text: 1, 1.0 and True are equal in Python, not in JSON.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_id(*one) == content_id(*other)) is same


def test_id_is_the_same_on_any_machine():
    assert content_id({"b": "ü", "a": 1}) == "0bb873db44ec0a46"  # sha256 of [{"a":1,"b":"ü"}]
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("\ud800")  # a lone surrogate is content as well


@given(st.lists(ROW, max_size=4))
def test_written_rows_are_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_jsonl(path, rows)
    assert list(read_jsonl(path)) == rows
    assert path.read_bytes().count(b"\n") == len(rows)


@pytest.mark.parametrize("write", [lambda path, row: write_jsonl(path, [row]), write_json], ids=["jsonl", "json"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_an_error(tmp_path, write, number):
    """JSON has no NaN: other programs reject such a file."""
    with pytest.raises(UserError, match=rf"rows: scores\[1\]\.acc is {number}, which is not a finite number"):
        write(tmp_path / "rows", {"scores": [{"acc": 1.0}, {"acc": number}]})
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("write", [lambda path, row: write_jsonl(path, [row]), write_json], ids=["jsonl", "json"])
def test_lone_surrogates_survive(tmp_path, write):
    """JSON from outside may contain half an emoji ("\\ud83d"): a row that can be read can be written."""
    write(tmp_path / "rows", {"text": "\ud83d"})
    assert read_json(tmp_path / "rows") == {"text": "\ud83d"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid UTF-8"),
        (b"[1, 2]", "a JSON object was expected, not list"),
    ],
)
def test_a_broken_line_is_reported(tmp_path, line, message):
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(b'{"a": 0}\n\n' + line + b"\n")
    with pytest.raises(UserError, match="Fix the line") as caught:
        list(read_jsonl(path))
    assert f"{path}, line 3: {message}" in str(caught.value)


def test_a_broken_document_is_reported(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text('{"in": ')
    with pytest.raises(UserError, match=r"stats\.json: not valid JSON"):
        read_json(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "data.jsonl"
    write_jsonl(path, [{"a": 1}])
    with pytest.raises(TypeError):
        write_jsonl(path, [{"a": 2}, {"a": object()}])
    with pytest.raises(IsADirectoryError):
        write_json(tmp_path, {"a": 3})
    assert list(read_jsonl(path)) == [{"a": 1}]
    assert list(tmp_path.iterdir()) == [path]
    assert not [name for name in os.listdir(tmp_path.parent) if name.startswith(f".{tmp_path.name}")]


class Stop(BaseException):
    """Like KeyboardInterrupt, not a subclass of Exception."""


@pytest.mark.parametrize("error", [ValueError, Stop])
@pytest.mark.parametrize("rows_before", [0, 1, 5000])
def test_an_error_in_the_rows_themselves_leaves_the_old_file(tmp_path, rows_before, error):
    """Rows are written one by one: when the error occurs, many may be on disk, in the temporary file."""

    def rows():
        for number in range(rows_before):
            yield {"n": number}
        raise error

    path = tmp_path / "data.jsonl"
    with pytest.raises(error):
        write_jsonl(path, rows())
    assert list(tmp_path.iterdir()) == []
    write_jsonl(path, [{"a": 1}])
    with pytest.raises(error):
        write_jsonl(path, rows())
    assert list(read_jsonl(path)) == [{"a": 1}]
    assert list(tmp_path.iterdir()) == [path]


def test_rows_are_written_one_by_one(tmp_path):
    """A stage may write more rows than fit into memory; it may read the file that it replaces."""
    path = tmp_path / "data.jsonl"
    write_jsonl(path, ({"n": number} for number in range(10_000)))
    alive = []

    class Watched(dict):
        def __del__(self):
            alive.pop()

    def rows():
        for row in read_jsonl(path):
            alive.append(None)
            assert len(alive) <= 3
            yield Watched(n=row["n"] + 1)

    write_jsonl(path, rows())
    assert [row["n"] for row in read_jsonl(path)] == list(range(1, 10_001))


def test_other_users_may_read_a_written_file(tmp_path):
    mask = os.umask(0o022)
    try:
        write_json(tmp_path / "new" / "stats.json", {})
    finally:
        os.umask(mask)
    assert (tmp_path / "new" / "stats.json").stat().st_mode & 0o777 == 0o644


def test_file_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

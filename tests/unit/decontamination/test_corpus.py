"""Files are read block by block, each row is in exactly one block, and errors name file and row."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.decontamination import corpus
from workflow_scripts.decontamination.corpus import blocks, read_block, read_turns, rows_before, shard


def conversations(block, columns):
    return [text for batch, _ in read_block(block, columns) for text in batch]


def rows_of(some_blocks):
    """(row in the file, id) of all conversations in some blocks."""
    return [
        (rows_before(block) + text.row + 1, text.id) for block in some_blocks for text in conversations(block, ["text"])
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 60), max_size=30), st.integers(1, 50), st.integers(1, 9), st.booleans())
def test_every_line_is_in_one_block_and_one_shard(tmp_path_factory, lengths, size, shards, ended):
    """Lines of any length, blank lines too (-1), with and without a line end after the last."""
    path = tmp_path_factory.mktemp("corpus") / "data.jsonl"
    lines = ["" if length < 0 else json.dumps({"id": str(n), "text": "x" * length}) for n, length in enumerate(lengths)]
    path.write_text("\n".join(lines) + ("\n" if ended and lines else ""))
    expected = [(n + 1, str(n)) for n, length in enumerate(lengths) if length >= 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "BLOCK_BYTES", size)
        every = blocks([path])
        assert rows_of(every) == expected
        assert [row for number in range(shards) for row in rows_of(shard(every, number, shards))] == expected


def test_every_row_of_parquet_is_in_one_block_and_one_shard(tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(
        pa.table({"id": [str(n) for n in range(25)], "text": ["x" * n for n in range(25)]}), path, row_group_size=4
    )
    every = blocks([path])
    assert len(every) == 7
    assert [row for number in range(3) for row in rows_of(shard(every, number, 3))] == [
        (n + 1, str(n)) for n in range(25)
    ]


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"conversation": [{"input": "a", "output": "b"}]}, [("user", "a"), ("assistant", "b")]),
        ({"conversations": [{"from": "human", "value": "a"}]}, [("human", "a")]),
        (
            {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": None}]},
            [("system", "a"), ("user", "")],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]},
            [("user", "a")],
        ),
    ],
)
def test_layouts(row, turns):
    assert read_turns(row, []) == turns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a", "b"], "a\nb"),
        ([{"text": "a"}, None], "a"),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "a"}], "a"),
    ],
)
def test_texts_in_lists_are_read(value, text):
    assert read_turns({"q": value}, ["q"]) == [("q", text)]
    assert read_turns({"messages": [{"role": "user", "content": value}]}, []) == [("user", text)]


def test_both_names_of_the_role():
    assert read_turns({"conversations": [{"role": "user", "content": "a"}]}, []) == [("user", "a")]


@pytest.mark.parametrize("value", [[{"role": "user", "content": "a"}], [1], {"a": "b"}, 5])
def test_other_types_than_text_are_rejected(value):
    with pytest.raises(ValueError, match=r"`\w+`: expected text, not (dict|int|NoneType)\. Fix the row"):
        read_turns({"q": value}, ["q"])


def test_columns():
    assert read_turns({"q": "a", "a": None, "x": 1}, ["q", "a"]) == [("q", "a"), ("a", "")]


def test_an_unpaired_surrogate_is_read(tmp_path):
    (tmp_path / "data.jsonl").write_bytes(b'{"id": 1, "text": "a\\ud800"}')
    assert conversations(blocks([tmp_path / "data.jsonl"])[0], ["text"])[0].turns == [("text", "a\ud800")]


@pytest.mark.parametrize(
    ("line", "columns", "message"),
    [
        (b'{"text": "a"', ["text"], "line 3: not valid JSON"),
        (b'{"text": "\xff"}', ["text"], "line 3: not valid UTF-8"),
        (b"[1]", ["text"], "line 3: a JSON object was expected, not list"),
        (b'{"text": 1}', ["text"], "line 3: `text`: expected text, not int"),
        (
            b'{"other": "a", "id": 1}',
            ["text"],
            "line 3: no column text; the columns are other, id. Correct --columns.",
        ),
        (
            b'{"text": "a"}',
            [],
            "line 1: no conversation in the columns text; expected conversation",
        ),
        (b'{"text": "' + b"x" * 200 + b'"}', ["text"], "line 3: longer than 0 MiB. Line ends may be missing"),
    ],
)
@pytest.mark.parametrize("size", [5, 1000])
def test_errors_name_file_and_line(tmp_path, monkeypatch, line, columns, message, size):
    monkeypatch.setattr(corpus, "BLOCK_BYTES", size)
    monkeypatch.setattr(corpus, "LINE_BYTES", 100)
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n' + line + b"\n")
    with pytest.raises(UserError) as error:
        rows_of_columns(path, columns)
    assert str(error.value).startswith(f"{path}, {message}")


def test_only_the_last_line_may_be_truncated(tmp_path):
    path = tmp_path / "data.jsonl"
    for content, hint in (
        (b'{"text": "a"}\n{"text"\n{"text": "b"}', False),
        (b'{"text": "a"}\n{"text"', True),
        (b'{"text"\n', False),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            rows_of_columns(path, ["text"])
        assert ("The file ends here" in str(error.value)) is hint


def rows_of_columns(path, columns):
    for block in blocks([path]):
        conversations(block, columns)


def test_turns_that_do_not_fit_the_layout(tmp_path):
    (tmp_path / "data.jsonl").write_text('{"conversation": [{"input": "a"}]}')
    with pytest.raises(UserError, match=r"line 1: a turn does not fit the layout \(KeyError 'output'\)"):
        rows_of_columns(tmp_path / "data.jsonl", [])


def test_only_the_text_columns_of_parquet_are_read(tmp_path):
    path = tmp_path / "data.parquet"
    far = pa.array([10**15], pa.timestamp("ms"))  # outside the range of Python dates
    pq.write_table(pa.table({"id": ["a"], "text": ["b"], "when": far}), path)
    (text,) = conversations(blocks([path])[0], ["text"])
    assert (text.id, text.turns) == ("a", [("text", "b")])
    with pytest.raises(UserError, match=r"no column txt; the columns are id, text, when\. Correct --columns"):
        conversations(blocks([path])[0], ["txt"])
    with pytest.raises(UserError, match=r"no conversation in the columns id, text, when;"):
        conversations(blocks([path])[0], [])
    with pytest.raises(UserError, match="row group 1: not readable"):
        conversations(blocks([path])[0], ["when"])


def test_a_row_group_is_read_in_batches(tmp_path):
    pq.write_table(pa.table({"text": ["x"] * 2000}), tmp_path / "data.parquet")
    (block,) = blocks([tmp_path / "data.parquet"])
    sizes = [len(batch) for batch, _ in read_block(block, ["text"])]
    assert sum(sizes) == 2000 and max(sizes) <= corpus.BATCH_ROWS
    assert [text.row for text in conversations(block, ["text"])] == list(range(2000))


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jsonl", "no such file"), ("data.txt", "unknown file type"), ("x.parquet", "not a readable parquet file")],
)
def test_files_that_cannot_be_read(tmp_path, name, message):
    for file in ("data.txt", "x.parquet"):
        (tmp_path / file).write_text("x")
    with pytest.raises(UserError, match=message):
        blocks([tmp_path / name])

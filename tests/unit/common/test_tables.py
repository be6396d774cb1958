"""Tables in batches, and writers that leave a complete file or no file."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common import rows as rows_on_disk
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.common.tables import BATCH, RejectedWriter, TableWriter, batches, count_rows, read_rejected

SCHEMA = pa.schema([("id", pa.string()), ("length", pa.int32())])


def table(*ids):
    return pa.table({"id": list(ids), "length": [len(text) for text in ids]})


def conversation(name):
    return {
        "id": name,
        "source": "Stones",
        "conversation": [{"input": "北京?", "output": "Größe\x1b."}],
        "provenance": {"license": "MIT", "techniques": []},
    }


def write(path, *ids):
    with TableWriter(path, SCHEMA) as writer:
        writer.write(table(*ids))
    return path


@pytest.mark.parametrize("rows", [0, 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_batches_are_bounded_and_hold_every_row_in_order(tmp_path, rows):
    # With row groups of another size: batches are bounded regardless of the file's row groups.
    pq.write_table(pa.table({"n": range(rows), "more": range(rows)}), tmp_path / "x.parquet", row_group_size=BATCH + 3)
    parts = list(batches(tmp_path / "x.parquet"))
    assert [number for part in parts for number in part["n"].to_pylist()] == list(range(rows))
    assert all(0 < part.num_rows <= BATCH for part in parts)
    assert all(part.column_names == ["n"] for part in batches(tmp_path / "x.parquet", ["n"]))
    assert count_rows([tmp_path / "x.parquet"] * 2) == 2 * rows
    assert count_rows([]) == 0


def test_rows_written_table_by_table_are_read_back(tmp_path):
    with TableWriter(tmp_path / "new" / "x.parquet", SCHEMA) as writer:
        writer.write(table("a", "bb"))
        writer.write(table())
        # Columns in another order and of another type, and a column that is not in the schema.
        writer.write(pa.table({"more": [1], "length": pa.array([3], pa.int64()), "id": ["ccc"]}))
        assert writer.rows == 3
    assert pq.read_table(tmp_path / "new" / "x.parquet").equals(table("a", "bb", "ccc").cast(SCHEMA))
    assert os.listdir(tmp_path / "new") == ["x.parquet"]


def test_a_file_without_rows_has_its_columns(tmp_path):
    path = write(tmp_path / "x.parquet")
    assert pq.read_schema(path).names == SCHEMA.names
    assert list(batches(path)) == []


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = write(tmp_path / "x.parquet", "old")
    with TableWriter(path, SCHEMA) as writer:
        writer.write(table("new"))
        assert pq.read_table(path)["id"].to_pylist() == ["old"]
    assert pq.read_table(path)["id"].to_pylist() == ["new"]


class Stop(BaseException):
    """Like KeyboardInterrupt, not a subclass of Exception."""


@pytest.mark.parametrize("error", [ValueError, Stop])
@pytest.mark.parametrize("kind", ["new", "old"])
def test_a_failure_leaves_no_file_and_no_temporary_one(tmp_path, kind, error):
    if kind == "old":
        write(tmp_path / "x.parquet", "old")
    with pytest.raises(error), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(table("new"))
        raise error
    assert os.listdir(tmp_path) == (["x.parquet"] if kind == "old" else [])
    if kind == "old":
        assert pq.read_table(tmp_path / "x.parquet")["id"].to_pylist() == ["old"]


def test_rows_that_do_not_fit_the_schema_leave_no_file(tmp_path):
    with pytest.raises(pa.ArrowInvalid), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(pa.table({"id": ["a"], "length": ["many"]}))
    with pytest.raises(KeyError), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(pa.table({"id": ["a"]}))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_error_at_the_end_leaves_no_file(tmp_path, monkeypatch, step):
    def refuse(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(rows_on_disk.os, step, refuse)
    with pytest.raises(OSError, match="full"), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(table("a"))
    assert os.listdir(tmp_path) == []


def test_a_footer_that_cannot_be_written_leaves_no_file(tmp_path, monkeypatch):
    errors = [OSError("the disk is full")]

    def refuse(self):  # once: it is called again when the writer is deleted
        if errors:
            raise errors.pop()

    with pytest.raises(OSError, match="full"), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(table("a"))
        monkeypatch.setattr(pq.ParquetWriter, "close", refuse)
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_neither_of_two_files(tmp_path):
    with (
        pytest.raises(ValueError),
        TableWriter(tmp_path / "x.parquet", SCHEMA) as data,
        RejectedWriter(tmp_path / "y.parquet") as rejected,
    ):
        data.write(table("a"))
        rejected.add([rejected_row(conversation("b"), "url", "")])
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_the_mode_of_a_file_follows_the_umask(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o027, 0o640)):
        before = os.umask(umask)
        try:
            path = write(tmp_path / "x.parquet", "a")
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == mode


def test_rejected_rows_are_read_back_with_evidence_and_text(tmp_path):
    evidence = [{"source": "A", "text": "Größe\x1b 北京 𝔄"}, "see", None, 0.5]
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([rejected_row(conversation("1"), "url", evidence[0])])
        rejected.add([])
        rejected.add(
            [rejected_row(conversation(name), "url", found) for name, found in zip("233", evidence[1:], strict=True)]
        )
    assert rejected.rows == 4
    assert rejected.by_reason == {"url": 4}
    rows = list(read_rejected(tmp_path / "x.parquet"))
    assert rows == [
        rejected_row(conversation(name), "url", found) for name, found in zip("1233", evidence, strict=True)
    ]
    stored = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert "北京" in stored[0]["evidence"] and "北京" in stored[0]["conversation"]  # readable without decoding escapes


def test_rejected_rows_are_counted_by_reason(tmp_path):
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([rejected_row(conversation("1"), "url", 1), rejected_row(conversation("2"), "empty", 2)])
        rejected.add([rejected_row(conversation("3"), "url", 3)])
    assert rejected.by_reason == {"url": 2, "empty": 1}


def test_a_rejected_row_may_lack_source_and_text(tmp_path):
    """A row that could not be read at all."""
    row = {"id": "1", "reason": "unreadable", "evidence": "x", "source": None, "conversation": [], "provenance": {}}
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([row])
    assert list(read_rejected(tmp_path / "x.parquet")) == [row]


def test_a_file_without_rejected_rows_has_its_columns(tmp_path):
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([])
    assert rejected.rows == 0
    assert not rejected.by_reason
    assert pq.read_table(tmp_path / "x.parquet").column_names == [
        "id", "reason", "evidence", "source", "conversation", "provenance",
    ]  # fmt: skip
    assert list(read_rejected(tmp_path / "x.parquet")) == []

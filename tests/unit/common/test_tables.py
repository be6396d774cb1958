"""Tables in batches, and writers that leave a whole file or none."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common import tables
from workflow_scripts.common.tables import BATCH, RejectedWriter, TableWriter, batches, count_rows

SCHEMA = pa.schema([("id", pa.string()), ("length", pa.int32())])


def table(*ids):
    return pa.table({"id": list(ids), "length": [len(text) for text in ids]})


def write(path, *ids):
    with TableWriter(path, SCHEMA) as writer:
        writer.write(table(*ids))
    return path


@pytest.mark.parametrize("rows", [0, 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_batches_are_bounded_and_hold_every_row_in_order(tmp_path, rows):
    # In row groups of another size: a batch is to be bounded whatever the file's own parts are.
    pq.write_table(pa.table({"n": range(rows), "more": range(rows)}), tmp_path / "x.parquet", row_group_size=BATCH + 3)
    parts = list(batches(tmp_path / "x.parquet"))
    assert [number for part in parts for number in part["n"].to_pylist()] == list(range(rows))
    assert all(0 < part.num_rows <= BATCH for part in parts)
    assert all(part.column_names == ["n"] for part in batches(tmp_path / "x.parquet", ["n"]))
    assert count_rows([tmp_path / "x.parquet"] * 2) == 2 * rows
    assert count_rows([]) == 0


def test_what_is_written_table_by_table_is_read_back(tmp_path):
    with TableWriter(tmp_path / "new" / "x.parquet", SCHEMA) as writer:
        writer.write(table("a", "bb"))
        writer.write(table())
        # Columns in another order and of another type, and one that the schema has not.
        writer.write(pa.table({"more": [1], "length": pa.array([3], pa.int64()), "id": ["ccc"]}))
        assert writer.rows == 3
    assert pq.read_table(tmp_path / "new" / "x.parquet").equals(table("a", "bb", "ccc").cast(SCHEMA))
    assert os.listdir(tmp_path / "new") == ["x.parquet"]


def test_no_row_at_all_is_a_file_with_columns(tmp_path):
    path = write(tmp_path / "x.parquet")
    assert pq.read_schema(path).names == SCHEMA.names
    assert list(batches(path)) == []


def test_the_file_takes_its_name_only_when_the_block_ends(tmp_path):
    path = write(tmp_path / "x.parquet", "old")
    with TableWriter(path, SCHEMA) as writer:
        writer.write(table("new"))
        assert pq.read_table(path)["id"].to_pylist() == ["old"]
    assert pq.read_table(path)["id"].to_pylist() == ["new"]


class Stop(BaseException):
    """As KeyboardInterrupt: no Exception."""


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


def test_rows_that_do_not_fit_the_schema_are_such_a_failure(tmp_path):
    with pytest.raises(pa.ArrowInvalid), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(pa.table({"id": ["a"], "length": ["many"]}))
    with pytest.raises(KeyError), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(pa.table({"id": ["a"]}))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_so_is_a_disk_that_refuses_at_the_end(tmp_path, monkeypatch, step):
    def refuse(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(*((tables.os, "fsync") if step == "fsync" else (tables.Path, "replace")), refuse)
    with pytest.raises(OSError, match="full"), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(table("a"))
    assert os.listdir(tmp_path) == []


def test_so_is_a_footer_that_cannot_be_written(tmp_path, monkeypatch):
    errors = [OSError("the disk is full")]

    def refuse(self):  # once: it is called again when the writer is thrown away
        if errors:
            raise errors.pop()

    with pytest.raises(OSError, match="full"), TableWriter(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write(table("a"))
        monkeypatch.setattr(pq.ParquetWriter, "close", refuse)
    assert os.listdir(tmp_path) == []


def test_one_of_two_that_fails_takes_the_other_with_it(tmp_path):
    with (
        pytest.raises(ValueError),
        TableWriter(tmp_path / "x.parquet", SCHEMA) as data,
        RejectedWriter(tmp_path / "y.parquet") as rejected,
    ):
        data.write(table("a"))
        rejected.add([("b", "url", "")])
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_others_may_read_what_is_written(tmp_path):
    mask = os.umask(0o022)
    try:
        path = write(tmp_path / "x.parquet", "a")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644


def test_rejected_rows_are_counted_and_keep_their_evidence(tmp_path):
    evidence = [{"source": "A", "text": "Größe\x1b 北京 𝔄"}, "see", None, 0.5]
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([("1", "url", evidence[0]), ("2", "empty", evidence[1])])
        rejected.add([])
        rejected.add([("3", "url", evidence[2]), ("3", "url", evidence[3])])
    assert rejected.rows == 4
    assert rejected.by_reason == {"url": 3, "empty": 1}
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [(row["id"], row["reason"]) for row in rows] == [("1", "url"), ("2", "empty"), ("3", "url"), ("3", "url")]
    assert [json.loads(row["evidence"]) for row in rows] == evidence
    assert "北京" in rows[0]["evidence"]  # a curator reads it as it is


def test_nothing_rejected_is_a_file_with_columns(tmp_path):
    with RejectedWriter(tmp_path / "x.parquet") as rejected:
        rejected.add([])
    assert rejected.rows == 0
    assert not rejected.by_reason
    assert pq.read_table(tmp_path / "x.parquet").column_names == ["id", "reason", "evidence"]

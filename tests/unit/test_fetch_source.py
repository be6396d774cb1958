"""A source as it was published, and what exactly was fetched."""

import json

import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import file_sha256, read_json
from workflow_scripts.fetch_source import main

ROWS = [{"message_1": f"Problem {n}", "message_2": "1", "topic;": "Algebra"} for n in range(5)]


def fetch(tmp_path, **settings):
    out = ["--rows", str(tmp_path / "new" / "rows.parquet"), "--origin", str(tmp_path / "new" / "origin.json")]
    main(["--settings", json.dumps({"id": "camel", **settings}), *out])
    return pq.read_table(tmp_path / "new" / "rows.parquet").to_pylist(), read_json(tmp_path / "new" / "origin.json")


@pytest.mark.parametrize(("rows", "count"), [(None, 5), (2, 2), (9, 5)])
def test_rows_and_origin(tmp_path, rows, count):
    path = tmp_path / "camel.json"
    path.write_text(json.dumps(ROWS))
    found, origin = fetch(tmp_path, path=str(path), **({} if rows is None else {"rows": rows}))
    assert found == ROWS[:count]
    assert origin == {"dataset": str(path), "revision": f"sha256:{file_sha256(path)}", "rows": count}


def test_a_mistake_names_source_file_and_line(tmp_path):
    path = tmp_path / "camel.jsonl"
    path.write_text('{"message_1": "a"}\n{"message_1": \n')
    with pytest.raises(UserError) as caught:
        fetch(tmp_path, path=str(path))
    assert str(caught.value).startswith(f"seed source camel: {path}, line 2: not valid JSON")

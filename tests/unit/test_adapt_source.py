"""A source's rows become seeds; a mistake names source, row, column and what to do."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.adapt_source import adapt_rows, main
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_json

SOURCE = {"id": "airoboros", "label": "Airoboros", "license": "MIT", "layout": "instruction"}
POSTS = {**SOURCE, "layout": "post", "post_chars": 1000}
ORIGIN = {"dataset": "a/b", "revision": "c0ffee"}
ROW = {"instruction": "Why?", "response": "So."}


def test_a_missing_column_names_row_columns_and_remedy():
    with pytest.raises(UserError) as caught:
        adapt_rows([ROW, {"instruction": "Why?", "text": "So."}], SOURCE, ORIGIN)
    assert str(caught.value) == (
        "seed source airoboros (a/b), row 2: no column response or output or answer, which the layout `instruction` "
        "needs; there are instruction, text. Choose another `layout` in the config."
    )


def test_a_wrong_type_names_the_row():
    with pytest.raises(UserError, match=r"airoboros \(a/b\), row 1: `response` is list, a text was expected"):
        adapt_rows([{**ROW, "response": ["So."]}], SOURCE, ORIGIN)


def test_rows_without_a_seed_are_rejected_with_their_place():
    seeds, rejections = adapt_rows([{"htmlBody": "<p>Text.</p>"}, {"htmlBody": ""}], POSTS, ORIGIN)
    assert len(seeds) == 1
    assert [(row["reason"], row["evidence"]) for row in rejections.rows] == [
        ("empty_post", {"source": "Airoboros", "row": 2})
    ]


def adapt_file(tmp_path, rows, source):
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    write_json(tmp_path / "origin.json", ORIGIN)
    names = {"rows": "rows.parquet", "origin": "origin.json", "seeds": "seeds", "rejected": "rejected"}
    paths = [part for name, file in names.items() for part in (f"--{name}", str(tmp_path / file))]
    main(["--settings", json.dumps(source), *paths])
    return list(read_jsonl(tmp_path / "seeds")), list(read_jsonl(tmp_path / "rejected"))


def test_main_keeps_the_order_and_loses_no_row(tmp_path):
    seeds, rejected = adapt_file(tmp_path, [{"prompt": p, "output": "So."} for p in ("Why?", "How?")], SOURCE)
    assert [seed["instruction"] for seed in seeds] == ["Why?", "How?"]
    assert rejected == []


@pytest.mark.parametrize("body", ["<p>Text.</p>", ""], ids=["seed", "rejected"])
def test_dates_survive(tmp_path, body):
    """`datasets` reads "2009-02-27" in a JSON file as a time stamp."""
    seeds, rejected = adapt_file(tmp_path, [{"htmlBody": body, "postedAt": datetime.datetime(2009, 2, 27)}], POSTS)
    assert len(seeds) + len(rejected) == 1

"""Rows of a source become seeds; an error names source, row, column and the fix."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, write_json
from workflow_scripts.common.tables import BATCH, read_rejected
from workflow_scripts.seeds.adapt_source import adapt_table, main
from workflow_scripts.seeds.schema import SEED

SOURCE = {"id": "airoboros", "label": "Airoboros", "license": "MIT", "layout": "instruction"}
POSTS = {
    **SOURCE,
    "layout": "post",
    "post_chars": 1000,
    "post_tasks": ["complex_summary", "argument"],
    "post_min_chars": 0,
    "post_min_score": None,
}
ORIGIN = {"dataset": "a/b", "revision": "c0ffee"}


def adapted(table, first, source, origin):
    return adapt_table(table, first, source, origin, table.column_names)


def test_a_missing_column_is_reported_with_the_existing_ones():
    with pytest.raises(UserError) as caught:
        adapted(pa.Table.from_pylist([{"instruction": "Why?", "text": "So."}]), 1, SOURCE, ORIGIN)
    assert str(caught.value) == (
        "seed source airoboros (a/b): no column response or output or answer, which the layout `instruction` needs; "
        "the columns are instruction, text. Name yours under `columns` of the source, or choose another `layout`."
    )


def test_a_wrong_column_name_in_the_config():
    table = pa.Table.from_pylist([{"instruction": "Why?", "output": "So."}])
    with pytest.raises(
        UserError, match=r"airoboros \(a/b\): no column reply, which .* the columns are instruction, output\."
    ):
        adapted(table, 1, {**SOURCE, "columns": {"response": "reply"}}, ORIGIN)


def test_a_wrong_type_names_the_column():
    with pytest.raises(UserError) as caught:
        adapted(pa.Table.from_pylist([{"instruction": "Why?", "response": 7}]), 1, SOURCE, ORIGIN)
    assert str(caught.value) == (
        "seed source airoboros (a/b): `response` is int64, expected text. "
        "Name another column under `columns` of the source, or fix the file."
    )


def test_a_wrong_type_in_one_row_names_it_by_its_number_in_the_file():
    values = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"So."', "7"]))
    with pytest.raises(UserError, match=r"^seed source airoboros \(a/b\), row 42: `response` is int, expected text\."):
        adapted(pa.table({"instruction": ["Why?"] * 2, "response": values}), 41, SOURCE, ORIGIN)


def test_rows_without_a_seed_are_rejected_with_their_row_number():
    table = pa.Table.from_pylist([{"htmlBody": "<p>Text.</p>"}, {"htmlBody": ""}])
    seeds, rejected = adapted(table, 11, POSTS, ORIGIN)
    assert seeds.num_rows == 2
    [row] = rejected
    evidence = {"source": "Airoboros", "file": "a/b", "row": 12}
    assert (row["id"], row["reason"], row["evidence"]) == (content_id("airoboros", 12), "empty_post", evidence)


def adapt_file(folder, rows, source):
    """Seeds, rejected rows and counts of a file."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "rows.parquet")
    write_json(folder / "origin.json", {**ORIGIN, "rows": table.num_rows})
    names = {"rows": "rows.parquet", "origin": "origin.json", "seeds": "seeds", "rejected": "rejected", "counts": "c"}
    paths = [part for name, file in names.items() for part in (f"--{name}", str(folder / file))]
    main(["--settings", json.dumps(source), *paths])
    seeds = pq.read_table(folder / "seeds")
    assert seeds.schema == SEED
    return seeds.to_pylist(), list(read_rejected(folder / "rejected")), read_json(folder / "c")


def test_main_keeps_the_order_and_loses_no_row(tmp_path):
    rows = [{"prompt": prompt, "output": "So."} for prompt in ("Why?", None, "How?")]
    seeds, rejected, counts = adapt_file(tmp_path, rows, SOURCE)
    assert [seed["instruction"] for seed in seeds] == ["Why?", "How?"]
    assert [(row["reason"], row["evidence"]) for row in rejected] == [
        ("missing_instruction", {"source": "Airoboros", "file": "a/b", "row": 2})
    ]
    assert [(row["source"], row["conversation"], row["provenance"]) for row in rejected] == [
        (
            "Airoboros",
            [{"input": "output: So.", "output": ""}],
            {"dataset": "a/b", "revision": "c0ffee", "license": "MIT", "row": 2},
        )
    ]
    assert counts == {"source": "Airoboros", "rows": 3, "seeds": 2, "rejected": 1}


def test_rows_are_counted_through_all_batches(tmp_path):
    """And every rejected row has its own id."""
    bad = {5, BATCH - 1, BATCH, BATCH + 7}
    asked = [None if number in bad else f"Why {number}?" for number in range(BATCH + 20)]
    table = pa.table({"instruction": asked, "output": pa.repeat("So.", len(asked))})
    seeds, rejected, counts = adapt_file(tmp_path, table, SOURCE)
    assert [row["evidence"]["row"] for row in rejected] == [number + 1 for number in sorted(bad)]
    assert len({row["id"] for row in rejected}) == len(bad)
    assert [seed["instruction"] for seed in seeds] == [text for text in asked if text]
    assert counts == {"source": "Airoboros", "rows": BATCH + 20, "seeds": BATCH + 16, "rejected": 4}


def test_posts_become_several_seeds(tmp_path):
    seeds, rejected, counts = adapt_file(tmp_path, [{"text": "One."}, {"text": ""}, {"text": "Two."}], POSTS)
    assert [(seed["context"], seed["task"]) for seed in seeds] == [
        (f"This is a post:\n\n{text}", task) for text in ("One.", "Two.") for task in POSTS["post_tasks"]
    ]
    assert len(rejected) == 1
    assert counts == {"source": "Airoboros", "rows": 3, "seeds": 4, "rejected": 1}


def test_an_error_leaves_no_file(tmp_path):
    with pytest.raises(UserError):
        adapt_file(tmp_path, [{"prompt": "Why?"}], SOURCE)
    assert {path.name for path in tmp_path.iterdir()} == {"rows.parquet", "origin.json"}


@pytest.mark.parametrize("body", ["<p>Text.</p>", ""], ids=["seed", "rejected"])
def test_dates_survive(tmp_path, body):
    """`datasets` reads "2009-02-27" in a JSON file as a time stamp."""
    row = {"htmlBody": body, "postedAt": datetime.datetime(2009, 2, 27)}
    seeds, rejected, counts = adapt_file(tmp_path, [row], POSTS)
    assert (len(seeds), len(rejected)) == ((2, 0) if body else (0, 1))
    assert {json.loads(seed["meta"])["date"] for seed in seeds} <= {"2009-02-27T00:00:00Z"}
    assert counts["rows"] == 1

"""The seeds of a run, and the counts of the whole stage: every seed is selected or rejected."""

import json
import logging
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, read_jsonl, write_json
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.common.tables import BATCH, RejectedWriter
from workflow_scripts.seeds import select_seeds
from workflow_scripts.seeds.schema import CONFIDENCE, SCORES, SEED
from workflow_scripts.seeds.select_seeds import main

SETTINGS = {"limit": 6, "composition": None, "stratify_by": ["domain", "difficulty", "skill"], "expected_yield": 1}


def some(count, source="A", **fields):
    return [
        {"id": content_id(source, number, fields), "source": source, "instruction": f"Why {number}?", **fields}
        for number in range(count)
    ]


def rejected_before(number, reason, source):
    row = {"id": content_id("bad", number), "source": source, "provenance": {"license": "MIT"}}
    return rejected_row(row | {"conversation": [{"input": f"Q{number}", "output": ""}]}, reason, {"source": source})


@pytest.fixture
def select(tmp_path, make_table):
    """A function that runs the step on labelled seeds and earlier rejected rows: data, rejected rows, stats."""

    def selected(rows, earlier=(("empty", "A"),), lost=0, **settings):
        table = make_table([{key: value for key, value in row.items() if key in SEED.names} for row in rows])
        for field in (CONFIDENCE, *SCORES):
            default = {"confidence": 1.0, "cluster": 0}.get(field.name)
            table = table.append_column(field, pa.array([row.get(field.name, default) for row in rows], field.type))
        pq.write_table(table, tmp_path / "scored.parquet")
        rows = [{key: value for key, value in row.items() if key in SEED.names} for row in rows]
        rows = make_table(rows).to_pylist()
        # The unique seeds are these and one outside the pool.
        pq.write_table(make_table([*rows, *some(1, "A", task="beyond")]), tmp_path / "unique.parquet")
        with RejectedWriter(tmp_path / "first.parquet") as first, RejectedWriter(tmp_path / "second.parquet") as second:
            for number, (reason, source) in enumerate(earlier):
                (first if number % 2 else second).add([rejected_before(number, reason, source)])
        counts = Counter([row["source"] for row in rows] + [source for _, source in earlier])
        for source, count in counts.items():
            bad = sum(name == source for _, name in earlier)
            file = {"source": source, "rows": count, "seeds": count - bad + lost, "rejected": bad}
            write_json(tmp_path / f"{source}.json", file)
            write_json(tmp_path / f"{source}.changes.json", {"shortened": {"url": 2}, "rewritten": 1})
        names = {"seeds": "scored.parquet", "unique": "unique.parquet", "data": "data.jsonl"}
        names |= {"rejected": "rejected.jsonl", "stats": "stats.json"}
        files = [part for name, file in names.items() for part in (f"--{name}", str(tmp_path / file))]
        read = [str(tmp_path / f"{source}.json") for source in counts]
        bad = [str(tmp_path / f"{name}.parquet") for name in ("first", "second")]
        changes = ["--changes", *(str(tmp_path / f"{source}.changes.json") for source in counts)]
        main(
            ["--settings", json.dumps({**SETTINGS, **settings}), *files, "--counts", *read, *changes, "--earlier", *bad]
        )
        data, rejected = (list(read_jsonl(tmp_path / f"{name}.jsonl")) for name in ("data", "rejected"))
        stats = read_json(tmp_path / "stats.json")
        assert stats["in"] == stats["out"] + sum(stats["rejected"].values()) == len(rows) + len(earlier)
        assert stats["out"] == len(data)
        assert stats["rejected"] == Counter(row["reason"] for row in rejected)
        assert [row["id"] for row in data] == sorted(row["id"] for row in data)
        assert [row["id"] for row in rejected] == sorted(row["id"] for row in rejected)
        return data, rejected, stats

    return selected


def test_every_row_is_selected_or_rejected(select):
    rows = [*some(5), *some(4, "B")]
    data, rejected, stats = select(rows, earlier=[("url", "A"), ("over_pool", "B"), ("url", "B")])
    assert (stats["in"], stats["out"]) == (12, 6)
    assert stats["rejected"] == {"over_limit": 3, "url": 2, "over_pool": 1}
    assert {row["id"] for row in data} < {row["id"] for row in rows}
    over = [row for row in rejected if row["reason"] == "over_limit"]
    assert {row["id"] for row in over} | {row["id"] for row in data} == {row["id"] for row in rows}
    assert all(row["evidence"] == {"source": row["evidence"]["source"], "limit": 6} for row in over)
    assert Counter(row["source"] for row in data) == {"A": 3, "B": 3}
    texts = {row["id"]: row["instruction"] for row in rows}
    assert all(row["conversation"] == [{"input": texts[row["id"]], "output": ""}] for row in over)
    assert all(row["source"] == row["evidence"]["source"] for row in over)
    assert all(row["provenance"]["license"] == "MIT" for row in rejected)
    assert rejected_before(0, "url", "A") in rejected


def test_lost_rows_raise_an_error(select):
    with pytest.raises(ValueError, match="rows lost: in 7, out 5, rejected 1"):
        select(some(5), lost=1)


def test_shares_and_shortfalls(select, caplog):
    rows = [*some(9), *some(1, "B"), *some(2, "X")]
    with caplog.at_level(logging.INFO):
        data, _, stats = select(rows, composition={"A": 2, "B": 3, "C": 1})
    assert Counter(row["source"] for row in data) == {"A": 2, "B": 1}
    assert stats["composition"] == [
        {"source": "B", "read": 1, "unique": 1, "wanted": 3, "chosen": 1, "shortfall": 2},
        {"source": "A", "read": 10, "unique": 10, "wanted": 2, "chosen": 2, "shortfall": 0},
        {"source": "C", "read": 0, "unique": 0, "wanted": 1, "chosen": 0, "shortfall": 1},
        {"source": "X", "read": 2, "unique": 2, "wanted": None, "chosen": 0, "shortfall": 0},
    ]
    assert stats["rejected"] == {"over_share": 9, "empty": 1}
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "B: 1 of 3 wanted seeds; other sources do not fill the gap. 1 of 1 were kept: about 4 would suffice",
        "C: 0 of 1 wanted seeds; other sources do not fill the gap",
    ]


def test_strata_are_filled_evenly(select):
    rows = [*some(9, domain="Math", difficulty="easy", skills=["a", "b"])]
    rows += [*some(9, domain="Math", difficulty="hard", skills=["b"]), *some(1, domain="Coding", skills=[])]
    rows += [*some(9, domain="Math", difficulty="easy", skills=["a", "c"])]
    data, _, _ = select(rows, limit=7)
    cells = Counter((row["domain"], row["difficulty"], (row["skills"] or [None])[0]) for row in data)
    assert cells == {("Math", "easy", "a"): 3, ("Math", "hard", "b"): 3, ("Coding", None, None): 1}
    data, _, _ = select(rows, limit=7, stratify_by=["domain"])
    assert Counter(row["domain"] for row in data) == {"Math": 6, "Coding": 1}


def test_the_form_of_a_seed_in_the_data(select):
    rows = [
        {
            "id": "1" * 16,
            "instruction": "Why?",
            "context": "C",
            "response": "So.",
            "category": "riddle",
            "domain": "Math",
            "skills": ["Logical Correctness"],
            "difficulty": "hard",
            "meta": '{"system": "Ü"}',
        },
        {"id": "2" * 16, "instruction": "How many?", "kind": "problem", "reference": "3", "meta": '{"benchmark": "t"}'},
        {"id": "3" * 16, "kind": "post", "task": "argument", "context": "Text.", "meta": '{"author": null}'},
        {"id": "4" * 16, "kind": "conversation", "conversation": [{"input": "a", "output": "b"}]},
    ]
    data, _, _ = select(rows)
    known = {"source": "Airoboros", "dataset": "a/b", "revision": "c0ffee", "license": "MIT"}
    assert data[0] == {
        "id": "1" * 16,
        **known,
        "kind": "instruction",
        "instruction": "Why?",
        "context": "C",
        "response": "So.",
        "domain": "Math",
        "skills": ["Logical Correctness"],
        "difficulty": "hard",
        "score": None,
        "meta": {"category": "riddle", "system": "Ü"},
    }
    names = ("id", "source", "dataset", "revision", "license", "kind", "instruction", "context", "response")
    assert all(list(row) == [*names, "domain", "skills", "difficulty", "score", "meta"] for row in data)
    assert [row["meta"] for row in data[1:]] == [
        {"reference": "3", "benchmark": "t"},
        {"task": "argument", "author": None},
        {"conversation": [{"input": "a", "output": "b"}]},
    ]


def test_metrics_of_the_chosen_seeds(select):
    rows = [
        *some(2, domain="Math", skills=["x", "y"]),
        *some(1, "B", license="CC0-1.0", skills=["x"], difficulty="hard"),
    ]
    rows += [{"id": "f" * 16, "kind": "post", "instruction": "Q" * 30, "context": "C" * 20}]
    _, _, stats = select(rows)
    assert stats["per_source"] == {"A": 2, "Airoboros": 1, "B": 1}
    assert stats["per_license"] == {"MIT": 3, "CC0-1.0": 1}
    assert stats["per_kind"] == {"instruction": 3, "post": 1}
    assert stats["per_domain"] == {"Math": 2, "none": 2}
    assert stats["per_difficulty"] == {"none": 3, "hard": 1}
    assert stats["per_skill"] == {"x": 3, "y": 2}
    assert stats["per_length"]["0-50"] == 3 and stats["per_length"]["50-100"] == 1
    assert sum(stats["per_length"].values()) == 4
    assert list(stats["per_length"])[-1] == "12800-"


def test_stats_contain_the_number_of_rows_read(select):
    _, _, stats = select(some(3))
    assert stats["rows_read"] == 4


def test_every_batch_is_chosen_from(select):
    """Rows are read in batches; the mask covers all of them."""
    rows = some(BATCH + 50)
    data, _, stats = select(rows, limit=200)
    assert [row["id"] for row in data] == sorted(row["id"] for row in rows)[:200]
    assert all(row["instruction"] == next(r for r in rows if r["id"] == row["id"])["instruction"] for row in data[:9])
    assert stats["rejected"]["over_limit"] == BATCH - 150


def test_rejected_rows_are_sorted_range_by_range(select, monkeypatch):
    """Memory is bounded: the result does not depend on the number of rows sorted at once."""
    rows, earlier = some(20), [("url", "A"), ("empty", "B")] * 10
    expected = select(rows, earlier)[1]
    for size in (1, 7):
        monkeypatch.setattr(select_seeds, "SORTED_ROWS", size)
        assert select(rows, earlier)[1] == expected
    assert len(expected) == 34


def test_the_order_of_the_rows_makes_no_difference(select):
    rows = [*some(9, domain="Math"), *some(9, "B", domain="Coding")]
    assert select(rows) == select(rows[::-1])


def test_no_seed_is_left(select):
    with pytest.raises(UserError, match=r"no seed is left .* seeds/\*\*/\*\.rejected\.parquet contain the reasons"):
        select([])


def test_scores_decide_within_a_stratum_and_are_recorded(select):
    rows = [{**row, "domain": "Math", "complexity": 1.0 + number, "quality": 2.0} for number, row in enumerate(some(5))]
    rows[4] |= {"quality": None, "reason": "no answer"}
    data, _, stats = select(rows, limit=2, stratify_by=["domain"])
    assert sorted(row["score"] for row in data) == [8.0, 17.5]  # without an answer, the quality is neutral
    scores = {row["score"]: row["meta"]["scores"] for row in data}
    assert scores[17.5] == {"complexity": 5.0, "quality": None, "reason": "no answer"}
    assert stats["scores"]["A"]["complexity"] == {"p10": 4.1, "p50": 4.5, "p90": 4.9}
    assert stats["cleaning"] == {"shortened": {"url": 2}, "rewritten": 1}


@pytest.mark.parametrize("name", ["topic", "cluster"])
def test_topics_and_clusters_are_strata(select, name):
    rows = some(20)
    for number, row in enumerate(rows):
        value = min(number // 9, 2)  # 9, 9 and 2 rows
        row |= {"meta": {"topic": f"t{value}"}} if name == "topic" else {"cluster": value}
    data, _, _ = select(rows, limit=6, stratify_by=[name])
    texts = {row["instruction"]: number for number, row in enumerate(rows)}
    assert Counter(min(texts[row["instruction"]] // 9, 2) for row in data) == {0: 2, 1: 2, 2: 2}


def test_more_seeds_are_selected_for_a_lower_yield(select):
    rows = [*some(20), *some(20, "B")]
    data, _, stats = select(rows, limit=8, composition={"A": 1, "B": 1}, expected_yield={"A": 0.4})
    assert Counter(row["source"] for row in data) == {"A": 10, "B": 4}
    assert [row["wanted"] for row in stats["composition"]] == [10, 4]
    assert len(select(rows, limit=8, expected_yield=0.5)[0]) == 16

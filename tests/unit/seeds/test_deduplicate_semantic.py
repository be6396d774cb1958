"""Removal of seeds that ask the same in other words."""

import json
import math
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.tables import BATCH, read_rejected
from workflow_scripts.seeds.deduplicate_semantic import main
from workflow_scripts.seeds.schema import EMBEDDED

SETTINGS = {
    "jaccard_threshold": 0.8,
    "semantic_distance": 0.07,
    "semantic_distance_by_category": {"riddle": 0.01, "stylized_response": 0.3, "post": 0.02},
}


def angle(squared_distance):
    """The angle between two unit vectors with that squared distance."""
    return 2 * math.asin(math.sqrt(squared_distance) / 2)


def seed(number, at, **fields):
    """A seed whose id sorts by its number, with a vector at the angle `at` (None: no vector)."""
    vector = None if at is None else [math.cos(at), math.sin(at)]
    known = {
        "id": f"{number:016x}",
        "source": "A",
        "kind": "instruction",
        "instruction": f"Why {number}?",
        "context": "",
        "response": "",
    }
    return {**dict.fromkeys(EMBEDDED.names), **known, "meta": "{}", **fields, "embedding": vector}


@pytest.fixture
def deduplicate(tmp_path):
    """A function that runs the step: the numbers of the survivors, and the rejected rows."""

    def deduplicated(rows, **settings):
        pq.write_table(pa.Table.from_pylist(rows, EMBEDDED), tmp_path / "seeds.parquet")
        files = {name: tmp_path / f"{name}.parquet" for name in ("seeds", "distinct", "rejected")}
        paths = [part for name, path in files.items() for part in (f"--{name}", str(path))]
        main(["--settings", json.dumps({**SETTINGS, **settings}), *paths])
        distinct = pq.read_table(files["distinct"])
        assert distinct.schema == EMBEDDED
        by_id = {row["id"]: row for row in pa.Table.from_pylist(rows, EMBEDDED).to_pylist()}
        assert [by_id[row["id"]] for row in distinct.to_pylist()] == distinct.to_pylist()
        rejected = list(read_rejected(files["rejected"]))
        assert distinct.num_rows + len(rejected) == len(rows)
        return [int(row["id"], 16) for row in distinct.to_pylist()], rejected

    return deduplicated


def test_the_nearest_survivor_is_reported(deduplicate):
    rows = [seed(1, 0), seed(2, angle(0.2)), seed(3, angle(0.2) - angle(0.05), source="B")]
    kept, rejected = deduplicate(rows)
    assert kept == [1, 2]
    assert [{key: row[key] for key in ("id", "reason", "evidence", "source", "conversation")} for row in rejected] == [
        {
            "id": f"{3:016x}",
            "reason": "same_meaning",
            "evidence": {
                "source": "B",
                "kept": f"{2:016x}",
                "squared_distance": 0.05,
                "max_distance": 0.07,
                "text": "Why 3?",
                "kept_text": "Why 2?",
            },
            "source": "B",
            "conversation": [{"input": "Why 3?", "output": ""}],
        }
    ]


@pytest.mark.parametrize(
    ("fields", "max_distance"),
    [
        ({}, 0.07),
        ({"category": "riddle"}, 0.01),
        ({"category": "stylized_response"}, 0.3),
        ({"category": "unknown"}, 0.07),
        ({"kind": "post"}, 0.02),
        ({"kind": "problem"}, 0.07),
        ({"kind": "post", "category": "riddle"}, 0.01),
    ],
)
def test_distance_by_category_or_else_by_kind(deduplicate, fields, max_distance):
    """The category of the later seed decides."""
    assert deduplicate([seed(1, 0), seed(2, angle(max_distance * 0.98), **fields)])[0] == [1]
    assert deduplicate([seed(1, 0), seed(2, angle(max_distance * 1.02), **fields)])[0] == [1, 2]
    kept, _ = deduplicate([seed(1, 0, **fields), seed(2, angle(0.068))])
    assert kept == [1]


def test_conversations_are_never_compared(deduplicate):
    rows = [seed(1, 0, kind="conversation"), seed(2, 0), seed(3, 0, kind="conversation"), seed(4, 0.001)]
    kept, rejected = deduplicate(rows)
    assert kept == [1, 2, 3]
    assert [row["evidence"]["kept"] for row in rejected] == [f"{2:016x}"]


def test_two_tasks_of_one_post_are_two_seeds(deduplicate):
    rows = [seed(number, 0, kind="post", task=task) for number, task in enumerate(["argument", "complex_summary"] * 2)]
    kept, rejected = deduplicate(rows)
    assert kept == [0, 1]
    assert [row["evidence"]["kept"] for row in rejected] == [f"{0:016x}", f"{1:016x}"]


def test_seeds_without_a_vector_stay(deduplicate):
    assert deduplicate([seed(1, None), seed(2, None)])[0] == [1, 2]
    assert deduplicate([seed(1, None), seed(2, 0), seed(3, 0)])[0] == [1, 2]


def test_null_disables_the_step(deduplicate):
    """Even if a category has a distance of its own."""
    for fields in ({}, {"category": "riddle"}):
        assert deduplicate([seed(1, 0), seed(2, 0, **fields)], semantic_distance=None) == ([1, 2], [])


def test_no_seed_at_all(deduplicate):
    assert deduplicate([]) == ([], [])


def test_shuffled_rows_give_the_same_survivors(deduplicate):
    rng = random.Random(0)
    rows = [
        seed(
            int(content_id(number), 16),
            rng.uniform(0, 2 * math.pi),
            kind=rng.choice(["instruction", "post", "conversation"]),
            category=rng.choice([None, "riddle"]),
        )
        for number in range(80)
    ]
    first, rejected = deduplicate(rows)
    assert len(rejected) > 10
    rng.shuffle(rows)
    again, rejected_again = deduplicate(rows)
    assert sorted(again) == sorted(first)
    by_id = [sorted(part, key=lambda row: row["id"]) for part in (rejected, rejected_again)]
    assert by_id[0] == by_id[1]


def test_rows_keep_their_order_through_all_batches(deduplicate):
    """Only a few are compared; the others have no vector."""
    rows = [seed(number, 0.3 if number in (3, BATCH, BATCH + 5) else None) for number in range(BATCH + 9)]
    kept, rejected = deduplicate(rows)
    assert kept == [number for number in range(BATCH + 9) if number not in (BATCH, BATCH + 5)]
    assert {row["evidence"]["kept"] for row in rejected} == {f"{3:016x}"}

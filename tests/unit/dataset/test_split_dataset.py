"""The split depends on ids, fraction and random seed only; two published layouts."""

import json
import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.dataset.split_dataset import main, split

IDS = st.sets(st.text("0123456789abcdef", min_size=16, max_size=16), min_size=2, max_size=60)
FRACTIONS = st.floats(0.01, 0.99)


def rows_of(ids):
    return [{"id": name} for name in ids]


@given(IDS, FRACTIONS, st.integers(), st.randoms(use_true_random=False))
def test_a_partition_independent_of_the_row_order(ids, fraction, seed, rng):
    rows = rows_of(ids)
    train, test = split(rows, fraction, seed)
    assert sorted(row["id"] for row in train + test) == sorted(ids)
    assert train and test
    assert abs(len(test) - fraction * len(rows)) <= 1
    rng.shuffle(rows)
    assert split(rows, fraction, seed) == (train, test)


@given(IDS.filter(lambda ids: len(ids) > 2), FRACTIONS, st.data())
def test_a_removed_row_moves_at_most_one_other(ids, fraction, data):
    removed = data.draw(st.sampled_from(sorted(ids)))
    tests = [
        {row["id"] for row in split(rows_of(names), fraction, 0)[1]} - {removed} for names in (ids, ids - {removed})
    ]
    assert len(tests[0] ^ tests[1]) <= 1


def test_another_random_seed_gives_another_split():
    rows = rows_of([f"{n:016x}" for n in range(100)])
    assert split(rows, 0.5, 0) != split(rows, 0.5, 1)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows(count):
    with pytest.raises(UserError, match=f"decontamination: {count}; at least 2 are required, to train and to test"):
        split(rows_of("a" * count), 0.1, 0)


def test_published_files(tmp_path):
    talk = [{"input": "Größe?", "output": "12."}, {"input": "Why?", "output": "So."}]
    provenance = {"license": "MIT", "seed": "s"}
    rows = [{"id": f"{n}", "source": "Dove", "conversation": talk, "provenance": provenance} for n in range(10)]
    random.Random(0).shuffle(rows)
    write_jsonl(tmp_path / "in", rows)
    names = ("train", "train-parquet", "test", "test-parquet", "rejected", "stats")
    out = [part for name in names for part in (f"--{name}", str(tmp_path / name))]
    main(["--conversations", str(tmp_path / "in"), "--test-fraction", "0.2", "--random-seed", "0", *out])

    assert list(read_jsonl(tmp_path / "test")) == [{"source": "Dove", "conversation": talk}] * 2
    frames = [pd.read_parquet(tmp_path / f"{part}-parquet") for part in ("train", "test")]
    assert sorted(pd.concat(frames)["id"]) == sorted(row["id"] for row in rows)
    first = frames[0].iloc[0]
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"] * 2
    assert (first["num_turns"], first["license"]) == (4, "MIT")
    assert json.loads(first["provenance"]) == provenance
    stats = read_json(tmp_path / "stats")
    assert (stats["in"], stats["out"], stats["train"], stats["test"]) == (10, 10, 8, 2)
    assert (stats["rejected"], stats["licenses"], stats["per_source"]) == ({}, {"MIT": 10}, {"Dove": 10})

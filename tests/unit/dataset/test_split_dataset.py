"""The split depends on ids, fraction and random seed only; two published layouts."""

import json
import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.dataset.groups import group_numbers
from workflow_scripts.dataset.split_dataset import main, split

IDS = st.sets(st.text("0123456789abcdef", min_size=16, max_size=16), min_size=2, max_size=60)
FRACTIONS = st.floats(0.01, 0.99)
SOURCES = ("Dove", "Airoboros", "CamelAI")
POST = (
    "Stone walls hold without mortar because each stone rests on two others and is held by one above. A waller sorts the "
    "heap by size first, lays the largest in the trench, and keeps the long side of every stone across the wall. Small "
    "pieces fill the middle; nothing is ever poured. After a winter the wall has settled by a finger's width."
)


def row(name, source="Dove", opening=None, **provenance):
    return {
        "id": name,
        "source": source,
        "conversation": [{"input": opening or f"What is {name}?", "output": "A name."}],
        "provenance": {"dataset": "d", "revision": "r", "license": "MIT"} | provenance,
    }


def rows_of(ids):
    return [row(name, SOURCES[int(name[0], 16) % 3]) for name in sorted(ids)]


def divided(rows, fraction=0.5, seed=0, min_jaccard=None):
    """Ids of the two sides."""
    return tuple({row["id"] for row in part} for part in split(rows, fraction, seed, min_jaccard))


@given(IDS, FRACTIONS, st.integers(), st.randoms(use_true_random=False))
def test_a_partition_independent_of_the_row_order(ids, fraction, seed, rng):
    rows = rows_of(ids)
    train, test = split(rows, fraction, seed, None)
    assert sorted(row["id"] for row in train + test) == sorted(ids)
    assert train and len(test) == min(max(1, round(fraction * len(rows))), len(rows) - 1)
    rng.shuffle(rows)
    assert split(rows, fraction, seed, None) == (train, test)


@given(IDS, FRACTIONS)
def test_each_source_has_its_share_of_the_test_rows(ids, fraction):
    rows = rows_of(ids)
    _, test = split(rows, fraction, 0, None)
    for source in SOURCES:
        share = len(test) / len(rows) * sum(row["source"] == source for row in rows)
        assert abs(sum(row["source"] == source for row in test) - share) < 1


@given(IDS.filter(lambda ids: len(ids) > 2), FRACTIONS, st.data())
def test_a_removed_row_moves_few_others(ids, fraction, data):
    removed = data.draw(st.sampled_from(sorted(ids)))
    tests = [divided(rows_of(names), fraction)[1] - {removed} for names in (ids, ids - {removed})]
    assert len(tests[0] ^ tests[1]) <= len(SOURCES)  # at most one of each source


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=40), FRACTIONS, st.integers())
def test_rows_of_one_origin_stay_together(origins, fraction, seed):
    """A post has several tasks, each of them a seed; a seed's long conversation has several parts."""
    rows = [
        row(f"{number}", seed=f"s{seed_number}", row=f"p{seed_number % (post + 1)}")
        for number, (post, seed_number) in enumerate(origins)
    ]
    if len(set(group_numbers(rows, None))) < 2:
        with pytest.raises(UserError, match="of 1 origin; at least 2 origins are required"):
            split(rows, fraction, seed, None)
        return
    train, test = split(rows, fraction, seed, None)
    assert train and test and len(train) + len(test) == len(rows)
    for key in ("seed", "row"):
        assert not {row["provenance"][key] for row in train} & {row["provenance"][key] for row in test}


def test_rows_with_the_same_number_in_other_files_are_not_one_origin():
    rows = [row("1", row=7), row("2", row=7) | {"provenance": {"dataset": "e", "revision": "r", "row": 7}}]
    assert len(set(group_numbers(rows, None))) == 2


def test_near_duplicates_stay_together_through_others():
    """1 is like 2 and 2 like 3, but 3 is not like 1."""
    openings = [f"{POST} Summarise this advice for someone who builds a first wall.", POST, POST[90:]]
    rows = [row(f"{number}", opening=opening) for number, opening in enumerate(openings)]
    rows.append(row("9", opening="How long does a red dye of madder roots last in the sun?"))
    first, second, third, last = group_numbers(rows, 0.7).tolist()
    assert first == second == third != last
    assert len(set(group_numbers([rows[0], rows[2]], 0.7))) == 2
    assert len(set(group_numbers(rows, None))) == 4
    assert all({"0", "1", "2"} in divided(rows, 0.5, seed, 0.7) for seed in range(20))


def test_groups_larger_than_the_test_part_leave_it_the_smallest():
    rows = [row(f"{number}", seed=f"{number // 3}") for number in range(8)]
    assert divided(rows, 0.01)[1] == {"6", "7"}


def test_another_random_seed_gives_another_split():
    rows = rows_of([f"{n:016x}" for n in range(100)])
    assert divided(rows, seed=0) != divided(rows, seed=1)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows(count):
    with pytest.raises(
        UserError, match=f"decontamination: {count} of {count} origins?; at least 2 origins are required"
    ):
        split(rows_of("a" * count), 0.1, 0, 0.7)


def test_published_files(tmp_path):
    talk = [{"input": "Größe?", "output": "12."}, {"input": "Why?", "output": "So."}]
    provenance = {"license": "MIT", "dataset": "d", "revision": "r"}
    rows = [
        {"id": f"{n}", "source": "Dove", "conversation": talk, "provenance": {**provenance, "seed": f"{n}"}}
        for n in range(10)
    ]
    random.Random(0).shuffle(rows)
    write_jsonl(tmp_path / "in", rows)
    names = ("train", "train-parquet", "test", "test-parquet", "rejected", "stats")
    out = [part for name in names for part in (f"--{name}", str(tmp_path / name))]
    main(
        [
            "--conversations",
            str(tmp_path / "in"),
            "--test-fraction",
            "0.2",
            "--min-jaccard",
            "null",
            "--random-seed",
            "0",
            *out,
        ]
    )

    assert list(read_jsonl(tmp_path / "test")) == [{"source": "Dove", "conversation": talk}] * 2
    frames = [pd.read_parquet(tmp_path / f"{part}-parquet") for part in ("train", "test")]
    assert sorted(pd.concat(frames)["id"]) == sorted(row["id"] for row in rows)
    first = frames[0].iloc[0]
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"] * 2
    assert (first["num_turns"], first["license"]) == (4, "MIT")
    assert json.loads(first["provenance"]) == provenance | {"seed": first["id"]}
    stats = read_json(tmp_path / "stats")
    assert (stats["in"], stats["out"], stats["train"], stats["test"]) == (10, 10, 8, 2)
    assert (stats["rejected"], stats["licenses"], stats["per_source"]) == ({}, {"MIT": 10}, {"Dove": 10})
    assert stats["test_per_source"] == {"Dove": 2}

"""The number of seeds per source and their selection, compared with a plain implementation."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.rows import content_id
from workflow_scripts.seeds.composition import choose, composition_table, source_limits, stratified_rank
from workflow_scripts.seeds.counts import most_seeds, quotas

GRID = ["domain", "difficulty", "skill"]
SHARES = st.dictionaries(st.sampled_from("ABCDE"), st.floats(0.001, 1000), min_size=1)
SEEDS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["Math", "Coding", None]), st.sampled_from(["easy", "hard"])),
    max_size=60,
)


def frame(rows):
    """Seeds of (source, domain, difficulty) rows, with hashes as ids."""
    return pd.DataFrame(
        [(content_id(number), *row, None, 1.0, math.nan) for number, row in enumerate(rows)],
        columns=["id", "source", "domain", "difficulty", "skill", "confidence", "score"],
    )


def filled_evenly(sizes, amount):
    """Sizes after `amount` seeds are given one by one to the smallest stratum that is not exhausted."""
    filled = [0] * len(sizes)
    for _ in range(min(amount, sum(sizes))):
        cell = min((cell for cell in range(len(sizes)) if filled[cell] < sizes[cell]), key=filled.__getitem__)
        filled[cell] += 1
    return sorted(filled)


@given(SHARES, st.integers(1, 5000))
def test_quotas_divide_the_limit(shares, limit):
    found = quotas(shares, limit)
    assert list(found) == list(shares)
    assert sum(found.values()) == limit
    for name, share in shares.items():
        assert abs(found[name] - limit * share / sum(shares.values())) < 1 + 1e-6


@given(SHARES, st.integers(1, 500), st.randoms(use_true_random=False))
def test_quotas_depend_on_neither_order_nor_scale(shares, limit, rng):
    names = list(shares)
    rng.shuffle(names)
    assert quotas({name: shares[name] for name in names}, limit) == quotas(shares, limit)
    assert quotas({name: share * 4 for name, share in shares.items()}, limit) == quotas(shares, limit)


@pytest.mark.parametrize(
    ("shares", "limit", "expected"),
    [
        ({"A": 1, "B": 1}, 4, {"A": 2, "B": 2}),
        ({"A": 6, "B": 3, "C": 1}, 7, {"A": 4, "B": 2, "C": 1}),  # 4.2, 2.1, 0.7
        ({"A": 1, "B": 2, "C": 2}, 2, {"A": 0, "B": 1, "C": 1}),  # 0.4, 0.8, 0.8
        ({"B": 1, "A": 1}, 3, {"A": 2, "B": 1}),  # equal remainders: the first name
        ({"A": 0.1, "B": 0.7}, 1, {"A": 0, "B": 1}),
    ],
)
def test_quotas_by_largest_remainder(shares, limit, expected):
    assert quotas(shares, limit) == expected


@given(
    st.dictionaries(st.sampled_from("abcdefghijk"), st.floats(0.1, 9), min_size=1),
    st.integers(1, 3000),
    st.one_of(st.floats(0.1, 1), st.dictionaries(st.sampled_from("abcdefghijk"), st.floats(0.1, 1))),
)
def test_the_shards_hold_all_seeds_that_can_be_selected(composition, limit, expected_yield):
    seeds = {"composition": composition, "limit": limit, "expected_yield": expected_yield}
    assert most_seeds(seeds) == sum(source_limits(pd.Series([]), composition, limit, expected_yield).values())
    assert most_seeds(seeds | {"composition": None}) == max(
        source_limits(pd.Series(["a"]), None, limit, expected_yield).values()
    )


def test_limits_per_source():
    sources = pd.Series(["A", "A", "B", "X"])
    assert source_limits(sources, {"A": 3, "C": 1}, 8) == {"A": 6, "B": 0, "C": 2, "X": 0}
    assert source_limits(sources, None, 8) == {"A": 8, "B": 8, "X": 8}


@given(SEEDS, st.one_of(st.none(), st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 9), min_size=1)), st.data())
def test_choose(rows, shares, data):
    seeds = frame(rows)
    limit = data.draw(st.integers(1, 40))
    over = data.draw(st.lists(st.sampled_from(GRID), unique=True))
    keep = choose(seeds, shares, limit, over)
    assert keep.dtype == bool and keep.shape == (len(rows),)
    chosen = seeds[keep]
    if shares is None:
        assert len(chosen) == min(limit, len(rows))
        parts = [(["source", *over], seeds, chosen, limit)]  # sources are strata, too
    else:
        # Exactly its share, or all its seeds; other sources do not fill the gap.
        here = Counter(seeds["source"])
        assert Counter(chosen["source"]) == Counter(
            {name: min(here[name], quota) for name, quota in quotas(shares, limit).items() if min(here[name], quota)}
        )
        parts = [
            (over, seeds[seeds["source"] == name], chosen[chosen["source"] == name], quota)
            for name, quota in quotas(shares, limit).items()
        ]
    for columns, all_of_them, taken, amount in parts:
        cells = [tuple(row) for row in all_of_them[columns].itertuples(index=False)]
        sizes = Counter(map(str, cells))
        filled = Counter(str(tuple(row)) for row in taken[columns].itertuples(index=False))
        assert sorted(filled[cell] for cell in sizes) == filled_evenly(list(sizes.values()), amount)
        # Within a stratum the smallest ids, which are a random sample.
        for cell in sizes:
            ids = sorted(seed for seed, name in zip(all_of_them["id"], map(str, cells), strict=True) if name == cell)
            assert set(ids[: filled[cell]]) == set(taken["id"]) & set(ids)


@given(SEEDS, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference(rows, composed, rng):
    seeds = frame(rows)
    shares = {"A": 2, "B": 1} if composed else None
    order = list(range(len(rows)))
    rng.shuffle(order)
    shuffled = seeds.iloc[order].reset_index(drop=True)
    assert set(shuffled["id"][choose(shuffled, shares, 9, GRID)]) == set(seeds["id"][choose(seeds, shares, 9, GRID)])


def test_ranks_count_within_strata():
    seeds = frame([("A", "Math", "easy")] * 3 + [("A", "Coding", "easy")] + [("B", "Math", "easy")])
    ranks = stratified_rank(seeds, ["domain"])
    by_id = seeds["id"][:3].sort_values().index
    assert list(ranks[by_id]) == [1, 2, 3]
    assert list(ranks[3:]) == [1, 1]


def test_seeds_with_a_higher_score_come_first_within_their_stratum():
    seeds = frame([("A", "Math", "easy")] * 6 + [("A", "Coding", "easy")] * 6)
    seeds["score"] = [1.0, 9.0, 4.0, math.nan, 2.0, 3.0, 36.0, 35.0, 34.0, 33.0, 32.0, 31.0]
    keep = choose(seeds, None, 4, ["domain"])
    assert list(seeds["score"][keep]) == [9.0, 4.0, 36.0, 35.0]  # a stratum with higher scores gets no more seeds
    assert list(seeds["score"][choose(seeds, None, 4, [])]) == [36.0, 35.0, 34.0, 33.0]


@pytest.mark.parametrize(("confidence", "rare"), [(1.0, 25), (0.5, 15), (0.0, 5)])
def test_uncertain_labels_do_not_overrepresent_a_rare_domain(confidence, rare):
    """From even strata for certain labels to proportional ones: 10 % of the seeds are in the rare domain."""
    seeds = frame([("A", "Math", "easy")] * 900 + [("A", "Culture", "easy")] * 100)
    seeds["confidence"] = confidence
    keep = choose(seeds, None, 50, ["domain"])
    assert (keep.sum(), int(keep[900:].sum())) == (50, rare)


def test_missing_labels_are_a_stratum_of_their_own():
    seeds = frame([("A", None, "easy")] * 8 + [("A", "Math", "easy")] * 2)
    seeds.loc[:3, "difficulty"] = None
    keep = choose(seeds, {"A": 1}, 6, ["domain", "difficulty"])
    assert [int(keep[:4].sum()), int(keep[4:8].sum()), int(keep[8:].sum())] == [2, 2, 2]


def test_the_table_of_the_composition():
    rows = composition_table(
        {"A": 90, "B": 5, "X": 7}, {"A": 80, "B": 4}, {"A": 6, "B": 1}, {"A": 2, "B": 1, "C": 1}, 12
    )
    assert rows == [
        {"source": "A", "read": 90, "unique": 80, "wanted": 6, "chosen": 6, "shortfall": 0},
        {"source": "B", "read": 5, "unique": 4, "wanted": 3, "chosen": 1, "shortfall": 2},
        {"source": "C", "read": 0, "unique": 0, "wanted": 3, "chosen": 0, "shortfall": 3},
        {"source": "X", "read": 7, "unique": 0, "wanted": None, "chosen": 0, "shortfall": 0},
    ]


def test_the_table_without_shares():
    rows = composition_table({"A": 3, "B": 5}, {"A": np.int64(3), "B": 5}, {"B": np.int64(4), "A": 1}, None, 5)
    assert [(row["source"], row["wanted"], row["chosen"], row["shortfall"]) for row in rows] == [
        ("B", None, 4, 0),
        ("A", None, 1, 0),
    ]
    assert all(type(row[key]) is int for row in rows for key in ("read", "unique", "chosen"))  # JSON-serialisable

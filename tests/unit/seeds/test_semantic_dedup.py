"""Neighbours among embeddings, compared with a comparison of all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.seeds import semantic_dedup
from workflow_scripts.seeds.semantic_dedup import survivors

# Unit vectors whose dot products are exact in any order of summation: 0, ±1/2, ±1. Squared distances: 0, 1, 2, 3, 4.
CORNERS = [np.array([a, b, c, d]) / 2 for a in (1, -1) for b in (1, -1) for c in (1, -1) for d in (1, -1)]
VECTORS = np.array([*CORNERS, *np.eye(4)], dtype=np.float32)
ROWS = st.lists(
    st.tuples(st.integers(0, len(VECTORS) - 1), st.sampled_from([0.0, 0.5, 1.0, 1.5, 3.0]), st.sampled_from(["", "x"])),
    max_size=25,
)


def parts(rows):
    vectors = VECTORS[[row[0] for row in rows]].reshape(-1, 4)
    return vectors, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows])


def compared_one_by_one(vectors, max_distance, groups):
    """Each row compared with the survivors so far; the nearest is reported, the first of equally near ones."""
    found, distance, kept = [], [], []
    for row, vector in enumerate(vectors):
        near = [
            (float(((vector - vectors[other]) ** 2).sum()), other) for other in kept if groups[other] == groups[row]
        ]
        best = min((one for one in near if one[0] <= max_distance[row]), default=None)
        found.append(-1 if best is None else best[1])
        distance.append(0.0 if best is None else best[0])
        if best is None:
            kept.append(row)
    return found, distance


@given(ROWS, st.integers(1, 200))
def test_result_equals_a_comparison_of_all_pairs(rows, block):
    vectors, max_distance, groups = parts(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(semantic_dedup, "QUERIES", block)  # down to one row at once
        found, distance = survivors(vectors, max_distance, groups)
    expected, distances = compared_one_by_one(vectors, max_distance, groups)
    assert found.tolist() == expected
    assert distance.tolist() == distances


@given(st.lists(st.floats(0, 2 * math.pi), max_size=30), st.floats(0.01, 1))
def test_survivors_are_far_apart_and_duplicates_are_near(angles, max_distance):
    vectors = np.array([(math.cos(a), math.sin(a)) for a in angles], np.float32).reshape(-1, 2)
    found, distance = survivors(vectors, np.full(len(angles), max_distance, np.float32), np.full(len(angles), ""))
    kept = np.flatnonzero(found < 0)
    squared = ((vectors[kept, None] - vectors[None, kept]) ** 2).sum(-1)
    assert (squared[~np.eye(len(kept), dtype=bool)] > max_distance - 1e-5).all()
    for row in np.flatnonzero(found >= 0):
        assert found[found[row]] == -1 and found[row] < row
        assert ((vectors[row] - vectors[found[row]]) ** 2).sum() <= max_distance + 1e-5
        assert distance[row] == pytest.approx(((vectors[row] - vectors[found[row]]) ** 2).sum(), abs=1e-5)


def test_a_chain_keeps_every_second_link():
    """The middle row is a duplicate of the first, so the third is not compared with it."""
    vectors = np.array([(math.cos(a), math.sin(a)) for a in (0, 0.2, 0.4)], np.float32)
    found, _ = survivors(vectors, np.full(3, 0.05, np.float32), np.full(3, ""))
    assert found.tolist() == [-1, 0, -1]


def test_each_row_has_its_own_limit():
    vectors = VECTORS[[0, 1]]
    groups = np.array(["", ""])
    assert survivors(vectors, np.array([4, 0.5], np.float32), groups)[0].tolist() == [-1, -1]
    assert survivors(vectors, np.array([0, 1], np.float32), groups)[0].tolist() == [-1, 0]


def test_equal_vectors_have_distance_zero():
    """Rounding may make their dot product larger than 1."""
    vector = np.full((1, 7), 1 / math.sqrt(7), np.float32)
    found, distance = survivors(np.repeat(vector, 3, 0), np.full(3, 0.01, np.float32), np.full(3, ""))
    assert found.tolist() == [-1, 0, 0]
    assert (distance >= 0).all() and distance.max() < 1e-6


def test_no_rows():
    found, distance = survivors(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, str))
    assert len(found) == len(distance) == 0


def test_many_rows_are_searched_in_cells(monkeypatch):
    """Duplicates among 6,000 rows in an inverted file; the result is the same with any number of threads."""
    import faiss

    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(6000, 32)).astype(np.float32)
    vectors[3000:] = vectors[:3000] + rng.normal(size=(3000, 32)).astype(np.float32) * 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    limits, groups = np.full(6000, 0.07, np.float32), np.full(6000, "")
    exact, _ = survivors(vectors, limits, groups)
    assert (exact[3000:] == np.arange(3000)).mean() > 0.99
    monkeypatch.setattr(semantic_dedup, "EXACT_ROWS", 100)
    found, distance = survivors(vectors, limits, groups)
    assert (found == exact).mean() > 0.999
    assert distance[found >= 0].max() <= 0.07
    threads = faiss.omp_get_max_threads()
    for count in (1, 3):
        faiss.omp_set_num_threads(count)
        assert survivors(vectors, limits, groups)[0].tolist() == found.tolist()
    faiss.omp_set_num_threads(threads)

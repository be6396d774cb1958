"""Semantic deduplication of generated openings, as airoboros does it: one of each group of near-duplicates is kept.

airoboros groups instructions within the distance of their category, keeps those with a good judgement, and of several
the longest (github.com/jondurbin/airoboros). The judge's scores are in the conversations' provenance. A seed's own
opening is never removed in favour of a generated one.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Conversation
from workflow_scripts.seeds.semantic_dedup import neighbours
from workflow_scripts.synthesis.draft import SEED_OPENING

MAX_SCORE = 100  # of airoboros' judge; also the score of an opening that was not judged


def has_generated_opening(row: Conversation) -> bool:
    """Whether a technique wrote the opening."""
    return row["provenance"]["opening"] != SEED_OPENING


def category(row: Conversation) -> str:
    """The opening's airoboros category if a step names one, else its kind."""
    return next(
        (step["category"] for step in row["provenance"]["steps"] if "category" in step), row["provenance"]["kind"]
    )


def find_duplicate_openings(
    rows: list[Conversation], vectors: np.ndarray, distance: float, distance_by_category: dict[str, float]
) -> dict[int, tuple[int, float]]:
    """Find generated openings that are near-duplicates of another opening.

    Args:
        rows: conversations sorted by id.
        vectors: unit vectors of their openings, float32, shape (rows, dimensions).
        distance: maximum squared distance of near-duplicates.
        distance_by_category: other maxima, by `category`.

    Returns {number of a row to remove: (number of the row to keep, their squared distance)}. Groups without a
    generated opening are left as they are.
    """
    max_distances = np.array([distance_by_category.get(category(row), distance) for row in rows], dtype=np.float32)
    pairs = [(row, int(other)) for row, others, _ in neighbours(vectors, max_distances) for other in others]
    if not pairs:
        return {}
    first, second = np.array(pairs).T
    _, group = connected_components(
        coo_array((np.ones(len(first)), (first, second)), shape=(len(rows), len(rows))), directed=False
    )
    duplicates: dict[int, tuple[int, float]] = {}
    for number in np.unique(group[first]):
        members = np.flatnonzero(group == number).tolist()
        if not any(has_generated_opening(rows[member]) for member in members):
            continue
        best = max(members, key=lambda member: (*_rank(rows[member]), -member))
        for member in members:
            if member != best and has_generated_opening(rows[member]):
                duplicates[member] = best, max(float(2 - 2 * vectors[member] @ vectors[best]), 0.0)
    return duplicates


def _rank(row: Conversation) -> tuple[bool, float, int]:
    """Sorts by: the seed's own opening, the judge's score, the length of the first exchange."""
    score = next((step["score"] for step in row["provenance"]["steps"] if step.get("score") is not None), MAX_SCORE)
    return not has_generated_opening(row), score, sum(map(len, turns(row["conversation"][:1])))

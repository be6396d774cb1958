"""Generated openings that ask the same in other words: of each group of neighbours one stays, as airoboros culls.

airoboros groups what lies within its category's distance, keeps what its judge found good, and of several the longest
(github.com/jondurbin/airoboros). The judge's scores are in the conversations' provenance. A seed's own opening is
never given up for a generated one.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workflow_scripts.common.types import Row
from workflow_scripts.seeds.semantic_dedup import neighbours

# Techniques that write an opening of their own.
WRITERS = {"airoboros", "evol_instruct", "flask", "know_logic", "lamini_example", "lamini_topic"}


def generated(row: Row) -> bool:
    """Whether a technique wrote the opening. Evol-Instruct has not, where every operation was eliminated."""
    return any(step["name"] in WRITERS and step.get("operations") != [] for step in row["provenance"]["steps"])


def category(row: Row) -> str:
    """airoboros' category of the opening, where a step names one; else the kind of its seed."""
    return next(
        (step["category"] for step in row["provenance"]["steps"] if "category" in step), row["provenance"]["kind"]
    )


def cull(
    rows: list[Row], vectors: np.ndarray, semantic: float, by_category: dict[str, float]
) -> dict[int, tuple[int, float]]:
    """{row that goes: (row that stays, squared distance of the two)} for openings with these unit vectors.

    `rows` are in the order of their ids. Only groups that hold a generated opening are looked at.
    """
    most = np.array([by_category.get(category(row), semantic) for row in rows], dtype=np.float32)
    pairs = [(row, int(other)) for row, others, _ in neighbours(vectors, most) for other in others]
    if not pairs:
        return {}
    one, other = np.array(pairs).T
    _, group = connected_components(
        coo_array((np.ones(len(one)), (one, other)), shape=(len(rows), len(rows))), directed=False
    )
    gone: dict[int, tuple[int, float]] = {}
    for number in np.unique(group[one]):
        members = np.flatnonzero(group == number).tolist()
        if not any(generated(rows[member]) for member in members):
            continue
        best = max(members, key=lambda member: (*_worth(rows[member]), -member))
        for member in members:
            if member != best and generated(rows[member]):
                gone[member] = best, max(float(2 - 2 * vectors[member] @ vectors[best]), 0.0)
    return gone


def _worth(row: Row) -> tuple[bool, float, int]:
    score = next((step["score"] for step in row["provenance"]["steps"] if step.get("score") is not None), 100)
    return not generated(row), score, sum(len(text) for text in row["conversation"][0].values())

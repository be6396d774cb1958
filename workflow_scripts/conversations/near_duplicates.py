"""Near-duplicate conversations across the whole dataset: of each pair the better-judged one is kept.

Seeds are compared before the synthesis; this finds included files that overlap with each other or with the synthesis, and
similar conversations that grew from different seeds.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Conversation
from workflow_scripts.seeds.duplicates import ShingleSets, jaccards, near_pairs, plain_texts, shingle_set
from workflow_scripts.synthesis.judging.measures import measure


def near_duplicates(rows: list[Conversation], threshold: float) -> Iterator[tuple[int, int, float]]:
    """(row to remove, row that is kept in its place, Jaccard similarity of the two), in no particular order.

    The similarity of two conversations is that of all their turns, or of their answers if it is lower: two requests about
    the same long text are not duplicates. Among conversations that are connected by such pairs, the best is kept, then
    the next that is no near-duplicate of one that is kept.
    """
    if not rows:
        return
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for row, other, similarity in _pairs(rows, threshold):
        near[row][other] = near[other][row] = similarity
    edges = np.array([(row, other) for row, others in near.items() for other in others], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(len(rows), len(rows)))
    groups: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(connected_components(graph, directed=False)[1].tolist()):
        if row in near:
            groups[number].append(row)
    for group in groups.values():
        kept: list[int] = []
        for row in _best_first(rows, group):
            better = [other for other in kept if other in near[row]]
            if better:
                closest = max(better, key=lambda other: near[row][other])
                yield row, closest, near[row][closest]
            else:
                kept.append(row)


def _pairs(rows: list[Conversation], threshold: float) -> Iterator[tuple[int, int, float]]:
    texts = plain_texts(_texts([" ".join(turns(row["conversation"])) for row in rows]))
    sets = ShingleSets(texts, np.zeros(len(rows), dtype=np.uint64), pa.array([row["source"] for row in rows]))
    for row, other, similarity in near_pairs(sets, threshold, among_survivors=False):
        answers = [" ".join(exchange["output"] for exchange in rows[one]["conversation"]) for one in (row, other)]
        one, two = (shingle_set(text, np.uint64(0)) for text in plain_texts(_texts(answers)).to_pylist())
        similarity = min(similarity, float(jaccards(one, [two])[0]))
        if similarity >= threshold:
            yield row, other, round(similarity, 4)


def _texts(texts: list[str]) -> pa.Array:
    """The texts as an Arrow array; half a surrogate pair, which Arrow cannot store, becomes a question mark."""
    return pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())


def _best_first(rows: list[Conversation], group: list[int]) -> list[int]:
    """The rows of a group: reviewed ones first, then by the judge's mean score if all have one, else by the measures."""
    judged = all("judgement" in rows[row]["provenance"] for row in group)

    def key(row: int) -> tuple[Any, ...]:
        provenance = rows[row]["provenance"]
        score = provenance["judgement"]["mean"] if judged else measure(rows[row]["conversation"])["score"]
        return "verification" not in provenance, -score, rows[row]["id"]

    return sorted(group, key=key)

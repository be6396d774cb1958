"""Groups of conversations that must stay on one side of the split: same source row, same seed, near-duplicate openings."""

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workflow_scripts.common.types import Conversation
from workflow_scripts.seeds.duplicates import ShingleSets, near_pairs, plain_texts


def origins(row: Conversation) -> list[tuple[str, ...]]:
    """What rows that belong together have in common: the row of the published file (two tasks of a post, the parts of a
    long conversation), and the seed."""
    provenance = row["provenance"]
    keys: list[tuple[str, ...]] = []
    if provenance.get("seed"):
        keys.append(("seed", str(provenance["seed"])))
    if provenance.get("row") is not None:
        keys.append(("row", str(provenance["dataset"]), str(provenance["revision"]), str(provenance["row"])))
    return keys


def group_numbers(rows: list[Conversation], min_jaccard: float | None) -> np.ndarray:
    """The group of each row, numbers from 0, shape (rows,).

    Rows are in one group if they share an origin, or if the Jaccard similarity of their openings (character 5-grams) is
    at least `min_jaccard`; also through other rows. None: openings are not compared.
    """
    pairs: list[tuple[int, int]] = []
    first: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows):
        pairs += [(first.setdefault(key, number), number) for key in origins(row)]
    if min_jaccard is not None and rows:
        openings = pa.array([row["conversation"][0]["input"] for row in rows], pa.large_string())
        sources = pa.array([row["source"] for row in rows])
        sets = ShingleSets(plain_texts(openings), np.zeros(len(rows), dtype=np.uint64), sources)
        pairs += [(row, other) for row, other, _ in near_pairs(sets, min_jaccard, among_survivors=False)]
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(len(rows), len(rows)))
    numbers: np.ndarray = connected_components(graph, directed=False)[1]
    return numbers

"""Semantic deduplication: neighbours among sentence embeddings (faiss).

airoboros removes an instruction whose nearest neighbour is within a squared distance: .07 by default, .01 to .3 by
category, measured with thenlper/gte-small (github.com/jondurbin/airoboros). Vectors have unit length, so a squared
distance d is a cosine similarity of 1 - d/2.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

QUERIES = 4096  # searched at once
EXACT_ROWS = 50_000  # above, an inverted file is searched, in time n^1.5 instead of n^2
CELLS_PER_ROOT = 4  # cells of the inverted file, per square root of the rows
TRAINING_VECTORS = 64  # of k-means, per cell
PROBES = 16  # cells searched
ROUNDING = 1e-4  # of faiss' distances; exact ones decide


def _index(vectors: np.ndarray) -> Any:
    """A faiss index of the vectors: exact for up to `EXACT_ROWS`, else an inverted file with `PROBES` probes."""
    import faiss

    rows, dimensions = vectors.shape
    if rows <= EXACT_ROWS:
        index: Any = faiss.IndexFlatL2(dimensions)
    else:
        cells = int(CELLS_PER_ROOT * np.sqrt(rows))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dimensions), dimensions, cells, faiss.METRIC_L2)
        index.nprobe = PROBES
        sample = np.random.default_rng(0).choice(rows, min(rows, cells * TRAINING_VECTORS), replace=False)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # sums of several threads differ in the last digit, and so would the cells
        index.train(vectors[np.sort(sample)])
        faiss.omp_set_num_threads(threads)
    index.add(vectors)
    return index


def neighbours(vectors: np.ndarray, max_distance: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """For each row with neighbours: its number, the earlier rows within its distance, and the squared distances.

    `vectors` are unit vectors of shape (rows, dimensions), `max_distance` is the largest squared distance of each row.
    Rows are in ascending order.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if not len(vectors):
        return
    index = _index(vectors)
    for start in range(0, len(vectors), QUERIES):
        rows = np.arange(start, min(start + QUERIES, len(vectors)))
        found = {}
        for limit in np.unique(max_distance[rows]):
            queries = rows[max_distance[rows] == limit]
            ends, _, others = index.range_search(vectors[queries], float(limit) + ROUNDING)
            for row, first, end in zip(queries.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True):
                earlier = np.sort(others[first:end][others[first:end] < row])
                distances = 2.0 - 2.0 * (vectors[earlier] @ vectors[row])
                near = distances <= limit
                if near.any():
                    found[row] = earlier[near], distances[near]
        for row in sorted(found):
            yield row, *found[row]


def survivors(vectors: np.ndarray, max_distance: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the number of its nearest survivor and their squared distance; -1 and 0 if the row itself survives.

    `vectors` (rows, dimensions) are unit vectors in the order of the ids. `max_distance` is the squared distance up to
    which a row is a duplicate. Only rows of one group are compared. A row is compared with the survivors before it.
    """
    survivor, distance = np.full(len(vectors), -1), np.zeros(len(vectors), dtype=np.float32)
    for row, others, distances in neighbours(vectors, max_distance):
        candidates = (survivor[others] < 0) & (groups[others] == groups[row])
        if candidates.any():
            nearest = np.flatnonzero(candidates)[np.argmin(distances[candidates])]
            survivor[row], distance[row] = others[nearest], max(distances[nearest], 0.0)
    return survivor, distance

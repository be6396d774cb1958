"""Semantic deduplication: neighbours among sentence embeddings.

airoboros removes an instruction whose nearest neighbour is within a squared distance: .07 by default, .01 to .3 by
category, measured with thenlper/gte-small (github.com/jondurbin/airoboros). Vectors have unit length, so a squared
distance d is a cosine similarity of 1 - d/2.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 256 * 2**20  # of the distance matrix, computed block by block


def neighbours(vectors: np.ndarray, max_distance: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """For each row with neighbours: its number, the earlier rows within its distance, and the squared distances.

    `vectors` are unit vectors of shape (rows, dimensions), `max_distance` is the largest squared distance of each row.
    """
    block = max(1, BLOCK_BYTES // max(1, 4 * len(vectors)))
    for start in range(0, len(vectors), block):
        end = min(start + block, len(vectors))
        distances = 2.0 - 2.0 * (vectors[start:end] @ vectors[:end].T)
        near = distances <= max_distance[start:end, None]
        near &= np.arange(end)[None, :] < np.arange(start, end)[:, None]
        for row in np.flatnonzero(near.any(axis=1)):
            others = np.flatnonzero(near[row])
            yield start + int(row), others, distances[row, others]


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

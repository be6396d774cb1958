"""Seeds that ask the same in other words: neighbours among sentence embeddings.

airoboros drops an instruction whose nearest neighbour is within a squared distance, by category from .01 to .3 and .07
by default, measured with thenlper/gte-small (github.com/jondurbin/airoboros). Vectors have unit length, so a squared
distance d is a cosine of 1 - d/2.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 256 * 2**20


def neighbours(vectors: np.ndarray, most: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """For each row with any: the earlier rows within its distance, and the squared distances."""
    block = max(1, BLOCK_BYTES // max(1, 4 * len(vectors)))
    for start in range(0, len(vectors), block):
        end = min(start + block, len(vectors))
        distances = 2.0 - 2.0 * (vectors[start:end] @ vectors[:end].T)
        near = distances <= most[start:end, None]
        near &= np.arange(end)[None, :] < np.arange(start, end)[:, None]
        for row in np.flatnonzero(near.any(axis=1)):
            others = np.flatnonzero(near[row])
            yield start + int(row), others, distances[row, others]


def survivors(vectors: np.ndarray, most: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row -1 if it survives, else the nearest survivor's number, and their squared distance.

    `vectors` (rows, dimensions) are unit vectors in the order of the ids, `most` the distance within which a row falls,
    `groups` what rows must share to be compared. A row is judged against the survivors before it.
    """
    found, distance = np.full(len(vectors), -1), np.zeros(len(vectors), dtype=np.float32)
    for row, others, distances in neighbours(vectors, most):
        open_ = (found[others] < 0) & (groups[others] == groups[row])
        if open_.any():
            nearest = np.flatnonzero(open_)[np.argmin(distances[open_])]
            found[row], distance[row] = others[nearest], max(distances[nearest], 0.0)
    return found, distance

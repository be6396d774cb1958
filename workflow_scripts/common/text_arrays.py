"""Arrow arrays of texts as numpy arrays of code points, for vectorised work on the texts of a batch."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def boolean(values: pa.Array) -> np.ndarray:
    """A boolean Arrow array as numpy; null is False."""
    array: np.ndarray = values.to_numpy(zero_copy_only=False).astype(bool)
    return array


def characters(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Code points (uint32) of the concatenated texts, and their offsets, shape (texts + 1,): start of each, end of the last."""
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), dtype=np.uint32), offsets


def longest_runs(texts: pa.Array) -> np.ndarray:
    """Length of each text's longest run of one character, shape (texts,)."""
    codes, offsets = characters(texts)
    if not len(codes):
        return np.zeros(len(texts), dtype=np.int64)
    starts = np.concatenate([[True], codes[1:] != codes[:-1]])
    starts[offsets[:-1][offsets[:-1] < len(codes)]] = True  # a run ends with its text
    begins = np.flatnonzero(starts)
    runs = np.diff(np.append(begins, len(codes)))
    owner = np.searchsorted(offsets, begins, side="right") - 1
    longest = np.zeros(len(texts), dtype=np.int64)
    np.maximum.at(longest, owner, runs)
    return longest

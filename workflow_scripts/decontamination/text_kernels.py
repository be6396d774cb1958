"""Numba kernels for normal forms: many texts as one array of code points, and their folds.

Texts are arrays of code points (uint32) in normal form. Next to them is an array of *folds*, one byte per code point: the
code point itself for ASCII, 128 to 255 for all others. Equal texts have equal folds, and one edit changes one fold, so a
search in folds misses nothing, whatever the length of a character in UTF-8. Distances are counted in code points.
"""

import numpy as np

from workflow_scripts.decontamination.numba_cache import compiled

SPACE, ASCII_END = 32, 128
# Entry of the character table for a character whose normal form depends on its neighbours.
COMPLEX = np.uint32(0xFFFFFFFF)
# Entry of the character table for a character that is removed.
DELETED = np.uint32(0xFFFFFFFE)
# Zeros at the end of an array of folds: the search reads 8 bytes before and up to 20 bytes after a position.
PADDING = 24


@compiled()
def compact(raw, ends, table, codes, bounds, simple):
    """Write the padded normal forms of consecutive texts in `raw` (code points), text t ending at ends[t].

    `table[c]` is the normal form of a character, a space for anything but letters and digits, DELETED or COMPLEX; its last
    entry is for all characters beyond it. The normal form of text t is written to `codes`, [bounds[t], bounds[t + 1]), and
    simple[t] = True. A text with a complex character gets an empty range and False.
    """
    one, zero, last = np.uint64(1), np.uint64(0), np.uint32(len(table) - 1)
    place, written = zero, zero  # unsigned, so that numba compiles no check for negative indices
    for text in range(len(ends)):
        bounds[text] = written
        codes[written] = SPACE
        written += one
        highest, after_space, end = np.uint32(0), one, np.uint64(ends[text])
        while place < end:
            code = table[min(np.uint32(raw[place]), last)]
            place += one
            # Without branches: a space after a space and a deleted character are overwritten.
            codes[written] = code
            is_space = one if code == SPACE else zero
            is_deleted = one if code == DELETED else zero
            written += one - ((is_space & after_space) | is_deleted)
            after_space = is_space | (after_space & is_deleted)
            highest = max(highest, code)
        if not after_space:
            codes[written] = SPACE
            written += one
        simple[text] = highest != COMPLEX
        if highest == COMPLEX:
            written = np.uint64(bounds[text])
    bounds[len(ends)] = written


@compiled()
def fold(codes, out):
    """Write the folds of an array of code points to the beginning of `out`."""
    for place in range(len(codes)):
        code = np.uint32(codes[place])
        mixed = np.uint32(code * np.uint32(0x9E3779B1)) >> np.uint32(17)
        out[place] = code if code < ASCII_END else np.uint32(128) | (mixed & np.uint32(127))


@compiled()
def find_starts(folds, length, starts):
    """Write the positions among the first `length` where an anchor may start (spaces and non-ASCII) to `starts`.

    Returns their number.
    """
    count = np.uint64(0)
    for place in range(length):
        starts[count] = place
        count += np.uint64((folds[place] == SPACE) | (folds[place] >= ASCII_END))
    return count

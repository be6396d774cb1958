"""Numba kernels for the lossless search: hashes of grams, the table of anchors, and the alignment around a match.

Texts and folds are described in `text_kernels.py`, the method in `index.py`.
"""

import numpy as np

from workflow_scripts.decontamination.numba_cache import compiled

# Odd constants of splitmix64 for multiplicative hashing.
MIX_LOW, MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
UNREACHED = -(2**30)


@compiled(inline="always")
def gram_hash(words, place, length):
    """64-bit hash of the `length` (3 to 8, or 12) folds from `place` on; words[i] contains the eight folds from i on."""
    low = words[place]
    if length == 12:
        value = (low * MIX_LOW + words[place + 4]) * MIX_HIGH
    else:
        value = (low & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * length))) * MIX_LOW * MIX_HIGH
    return value ^ (value >> np.uint64(32))


@compiled()
def gram_hashes(words, places, length):
    """The hashes of the grams at `places`."""
    hashes = np.empty(len(places), np.uint64)
    for number in range(len(places)):
        hashes[number] = gram_hash(words, places[number], length)
    return hashes


@compiled()
def count_grams(words, places, length, counts):
    """Count the grams at `places` in `counts`. Grams may share a counter: approximate counts suffice."""
    bits = np.uint64(len(counts) - 1)
    for place in places:
        counts[(gram_hash(words, place, length) >> np.uint64(32)) & bits] += 1


@compiled()
def look_up(hashes, counts):
    """The counters of grams, by their hashes."""
    bits = np.uint64(len(counts) - 1)
    result = np.empty(len(hashes), counts.dtype)
    for number in range(len(hashes)):
        result[number] = counts[(hashes[number] >> np.uint64(32)) & bits]
    return result


@compiled()
def build_table(keys, firsts, table):
    """Write an open-addressing hash table of shape (a power of two, 2): (hash, 1 + its first anchor) or (0, 0)."""
    mask = np.uint64(len(table) - 1)
    table[:] = 0
    for number in range(len(keys)):
        slot = keys[number] & mask
        while table[slot, 1]:
            slot = (slot + np.uint64(1)) & mask
        table[slot, 0], table[slot, 1] = keys[number], np.uint64(firsts[number] + 1)


@compiled()
def build_bitmap(keys, bitmap):
    """Set the bit of every hash in `bitmap`, whose size is a power of two."""
    bits = np.uint64(len(bitmap) * 64 - 1)
    for key in keys:
        bit = (key >> np.uint64(24)) & bits
        bitmap[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@compiled()
def build_entries(words, bounds, cuts, cut_bounds, places, queries, ranks, length, last, entries):
    """Write what the search reads of each anchor, shape (anchors, 4), uint64.

    Column 0: the folds after the gram, up to eight within its segment. Column 1: the folds before it, likewise.
    Column 2: query (32 bits), number of folds after and before (4 bits each), whether it is the last anchor of its hash
    (1 bit). Column 3: rank (32 bits) and the gram's offset in its segment (32 bits).
    """
    for anchor in range(len(places)):
        query, rank = queries[anchor], ranks[anchor]
        segment = cuts[cut_bounds[query] + rank : cut_bounds[query] + rank + 2]
        offset = places[anchor] - bounds[query] - segment[0]
        after = min(8, segment[1] - segment[0] - offset - length)
        before = min(8, offset) if places[anchor] >= 8 else 0
        entries[anchor, 0] = words[places[anchor] + length] & low_mask(after)
        entries[anchor, 1] = words[places[anchor] - 8] & ~low_mask(8 - before) if before else np.uint64(0)
        entries[anchor, 2] = (
            np.uint64(query) << np.uint64(32)
            | np.uint64(after) << np.uint64(8)
            | np.uint64(before) << np.uint64(4)
            | np.uint64(last[anchor])
        )
        entries[anchor, 3] = np.uint64(rank) << np.uint64(32) | np.uint64(offset)


@compiled(inline="always")
def low_mask(size):
    """A mask of the lowest `size` (0 to 8) bytes of a word."""
    bits = np.uint64(8) * np.uint64(size)
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(64) - bits) if bits else np.uint64(0)


@compiled()
def extend(pattern, pattern_at, pattern_length, text, text_at, text_length, step, edits, above, current):
    """(least edits, text length used) that turn the whole pattern into a beginning of the text, or (edits + 1, 0).

    Both are read from their position in the direction of `step` (1 or -1), at most their length. Landau and Vishkin
    (1989): for each number of edits the furthest row of each diagonal; O(edits^2) plus the matching characters.
    `above` and `current` are scratch arrays of at least 2 edits + 4 elements.
    """
    middle = edits + 1
    row = 0
    while row < pattern_length and row < text_length and pattern[pattern_at + step * row] == text[text_at + step * row]:
        row += 1
    if row == pattern_length:
        return 0, row
    if edits == 0:
        return 1, 0
    for at in range(2 * edits + 4):
        above[at] = UNREACHED
        current[at] = UNREACHED
    above[middle] = row
    for edit in range(1, edits + 1):
        for at in range(middle - edit - 1, middle + edit + 2):
            current[at] = UNREACHED
        for diagonal in range(-edit, edit + 1):
            at = middle + diagonal
            row = above[at]
            if row >= 0 and row + 1 + diagonal <= text_length:
                row += 1  # substitution
            row = max(row, above[at + 1] + 1)  # deletion: the text lacks a character of the pattern
            if above[at - 1] >= 0 and above[at - 1] + diagonal <= text_length:
                row = max(row, above[at - 1])  # insertion: the text has one more character
            if row < 0:
                continue
            while (
                row < pattern_length
                and row + diagonal < text_length
                and pattern[pattern_at + step * row] == text[text_at + step * (row + diagonal)]
            ):
                row += 1
            if row >= pattern_length:
                return edit, pattern_length + diagonal
            current[at] = row
        above, current = current, above
    return edits + 1, 0


@compiled()
def promising(codes, begin, end, place, pattern_codes, pattern, cuts, cut, segments, rank, groups, above, current):
    """Whether a match can contain this unchanged segment: hierarchical verification (Navarro and Baeza-Yates, 1999).

    The borders of a pattern's segments are in `cuts` from `cut` on; segment `rank` begins at `place`. If n neighbouring
    segments have fewer than n edits, one half has fewer edits than segments too. So some unchanged segment lies in ever
    larger groups that all satisfy this. Long patterns are dismissed after a few characters, and no match is lost.
    """
    low, high, depth = 0, segments, 0
    while high - low > 1:
        groups[depth, 0], groups[depth, 1] = low, high
        depth += 1
        middle = (low + high) // 2
        if rank < middle:
            high = middle
        else:
            low = middle
    at, size = cuts[cut + rank], cuts[cut + rank + 1] - cuts[cut + rank]
    for level in range(depth - 1, 0, -1):  # the caller checks level 0, the whole pattern
        allowed = groups[level, 1] - groups[level, 0] - 1
        left, _ = extend(
            pattern_codes, pattern + at - 1, at - cuts[cut + groups[level, 0]], codes, place - 1, place - begin, -1,
            allowed, above, current,
        )  # fmt: skip
        if left > allowed:
            return False
        right, _ = extend(
            pattern_codes, pattern + at + size, cuts[cut + groups[level, 1]] - at - size,
            codes, place + size, end - place - size, 1, allowed - left, above, current,
        )  # fmt: skip
        if left + right > allowed:
            return False
    return True


@compiled()
def search(
    codes, folds, words, starts, bounds, start_bounds, first_text,
    every_place, length, bitmap, table, entries,
    pattern_codes, pattern_folds, pattern_bounds, edits, cuts, cut_bounds,
    best_text, best_hit, hits, run_text, run_diagonal, run_end,
):  # fmt: skip
    """Search the texts from `first_text` on for the anchors of one kind, and extend each match.

    Writes rows (text, query, distance, start, end in `codes`) to `hits`, one per text and query: of the positions with
    the least distance the first to end, and of those the shortest. The choice of anchors therefore changes no row.
    Returns the number of rows, and the text at which `hits` was full (or the number of texts).

    Left and right of a run of equal characters, the alignment does not depend on the position in the run: of the anchors
    in one run only the first is extended. `run_text`, `run_diagonal` and `run_end` are the last run of each query.
    """
    count = 0
    bits = np.uint64(len(bitmap) * 64 - 1)
    mask = np.uint64(len(table) - 1)
    room = 4
    for number in range(len(edits)):
        room = max(room, 2 * edits[number] + 4)
    above, current, groups = np.empty(room, np.int64), np.empty(room, np.int64), np.empty((32, 2), np.int64)
    for text in range(first_text, len(bounds) - 1):
        begin, end = bounds[text], bounds[text + 1]
        first, last = (begin, end) if every_place else (start_bounds[text], start_bounds[text + 1])
        before = count
        for number in range(first, last):
            gram = np.int64(number) if every_place else np.int64(starts[number])
            value = gram_hash(words, gram, length)
            bit = (value >> np.uint64(24)) & bits
            if not (bitmap[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
                continue
            slot = value & mask
            while table[slot, 1] and table[slot, 0] != value:
                slot = (slot + np.uint64(1)) & mask
            anchor = np.int64(table[slot, 1]) - 2
            more = anchor >= -1
            while more:
                anchor += 1
                packed = entries[anchor, 2]
                more = (packed & np.uint64(1)) == np.uint64(0)
                after_mask = low_mask(packed >> np.uint64(8) & np.uint64(15))
                if (words[gram + length] & after_mask) != entries[anchor, 0]:
                    continue
                before_mask = ~low_mask(np.uint64(8) - (packed >> np.uint64(4) & np.uint64(15)))
                if gram >= 8 and (words[gram - 8] & before_mask) != entries[anchor, 1]:
                    continue
                query, rank = np.int64(packed >> np.uint64(32)), np.int64(entries[anchor, 3] >> np.uint64(32))
                known = best_text[query] == text
                if known and hits[best_hit[query], 2] == 0:
                    continue
                pattern, pattern_end = pattern_bounds[query], pattern_bounds[query + 1]
                cut = cut_bounds[query]
                at, size = pattern + cuts[cut + rank], np.int64(cuts[cut + rank + 1] - cuts[cut + rank])
                place = gram - np.int64(entries[anchor, 3] & np.uint64(0xFFFFFFFF))
                if place < begin or place + size > end:
                    continue
                diagonal = place - at
                if run_text[query] == text and run_diagonal[query] == diagonal and place + size <= run_end[query]:
                    continue
                same = 0
                while same < size and pattern_folds[at + same] == folds[place + same]:
                    same += 1
                if same < size:
                    continue
                same = 0  # different characters may have equal folds
                while same < size and pattern_codes[at + same] == codes[place + same]:
                    same += 1
                if same < size:
                    continue
                if edits[query] > 1 and not promising(
                    codes, begin, end, place, pattern_codes, pattern, cuts, cut, edits[query] + 1, rank, groups,
                    above, current,
                ):  # fmt: skip
                    continue
                run = place + size
                while run < end and run - diagonal < pattern_end and pattern_codes[run - diagonal] == codes[run]:
                    run += 1
                run_text[query], run_diagonal[query], run_end[query] = text, diagonal, run
                max_distance = np.int64(edits[query]) if not known else hits[best_hit[query], 2]
                left, left_used = extend(
                    pattern_codes, at - 1, at - pattern, codes, place - 1, place - begin, -1,
                    max_distance, above, current,
                )  # fmt: skip
                if left > max_distance:
                    continue
                after = at + size
                right, right_used = extend(
                    pattern_codes, after, pattern_end - after, codes, place + size, end - place - size, 1,
                    max_distance - left, above, current,
                )  # fmt: skip
                distance = left + right
                if distance > max_distance:
                    continue
                from_place, to_place = place - left_used, place + size + right_used
                if known:
                    row = best_hit[query]
                    if distance == hits[row, 2] and (
                        to_place > hits[row, 4] or (to_place == hits[row, 4] and from_place <= hits[row, 3])
                    ):
                        continue
                else:
                    if count == len(hits):
                        for row in range(before, count):
                            best_text[hits[row, 1]] = -1
                        run_text[:] = -1
                        return before, text
                    row = count
                    count += 1
                    best_text[query], best_hit[query] = text, row
                hits[row, 0], hits[row, 1], hits[row, 2] = text, query, distance
                hits[row, 3], hits[row, 4] = from_place, to_place
    return count, len(bounds) - 1

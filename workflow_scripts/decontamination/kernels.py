"""The inner loops of decontamination, compiled by numba on first use and kept in its cache.

They stay in one file: numba compiles a function anew when its own file has changed, but not when one that it calls has.

Texts are arrays of code points (uint32) in normal form. Beside them goes a *fold*: one byte a code point, itself for
ASCII, 128 and more for the rest. Equal texts have equal folds and one edit changes one byte, so what is looked for in
folds is never lost, however many bytes a character has in UTF-8; distances are counted in code points.
"""

import numba
import numpy as np

SPACE, ASCII_END = 32, 128
# What `normalise` reads of its table for a character that depends on its neighbours.
COMPLEX = np.uint32(0xFFFFFFFF)
# The search reads 8 bytes before and up to 20 after a place; arrays of folds end with so many zeros.
PADDING = 24
# Odd constants of splitmix64 for multiplicative hashing.
MIX_LOW, MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
UNREACHED = -(2**30)


def compiled(**options):
    """numba's `njit` with its cache, or without one where no folder can be written to."""

    def decorate(function):
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return decorate


@compiled()
def compact(raw, ends, table, codes, bounds, simple):
    """Normal forms of texts that lie one after the other in `raw` (code points), each up to its place in `ends`.

    `table[c]` is the normal form of a character, a space for what is no letter or digit, or COMPLEX; its last entry
    stands for all characters beyond. Writes for each text its padded normal form to `codes`, [bounds[t], bounds[t + 1]),
    and simple[t] = True; for one with a complex character an empty range and False.
    """
    one, zero, last = np.uint64(1), np.uint64(0), np.uint32(len(table) - 1)
    place, written = zero, zero  # unsigned, as numba would look for negative places
    for text in range(len(ends)):
        bounds[text] = written
        codes[written] = SPACE
        written += one
        highest, after_space, end = np.uint32(0), one, np.uint64(ends[text])
        while place < end:
            code = table[min(np.uint32(raw[place]), last)]
            place += one
            # Without branches: a space that follows one is written over.
            codes[written] = code
            is_space = one if code == SPACE else zero
            written += one - (is_space & after_space)
            after_space = is_space
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
    """The fold of an array of code points, written to the beginning of `out`."""
    for place in range(len(codes)):
        code = np.uint32(codes[place])
        mixed = np.uint32(code * np.uint32(0x9E3779B1)) >> np.uint32(17)
        out[place] = code if code < ASCII_END else np.uint32(128) | (mixed & np.uint32(127))


@compiled()
def find_starts(folds, length, starts):
    """The places among the first `length` where an anchor may begin, spaces and all that is not ASCII, written to
    `starts`; their number."""
    count = np.uint64(0)
    for place in range(length):
        starts[count] = place
        count += np.uint64((folds[place] == SPACE) | (folds[place] >= ASCII_END))
    return count


@compiled(inline="always")
def gram_hash(words, place, length):
    """64-bit hash of `length` (3 to 8, or 12) folds from `place` on; `words[i]` holds the eight folds from i on."""
    low = words[place]
    if length == 12:
        value = (low * MIX_LOW + words[place + 4]) * MIX_HIGH
    else:
        value = (low & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * length))) * MIX_LOW * MIX_HIGH
    return value ^ (value >> np.uint64(32))


@compiled()
def gram_hashes(words, places, length):
    """The hashes of the grams at these places."""
    hashes = np.empty(len(places), np.uint64)
    for number in range(len(places)):
        hashes[number] = gram_hash(words, places[number], length)
    return hashes


@compiled()
def count_grams(words, places, length, counts):
    """Count the grams at these places in `counts`, which grams may share: about is good enough."""
    bits = np.uint64(len(counts) - 1)
    for place in places:
        counts[(gram_hash(words, place, length) >> np.uint64(32)) & bits] += 1


@compiled()
def look_up(hashes, counts):
    """The counts of grams by their hashes."""
    bits = np.uint64(len(counts) - 1)
    result = np.empty(len(hashes), counts.dtype)
    for number in range(len(hashes)):
        result[number] = counts[(hashes[number] >> np.uint64(32)) & bits]
    return result


@compiled()
def choose_anchors(places, costs, count, length, chosen):
    """The `count` disjoint grams of least total cost among those at `places` (ascending), to `chosen`; False if there
    are not so many."""
    number = len(places)
    best = np.full((count + 1, number + 1), np.inf)
    after = np.empty(number, np.int64)
    best[0, :] = 0.0
    follower = number
    for first in range(number - 1, -1, -1):
        while follower > 0 and places[follower - 1] >= places[first] + length:
            follower -= 1
        after[first] = follower
        for some in range(1, count + 1):
            best[some, first] = min(best[some, first + 1], costs[first] + best[some - 1, follower])
    if best[count, 0] == np.inf:
        return False
    first = 0
    for some in range(count, 0, -1):
        while best[some, first] == best[some, first + 1]:
            first += 1
        chosen[count - some] = first
        first = after[first]
    return True


@compiled()
def choose_evenly(places, costs, begin, end, count, length, chosen):
    """The cheapest gram within each of `count` equal parts of [begin, end), to `chosen`; False if a part has none."""
    number = 0
    for some in range(count):
        first, last = begin + (end - begin) * some // count, begin + (end - begin) * (some + 1) // count
        best = -1
        while number < len(places) and places[number] + length <= last:
            if places[number] >= first and (best < 0 or costs[number] < costs[best]):
                best = number
            number += 1
        if best < 0:
            return False
        chosen[some] = best
    return True


@compiled()
def build_table(keys, firsts, table):
    """Write an open-addressing table: (hash, 1 + number of its first anchor) or (0, 0), shape (a power of two, 2)."""
    mask = np.uint64(len(table) - 1)
    table[:] = 0
    for number in range(len(keys)):
        slot = keys[number] & mask
        while table[slot, 1]:
            slot = (slot + np.uint64(1)) & mask
        table[slot, 0], table[slot, 1] = keys[number], np.uint64(firsts[number] + 1)


@compiled()
def build_entries(words, bounds, cuts, cut_bounds, places, queries, ranks, length, last, entries):
    """What the search reads of each anchor in one go, shape (anchors, 4), uint64: the folds after its gram and before
    it, up to eight within its segment; packed query (32 bits), numbers of folds after and before (4 each) and whether it is
    the last of its hash (1); and packed rank (32 bits) and its place in its segment (32)."""
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
    """The lowest `size` (0 to 8) bytes of a word."""
    bits = np.uint64(8) * np.uint64(size)
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(64) - bits) if bits else np.uint64(0)


@compiled()
def extend(pattern, pattern_at, pattern_length, text, text_at, text_length, step, edits, above, current):
    """(least edits, text length used) to turn the whole of a pattern into a beginning of a text, or (edits + 1, 0).

    Both are read from their place in the direction of `step` (1 or -1), for so many characters. Landau and Vishkin
    (1989): for each number of edits the furthest row of each diagonal, O(edits^2) and the characters that match.
    `above` and `current` are scratch, each at least 2 edits + 4 long.
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
                row += 1  # one character for another
            row = max(row, above[at + 1] + 1)  # a character of the pattern is missing
            if above[at - 1] >= 0 and above[at - 1] + diagonal <= text_length:
                row = max(row, above[at - 1])  # the text has one more
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
    """Whether what is around an untouched segment can belong to a match: hierarchical verification (Navarro and
    Baeza-Yates, 1999).

    The borders of a pattern's segments are in `cuts` from `cut` on; number `rank` begins at `place`. Of n neighbouring
    segments with fewer than n edits one half has fewer edits than segments too, so some untouched segment is within
    ever larger groups that all do. Long patterns are so given up after a few characters, and none is lost.
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
    for level in range(depth - 1, 0, -1):  # the whole, at level 0, is looked at by the caller
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
    """Look for the anchors of one kind in the texts from `first_text` on, and extend each that is found.

    Writes rows (text, query, distance, start, end in `codes`) to `hits`, one for each text and query: of the places with
    the least distance the one that ends first, and of those the shortest; so it is the same whatever the anchors are.
    Returns the number of rows, and the text before which `hits` was full (or their number).

    What is left and right of a run of equal characters does not depend on where in the run one begins: of the anchors
    in one run only the first is extended. `run_*`, one of each a query, remember the last run.
    """
    count = 0
    bits = np.uint64(len(bitmap) * 64 - 1)
    mask = np.uint64(len(table) - 1)
    room = 4
    for query in range(len(edits)):
        room = max(room, 2 * edits[query] + 4)
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
                more = not packed & np.uint64(1)
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
                same = 0  # what is equal as folds may not be
                while same < size and pattern_codes[at + same] == codes[place + same]:
                    same += 1
                if same < size:
                    continue
                if edits[query] > 1 and not promising(
                    codes,
                    begin,
                    end,
                    place,
                    pattern_codes,
                    pattern,
                    cuts,
                    cut,
                    edits[query] + 1,
                    rank,
                    groups,
                    above,
                    current,
                ):
                    continue
                run = place + size
                while run < end and run - diagonal < pattern_end and pattern_codes[run - diagonal] == codes[run]:
                    run += 1
                run_text[query], run_diagonal[query], run_end[query] = text, diagonal, run
                most = np.int64(edits[query]) if not known else hits[best_hit[query], 2]
                left, left_used = extend(
                    pattern_codes, at - 1, at - pattern, codes, place - 1, place - begin, -1, most, above, current
                )
                if left > most:
                    continue
                after = at + size
                right, right_used = extend(
                    pattern_codes, after, pattern_end - after, codes, place + size, end - place - size, 1,
                    most - left, above, current,
                )  # fmt: skip
                distance = left + right
                if distance > most:
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


@compiled()
def build_bitmap(keys, bitmap):
    """A bit for every hash."""
    bits = np.uint64(len(bitmap) * 64 - 1)
    for key in keys:
        bit = (key >> np.uint64(24)) & bits
        bitmap[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@compiled()
def choose_all(places, costs, bounds, edits, wanted, length, most_choices, cuts, cut_bounds):
    """The anchors of the texts `wanted`: (query, rank, number in `places`) of each, and the texts that have too few grams
    among those at `places` (ascending).

    Writes the borders of the segments of text q to cuts[cut_bounds[q]:cut_bounds[q + 1]]: as even as the grams allow.
    """
    room = 0
    for query in wanted:
        room += edits[query] + 1
    queries, ranks, numbers = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int64)
    without = np.empty(len(wanted), np.int64)
    made, missing, first = 0, 0, 0
    for query in wanted:
        begin, end, count = bounds[query], bounds[query + 1], edits[query] + 1
        while first < len(places) and places[first] < begin:
            first += 1
        last = first
        while last < len(places) and places[last] < end:
            last += 1
        chosen = np.empty(count, np.int64)
        if last - first < count:
            enough = False
        elif count * (last - first) <= most_choices:
            enough = choose_anchors(places[first:last], costs[first:last], count, length, chosen)
        else:
            enough = choose_evenly(places[first:last], costs[first:last], begin, end, count, length, chosen)
        if not enough:
            without[missing] = query
            missing += 1
        else:
            cut = cut_bounds[query]
            cuts[cut], cuts[cut + count] = 0, end - begin
            for rank in range(count):
                at = places[first + chosen[rank]] - begin
                if rank:
                    even = (end - begin) * rank // count
                    cuts[cut + rank] = min(max(even, places[first + chosen[rank - 1]] - begin + length), at)
                queries[made], ranks[made], numbers[made] = query, rank, first + chosen[rank]
                made += 1
        first = last
    return queries[:made], ranks[:made], numbers[:made], without[:missing]

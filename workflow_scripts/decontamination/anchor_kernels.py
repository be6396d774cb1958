"""Numba kernels that select the anchors of each text to search for."""

import numpy as np

from workflow_scripts.decontamination.numba_cache import compiled


@compiled()
def choose_cheapest(places, costs, count, length, chosen):
    """Write the `count` disjoint grams of least total cost among those at `places` (ascending) to `chosen`.

    Returns False if there are fewer. Dynamic programming: time and memory grow with count * len(places).
    """
    number = len(places)
    best = np.full((count + 1, number + 1), np.inf)
    after = np.empty(number, np.int64)
    best[0, :] = 0.0
    follower = number
    for first in range(number - 1, -1, -1):
        while follower > 0 and places[follower - 1] >= places[first] + length:
            follower -= 1
        after[first] = follower
        for needed in range(1, count + 1):
            best[needed, first] = min(best[needed, first + 1], costs[first] + best[needed - 1, follower])
    if best[count, 0] == np.inf:
        return False
    first = 0
    for needed in range(count, 0, -1):
        while best[needed, first] == best[needed, first + 1]:
            first += 1
        chosen[count - needed] = first
        first = after[first]
    return True


@compiled()
def choose_evenly(places, costs, begin, end, count, length, chosen):
    """Write the cheapest gram in each of `count` equal parts of [begin, end) to `chosen`; False if a part has none."""
    number = 0
    for part in range(count):
        first, last = begin + (end - begin) * part // count, begin + (end - begin) * (part + 1) // count
        best = -1
        while number < len(places) and places[number] + length <= last:
            if places[number] >= first and (best < 0 or costs[number] < costs[best]):
                best = number
            number += 1
        if best < 0:
            return False
        chosen[part] = best
    return True


@compiled()
def choose_all(places, costs, bounds, edits, texts, length, max_cells, cuts, cut_bounds):
    """The anchors of `texts` among the grams at `places` (ascending).

    Returns (text, rank, number in `places`) of each anchor, and the texts that have too few grams. Writes the borders of
    the segments of text q to cuts[cut_bounds[q]:cut_bounds[q + 1]], as evenly spaced as the grams allow. Up to
    `max_cells` cells of its table `choose_cheapest` is used, above them `choose_evenly`.
    """
    room = 0
    for query in texts:
        room += edits[query] + 1
    queries, ranks, numbers = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int64)
    without = np.empty(len(texts), np.int64)
    written, missing, first = 0, 0, 0
    for query in texts:
        begin, end, count = bounds[query], bounds[query + 1], edits[query] + 1
        while first < len(places) and places[first] < begin:
            first += 1
        last = first
        while last < len(places) and places[last] < end:
            last += 1
        chosen = np.empty(count, np.int64)
        if last - first < count:
            enough = False
        elif count * (last - first) <= max_cells:
            enough = choose_cheapest(places[first:last], costs[first:last], count, length, chosen)
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
                queries[written], ranks[written], numbers[written] = query, rank, first + chosen[rank]
                written += 1
        first = last
    return queries[:written], ranks[:written], numbers[:written], without[:missing]

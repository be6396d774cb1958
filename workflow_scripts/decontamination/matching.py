"""Lossless search for benchmark texts inside conversations.

similarity = 1 - d / m, where m is the length of a text in normal form, and d the least Levenshtein distance between the
text, padded by a space at both ends, and any part of the padded conversation. A hit at T % is
d <= floor(m (100 - T) / 100). The padding aligns matches with words: "what is art" is not in "what is artificial".
"""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.decontamination import search_kernels
from workflow_scripts.decontamination.index import TextIndex, words_of
from workflow_scripts.decontamination.text import NormalTexts, normal_texts

INITIAL_HIT_ROWS = 4096  # of the array for the hits of a batch, which grows when needed


@dataclass(frozen=True)
class Match:
    """The best match of text `query` of the index in text `number` of a batch.

    It is at [start, end) of the padded normal form; `distance` is in edits.
    """

    number: int
    query: int
    distance: int
    start: int
    end: int


def find_matches(index: TextIndex, texts: list[str]) -> list[Match]:
    """The best match of every text of the index in each of `texts`, if within its distance; by number and query."""
    matches = [match for normal in normal_texts(texts) for match in _search(index, normal)]
    return sorted(matches, key=lambda match: (match.number, match.query))


def _search(index: TextIndex, texts: NormalTexts) -> list[Match]:
    words = words_of(texts.folds)
    matches = []
    for kind in index.anchors:
        best_text = np.full(len(index), -1, np.int32)
        best_hit = np.empty(len(index), np.int32)
        hits = np.empty((INITIAL_HIT_ROWS, 5), np.int64)
        run_text, run_diagonal, run_end = np.full(len(index), -1), np.empty(len(index), int), np.empty(len(index), int)
        text = 0
        while text < len(texts.numbers):
            count, stopped = search_kernels.search(
                texts.codes, texts.folds, words, texts.starts, texts.bounds, texts.start_bounds, text,
                kind.every_place, kind.length, kind.bitmap, kind.table, kind.entries,
                index.codes, index.folds, index.bounds, index.edits, index.cuts, index.cut_bounds, best_text, best_hit, hits,
                run_text, run_diagonal, run_end,
            )  # fmt: skip
            matches += [_match(texts, *row) for row in hits[:count].tolist()]
            if stopped == text and count == 0:  # one text has more hits than rows
                hits = np.empty((4 * len(hits), 5), np.int64)
            text = stopped
    return matches


def _match(texts: NormalTexts, text: int, query: int, distance: int, start: int, end: int) -> Match:
    begin = int(texts.bounds[text])
    return Match(int(texts.numbers[text]), query, distance, start - begin, end - begin)

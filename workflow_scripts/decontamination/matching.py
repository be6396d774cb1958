"""Lossless search for benchmark texts inside conversations.

similarity = 1 - d / m, where m is the query's normalised length and d the least Levenshtein distance between the
query, padded by one space on both sides, and any part of the padded conversation text. A hit at T % is
d <= floor(m (100 - T) / 100). The pads make it word-aligned: "what is art" is not inside "what is artificial".
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import edlib

from workflow_scripts.decontamination.text import normalise

# Below 90 % the pieces of the filter become too short to filter; another method is needed there.
LOWEST_LEVEL = 90
# edlib compares at most this many distinct characters; longer alphabets take the slower exact search below.
EDLIB_ALPHABET = 255


def allowed_edits(length: int, level: int) -> int:
    """Most edits of a hit at `level` percent for a query of `length` code points."""
    return length * (100 - level) // 100


@dataclass(frozen=True)
class Query:
    """A text to look for: its normal form and the most edits still of interest."""

    normal: str
    edits: int

    @cached_property
    def padded(self) -> str:
        """The normal form between its two spaces."""
        return f" {self.normal} "

    @cached_property
    def pieces(self) -> list[str]:
        """`edits` + 1 disjoint parts of the padded text: so many edits cannot touch them all."""
        text, count = self.padded, self.edits + 1
        bounds = [len(text) * i // count for i in range(count + 1)]
        return [text[a:b] for a, b in itertools.pairwise(bounds)]


@dataclass(frozen=True)
class Match:
    """The best place of a query in a text: distance in edits, [start, end) in the padded normal text."""

    distance: int
    start: int
    end: int


def find(query: Query, text: str) -> Match | None:
    """The best match of a query in a padded normal text, or None beyond its edits.

    By the pigeonhole principle a match within k edits holds one of k + 1 disjoint pieces verbatim, so a text with
    none of them is passed over; this loses nothing.
    """
    if not any(piece in text for piece in query.pieces):
        return None
    pattern = query.padded
    letters = set(pattern)
    if len(letters) >= EDLIB_ALPHABET:
        return _find_any_alphabet(pattern, text, query.edits)
    # Characters that the query lacks can never match: one stand-in for all keeps edlib's alphabet small.
    stand_in = next(chr(code) for code in range(0xE000, 0xF000) if chr(code) not in letters)
    reduced = "".join(char if char in letters else stand_in for char in text)
    found = edlib.align(pattern, reduced, mode="HW", task="locations", k=query.edits)
    if found["editDistance"] < 0:
        return None
    start, last = found["locations"][0]
    return Match(found["editDistance"], start or 0, last + 1)


def _find_any_alphabet(pattern: str, text: str, edits: int) -> Match | None:
    """Sellers' algorithm, one column at a time: exact for any alphabet, O(len(pattern) len(text))."""
    column = [(row, 0) for row in range(len(pattern) + 1)]
    best: Match | None = None
    for position, char in enumerate(text):
        above, column = column, [(0, position + 1)]
        for row, letter in enumerate(pattern, 1):
            diagonal = (above[row - 1][0] + (letter != char), above[row - 1][1])
            column.append(
                min(diagonal, (above[row][0] + 1, above[row][1]), (column[row - 1][0] + 1, column[row - 1][1]))
            )
        distance, start = column[-1]
        if distance <= edits and (best is None or distance < best.distance):
            best = Match(distance, start, position + 1)
    return best


class ConversationText:
    """The turns of a conversation as one padded normal text, and where each turn lies in it."""

    def __init__(self, turns: list[str]):
        parts, self.ends, position = [], [], 1
        for turn in turns:
            normal = normalise(turn)
            parts.append(normal)
            position += len(normal) + (1 if normal else 0)
            self.ends.append(position)
        joined = " ".join(part for part in parts if part)
        self.text = f" {joined} "

    def turn_at(self, position: int) -> int:
        """The turn that holds a position of the padded text."""
        return next((turn for turn, end in enumerate(self.ends) if position < end), len(self.ends) - 1)

"""Map positions in the normal form to positions in the original turns."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workflow_scripts.decontamination import text_kernels
from workflow_scripts.decontamination.text import (
    character_table,
    code_points,
    format_characters,
    has_boundary_before,
    letters_of,
)


@dataclass(frozen=True)
class Span:
    """Characters [start, end): from `start` of turn `turn` up to `end` of turn `end_turn`, turns counted from 0."""

    turn: int
    start: int
    end_turn: int
    end: int


class OffsetMapping:
    """The padded normal form of a conversation's turns, with the original offsets of each of its characters."""

    def __init__(self, turns: list[str]):
        self._turns = turns
        self._text = "\n".join(turns)
        self._begins = [0]
        for turn in turns[:-1]:
            self._begins.append(self._begins[-1] + len(turn) + 1)
        letters, starts, ends = _normal_letters(self._text)
        spaces = letters == text_kernels.SPACE
        kept = np.flatnonzero(~(spaces & np.concatenate([[True], spaces[:-1]])))
        inner = letters[kept].tobytes().decode("utf-32-le", "surrogatepass")
        self.normal = f" {inner}" if not inner or inner.endswith(" ") else f" {inner} "
        self._starts, self._ends = starts[kept], ends[kept]  # of all characters but the first space

    def span(self, start: int, end: int) -> Span:
        """The original span of [start, end) of the padded normal form, without the spaces at both ends."""
        while self.normal[start] == " ":
            start += 1
        while self.normal[end - 1] == " ":
            end -= 1
        turn, begin = self._turn_at(int(self._starts[start - 1]))
        end_turn, last = self._turn_at(int(self._ends[end - 2]) - 1)
        return Span(turn, begin, end_turn, last + 1)

    def original(self, span: Span) -> str:
        """The original text of a span, with a line break between two turns."""
        return self._text[self._begins[span.turn] + span.start : self._begins[span.end_turn] + span.end]

    def _turn_at(self, place: int) -> tuple[int, int]:
        turn = bisect.bisect_right(self._begins, place) - 1
        return turn, place - self._begins[turn]


def _normal_letters(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The normal form of a text before runs of spaces are merged, and the original start and end of each character."""
    raw, table = code_points(text), character_table()
    letters = table[np.minimum(raw, len(table) - 1)]
    places = np.arange(len(raw))
    parts, place = [], 0
    for start, end in _pieces(text, np.flatnonzero(letters == text_kernels.COMPLEX).tolist()):
        codes = code_points("".join(letter if letter.isalnum() else " " for letter in letters_of(text[start:end])))
        parts.append((letters[place:start], places[place:start], places[place:start] + 1))
        parts.append((codes, np.full(len(codes), start), np.full(len(codes), end)))
        place = end
    parts.append((letters[place:], places[place:], places[place:] + 1))
    letters, starts, ends = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    kept = letters != text_kernels.DELETED
    return letters[kept], starts[kept], ends[kept]


def _pieces(text: str, complex_places: list[int]) -> Iterator[tuple[int, int]]:
    """[start, end) of the parts of a text around its complex characters that can be normalised separately.

    A part begins with a character that is not removed and has a normalisation boundary before it.
    """
    removed = format_characters()

    def begins(letter: str) -> bool:
        return ord(letter) not in removed and has_boundary_before(letter)

    done = 0
    for place in complex_places:
        if place < done:
            continue
        start = place
        while start > done and not begins(text[start]):
            start -= 1
        done = place + 1
        while done < len(text) and not begins(text[done]):
            done += 1
        yield start, done

"""New words of a dataset: words that are not part of an n-gram that also occurs in a seed.

This inverts the n-gram contamination measure of GPT-3 and lm-eval. Like any such measure it counts a paraphrase as new, and
it compares with the seeds only, not with other text online.
"""

import re
from collections.abc import Iterable

import numpy as np

from workflow_scripts.common.types import Seed

WORD = re.compile(r"[^\W_]+")


class SeedWords:
    """The word n-grams of all seeds, with n = `gram`; a shorter text is compared as a whole."""

    def __init__(self, texts: Iterable[str], gram: int):
        self.gram = gram
        self._numbers: dict[str, int] = {}
        self._factors = _mixed(np.arange(1, gram + 1, dtype=np.uint64)) | np.uint64(1)
        self._short: set[tuple[str, ...]] = set()
        hashes = [np.empty(0, np.uint64)]
        for text in texts:
            words = WORD.findall(text.casefold())
            if len(words) < gram:
                self._short.add(tuple(words))
            else:
                hashes.append(self._hashes(words))
        self._known = np.unique(np.concatenate(hashes))

    def _hashes(self, words: list[str]) -> np.ndarray:
        """A 64-bit hash of each n-gram, shape (len(words) - gram + 1,)."""
        numbers = np.fromiter(
            (self._numbers.setdefault(word, len(self._numbers)) for word in words), np.uint64, len(words)
        )
        mixed = _mixed(numbers)
        count = len(words) - self.gram + 1
        total = np.zeros(count, np.uint64)
        for place in range(self.gram):
            total += mixed[place : place + count] * self._factors[place]
        return total

    def count(self, text: str) -> tuple[int, int]:
        """(words, old words) of a text."""
        words = WORD.findall(text.casefold())
        if len(words) < self.gram:
            return len(words), len(words) if words and tuple(words) in self._short else 0
        hashes = self._hashes(words)
        places = np.minimum(np.searchsorted(self._known, hashes), max(len(self._known) - 1, 0))
        hits = self._known[places] == hashes if len(self._known) else np.zeros(len(hashes), bool)
        # A word is old if any n-gram that covers it is known: mark where known n-grams begin and end.
        edges = np.zeros(len(words) + 1, np.int64)
        np.add.at(edges, np.flatnonzero(hits), 1)
        np.add.at(edges, np.flatnonzero(hits) + self.gram, -1)
        return len(words), int((np.cumsum(edges)[:-1] > 0).sum())


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (public domain, Vigna 2015), which decorrelates consecutive numbers."""
    value = numbers + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def seed_texts(seed: Seed) -> list[str]:
    """All texts of a seed, including those of a complete conversation."""
    turns = seed["meta"].get("conversation") or []
    texts = [seed["instruction"], seed.get("context"), seed["response"], *(turn[key] for turn in turns for key in turn)]
    return [text for text in texts if text]

"""How much of a data set is new: words that stand in no run of words that a seed has too.

The measure of lm-eval's and GPT-3's contamination counts, n consecutive words in common, turned round. It is lenient to
paraphrase, as every such measure is, and blind to what is online but no seed.
"""

import re
from collections.abc import Iterable

import numpy as np

WORD = re.compile(r"[^\W_]+")


class Seeds:
    """The runs of `gram` words of all seeds; shorter texts are known as a whole."""

    def __init__(self, texts: Iterable[str], gram: int):
        self.gram = gram
        self._numbers: dict[str, int] = {}
        self._factors = _mixed(np.arange(1, gram + 1, dtype=np.uint64)) | np.uint64(1)
        self._short: set[tuple[str, ...]] = set()
        found = [np.empty(0, np.uint64)]
        for text in texts:
            words = WORD.findall(text.casefold())
            if len(words) < gram:
                self._short.add(tuple(words))
            else:
                found.append(self._runs(words))
        self._known = np.unique(np.concatenate(found))

    def _runs(self, words: list[str]) -> np.ndarray:
        """A 64-bit hash of each run of `gram` words, shape (len(words) - gram + 1,)."""
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
        """(words, words that are old) of a text."""
        words = WORD.findall(text.casefold())
        if len(words) < self.gram:
            return len(words), len(words) if words and tuple(words) in self._short else 0
        runs = self._runs(words)
        places = np.minimum(np.searchsorted(self._known, runs), max(len(self._known) - 1, 0))
        hits = self._known[places] == runs if len(self._known) else np.zeros(len(runs), bool)
        # A word is old if any run that covers it is: mark where such runs begin and end.
        edges = np.zeros(len(words) + 1, np.int64)
        np.add.at(edges, np.flatnonzero(hits), 1)
        np.add.at(edges, np.flatnonzero(hits) + self.gram, -1)
        return len(words), int((np.cumsum(edges)[:-1] > 0).sum())


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """splitmix64's last steps: neighbouring numbers become unlike ones (public domain, Vigna 2015)."""
    value = numbers + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def seed_texts(seed: dict) -> list[str]:
    """All texts of a seed, with those of a conversation that is taken over as it is."""
    turns = seed["meta"].get("conversation") or []
    texts = [seed["instruction"], seed.get("context"), seed["response"], *(turn[key] for turn in turns for key in turn)]
    return [text for text in texts if text]

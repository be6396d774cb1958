"""The MinHash baseline (documented: the V1.9 card): whole turns that are near-duplicates of an item's text.

MinHash with locality-sensitive hashing proposes pairs; the Jaccard similarity of character 5-grams of the normal forms
decides. An item inside a longer turn is not found, because the rest of the turn is part of the union.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.text import normalise
from workflow_scripts.seeds.duplicates import BANDS, jaccards, minhash, shingle_set, shingles


class MinHashBaseline:
    """The queries (rows of queries.jsonl) that are a reason to remove, for comparison with turns by MinHash."""

    def __init__(self, queries: list[Row], lowest_level: int):
        self._min_similarity = lowest_level / 100
        self._uses: dict[str, list[Row]] = {}
        for query in queries:
            if query["removes"] and not query["exact_only"]:
                self._uses.setdefault(query["normal"], []).append(query)
        self._texts = list(self._uses)
        self._sizes = np.array([len(text) for text in self._texts])
        bands = _bands(self._texts)
        self._order = np.argsort(bands, axis=0, kind="stable")
        self._bands = np.take_along_axis(bands, self._order, axis=0)

    def find(self, conversation_ids: list[str], turns: list[list[str]]) -> Iterator[Row]:
        """{id, turn, benchmark, item, field, similarity} of each pair of turn and item with at least the lowest level."""
        owners = [(number, turn) for number, texts in enumerate(turns) for turn in range(len(texts))]
        normals = [normalise(turns[number][turn]) for number, turn in owners]
        # Sets of more different sizes are less similar; a text has at most as many shingles as characters.
        longest = max(self._sizes, default=0) / self._min_similarity + 5
        places = [place for place, normal in enumerate(normals) if 0 < len(normal) <= longest]
        bands = _bands([normals[place] for place in places])
        for row, place in enumerate(places):
            texts = self._proposed(bands[row])
            if not texts:
                continue
            own_shingles = shingle_set(normals[place], np.uint64(0))
            similarities = jaccards(own_shingles, [shingle_set(self._texts[text], np.uint64(0)) for text in texts])
            number, turn = owners[place]
            for text, similarity in zip(texts, similarities.tolist(), strict=True):
                if similarity >= self._min_similarity:
                    for use in self._uses[self._texts[text]]:
                        item = {name: use[name] for name in ("benchmark", "item", "field")}
                        yield {"id": conversation_ids[number], "turn": turn, **item, "similarity": similarity}

    def _proposed(self, bands: np.ndarray) -> list[int]:
        """The numbers of the texts that share at least one band."""
        found: set[int] = set()
        for band in range(BANDS if self._texts else 0):
            column = self._bands[:, band]
            first, last = np.searchsorted(column, bands[band]), np.searchsorted(column, bands[band], side="right")
            found.update(self._order[first:last, band].tolist())
        return sorted(found)


def _bands(texts: list[str]) -> np.ndarray:
    if not texts:
        return np.zeros((0, BANDS), np.uint64)
    hashes, offsets = shingles(pa.array(texts, pa.large_string()), np.zeros(len(texts), np.uint64))
    return minhash(hashes, offsets)[1]

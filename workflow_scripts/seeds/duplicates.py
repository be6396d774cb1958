"""Exact and near duplicates among seeds; the same rows in any order give the same survivors.

MinHash with locality-sensitive hashing (rensa) proposes pairs, the Jaccard similarity of the texts decides.
"""

import functools
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rensa import RMinHash

from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.tables import BATCH
from workflow_scripts.common.text_arrays import characters
from workflow_scripts.seeds import texts

PERMUTATIONS = 128
BANDS = 32  # of 4: a pair at 0.8 is proposed with probability 1 - (1 - 0.8^4)^32 = 0.99999995
SHINGLE = 5  # characters: word shingles, the web-corpus default, miss most near copies of short texts
SPACES = r"[\s\v\x{85}\pZ]+"  # RE2's \s alone knows ASCII only
MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64
LARGE_SOURCE, TEMPLATE_SHARE = 1000, 0.1  # rows a source must have to be looked at for a template; see _Shingled
BUCKETS = 2**20  # of shingles, for counting them
TOLD = ("source", "dataset", "revision", "reference", "category", "meta")
COLUMNS = ["id", "source", "dataset", "revision", "kind", "task", "instruction", "context", "response", "reference", "conversation", "category", "meta"]  # fmt: skip


@dataclass
class Found:
    """What became of each row, in the rows' own order: -1 for a survivor, else the number of the row that survived it,
    and the Jaccard similarity of the two (1 where the texts are equal)."""

    survivor: np.ndarray
    jaccard: np.ndarray
    exact: np.ndarray


def comparison_texts(seeds: pa.Table) -> pa.Array:
    """What makes two seeds the same: request and context, or a whole conversation, in lower case, white space as one space.

    Punctuation stays: two equations may differ in nothing but their signs. Of a post only its text counts.
    """
    asked = pc.binary_join_element_wise(seeds["instruction"].combine_chunks(), seeds["context"].combine_chunks(), " ")
    asked = pc.if_else(pc.equal(seeds["kind"], "post").combine_chunks(), seeds["context"].combine_chunks(), asked)
    dialogue = seeds["conversation"].is_valid()
    if pc.any(dialogue).as_py():
        dialogues = seeds.filter(dialogue)
        turns = texts.of(dialogues)
        offsets = np.searchsorted(turns.rows, np.arange(dialogues.num_rows + 1))
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns.texts), " ")
        asked = pc.replace_with_mask(asked, dialogue.combine_chunks(), joined)
    plain = pc.utf8_lower(pc.utf8_normalize(asked, form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, SPACES, " "))


def shingles(table: pa.Array, salts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of every text's character 5-grams in a row, and offsets; a shorter text is its own and only shingle.

    Texts of different salts (uint64, one a text) share no hash.
    """
    codes, offsets = characters(pc.utf8_rpad(table, SHINGLE, "\0"))
    windows = _windows(codes)
    owner = np.repeat(np.arange(len(table)), np.diff(offsets))[: len(windows)]
    inside = np.arange(len(windows)) + SHINGLE <= offsets[owner + 1]
    counts = np.maximum(np.diff(offsets) - SHINGLE + 1, 0)
    return _mixed(windows[inside] + salts[owner[inside]]), np.concatenate([[0], np.cumsum(counts)])


def shingle_set(text: str, salt: np.uint64) -> np.ndarray:
    """The same of one text, sorted and each once."""
    codes = np.frombuffer(text.ljust(SHINGLE, "\0").encode("utf-32-le"), dtype=np.uint32)
    return np.unique(_mixed(_windows(codes) + salt))


def _windows(codes: np.ndarray) -> np.ndarray:
    """A hash of every five neighbouring characters."""
    windows = np.zeros(max(len(codes) - SHINGLE + 1, 0), dtype=np.uint64)
    for place in range(SHINGLE):
        windows = windows * MIX[0] + codes[place : place + len(windows)]
    return windows


def _mixed(hashes: np.ndarray) -> np.ndarray:
    for shift, factor in ((30, MIX[1]), (27, MIX[2])):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * factor
    return hashes ^ (hashes >> np.uint64(31))


def minhash(hashes: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MinHash values, shape (texts, permutations), and band hashes, shape (texts, bands), of texts whose shingles lie in
    a row, text t from offsets[t] to offsets[t + 1]."""
    count = len(offsets) - 1
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, 1)
    digests = np.array(matrix.to_rows(), dtype=np.uint64).reshape(count, BANDS, PERMUTATIONS // BANDS)
    band = np.zeros(digests.shape[:2], dtype=np.uint64)
    for place in range(digests.shape[2]):
        band = (band ^ digests[:, :, place]) * MIX[0]
        band ^= band >> np.uint64(29)
    return digests.reshape(count, PERMUTATIONS), band


def jaccards(one: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Share of common elements of a sorted set and each of several, 0 to 1, shape (others,)."""
    flat = np.concatenate(others)
    sizes = np.array([len(other) for other in others])
    found = one[np.minimum(np.searchsorted(one, flat), len(one) - 1)] == flat
    common = np.add.reduceat(found, np.concatenate([[0], np.cumsum(sizes[:-1])]))
    return common / (len(one) + sizes - common)


class Collection:
    """The texts of all seeds to compare, added table by table: memory grows with these texts and ~450 bytes a row."""

    def __init__(self) -> None:
        self._texts: list[pa.Array] = []
        self._keys: list[np.ndarray] = []
        self._exact: list[np.ndarray] = []
        self._salts: list[np.ndarray] = []
        self._sources: list[pa.Array] = []

    def add(self, seeds: pa.Table) -> None:
        """Remember the seeds (columns: `COLUMNS`)."""
        compared = comparison_texts(seeds).cast(pa.large_string())
        tasks = seeds["task"].to_pylist()
        rest = zip(*(seeds[name].to_pylist() for name in TOLD), strict=True)
        # Rows of one id may still differ in what else is told of them.
        keys = [f"{row}{content_id(*more)}" for row, more in zip(seeds["id"].to_pylist(), rest, strict=True)]
        exact = [
            hashlib.blake2b(f"{task}\0{text}".encode(), digest_size=16).digest()
            for task, text in zip(tasks, compared.to_pylist(), strict=True)
        ]
        self._texts.append(compared)
        self._keys.append(np.array(keys, dtype="S32"))
        self._exact.append(np.array(exact, dtype="S16"))
        self._salts.append(np.array([_hash64(task or "") for task in tasks], dtype=np.uint64))
        self._sources.append(seeds["source"].combine_chunks())

    def duplicates(self, threshold: float | None) -> Found:
        """Which row survives which; a pair is a near duplicate from `threshold` (Jaccard of character 5-grams) on.

        Rows are judged in the order of their ids against the survivors so far, and the closest survivor is named.
        """
        if not self._keys:
            return Found(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0, dtype=bool))
        order = np.argsort(np.concatenate(self._keys), kind="stable")
        # From here on rows go by their rank in that order; a row's leader is the first that has the same text.
        _, first, inverse = np.unique(np.concatenate(self._exact)[order], return_index=True, return_inverse=True)
        leader = first[inverse]
        ranks = np.arange(len(order))
        survivor, similarity = ranks.copy(), np.ones(len(order))
        if threshold is not None:
            leaders = np.flatnonzero(leader == ranks)
            for row, kept, value in self._near(order[leaders], threshold):
                survivor[leaders[row]], similarity[leaders[row]] = leaders[kept], value
        survivor, similarity = survivor[leader], similarity[leader]
        found = Found(np.full(len(order), -1), np.ones(len(order)), np.zeros(len(order), dtype=bool))
        taken = survivor != ranks
        found.survivor[order[taken]] = order[survivor[taken]]
        found.jaccard[order] = similarity
        found.exact[order] = taken & (survivor == leader)
        return found

    def _near(self, order: np.ndarray, threshold: float) -> Iterator[tuple[int, int, float]]:
        """(place, survivor's place, Jaccard) in `order` of the near duplicates among these rows."""
        rows = _Shingled(
            pa.chunked_array(self._texts).take(pa.array(order)).combine_chunks(),
            np.concatenate(self._salts)[order],
            pa.chunked_array(self._sources).take(pa.array(order)).combine_chunks(),
        )
        sketches, bands = rows.sketches()
        # Four standard deviations of the estimate below the threshold nothing is worth a closer look.
        least = threshold - 4 * np.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
        grams = functools.lru_cache(maxsize=200_000)(rows.grams)
        survivors: dict[int, list[int]] = defaultdict(list)
        bar = progress(len(order), "comparing seeds", "seed")
        for place, groups in _shared(bands):
            bar.update(place - bar.n)
            near = np.array(sorted({other for group in groups for other in survivors[group]}), dtype=int)
            likely = near[(sketches[near] == sketches[place]).mean(axis=1) >= least] if len(near) else near
            found = jaccards(grams(place), [grams(int(other)) for other in likely]) if len(likely) else likely
            # Of equally close survivors the first in the order of ids is named.
            if len(found) and found.max() >= threshold:
                yield place, int(likely[found.argmax()]), float(found.max())
            else:
                for group in groups:
                    survivors[group].append(place)
        bar.update(len(order) - bar.n)
        bar.close()


class _Shingled:
    """Texts as sets of shingles, but for those of a template: what a tenth of a large source's rows hold tells none apart."""

    def __init__(self, texts: pa.Array, salts: np.ndarray, sources: pa.Array):
        self._texts, self._salts = texts, salts
        encoded = sources.dictionary_encode()
        self._source = encoded.indices.to_numpy()
        self._common = np.zeros((len(encoded.dictionary), BUCKETS), dtype=bool)
        sizes = np.bincount(self._source, minlength=len(encoded.dictionary))
        self._large = sizes >= LARGE_SOURCE
        if self._large.any():
            counts = np.zeros(self._common.shape, dtype=np.int32)
            for start, hashes, owner in self._batches("looking for templates"):
                buckets = (hashes % np.uint64(BUCKETS)).astype(np.int64)
                pairs = np.sort(owner.astype(np.int64) * BUCKETS + buckets)
                pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]  # each shingle of a row once
                np.add.at(counts, (self._source[start + pairs // BUCKETS], pairs % BUCKETS), 1)
            self._common = (counts > sizes[:, None] * TEMPLATE_SHARE) & self._large[:, None]

    def _batches(self, description: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first row, hashes, whose each is within the batch) of all texts."""
        with progress(len(self._texts), description, "seed") as bar:
            for start in range(0, len(self._texts), BATCH):
                texts = self._texts.slice(start, BATCH)
                hashes, offsets = shingles(texts, self._salts[start : start + BATCH])
                yield start, hashes, np.repeat(np.arange(len(texts)), np.diff(offsets))
                bar.update(len(texts))

    def sketches(self) -> tuple[np.ndarray, np.ndarray]:
        """One byte of each MinHash value, for estimates, shape (rows, permutations); and band hashes, shape (rows, bands)."""
        sketches, bands = [np.zeros((0, PERMUTATIONS), dtype=np.uint8)], [np.zeros((0, BANDS), dtype=np.uint64)]
        for start, hashes, owner in self._batches("sketching seeds"):
            count = min(BATCH, len(self._texts) - start)
            kept = self._told(hashes, self._source[start + owner], owner, count)
            offsets = np.searchsorted(owner[kept], np.arange(count + 1))
            digests, band = minhash(hashes[kept], offsets)
            sketches.append(digests.astype(np.uint8))
            bands.append(band)
        return np.concatenate(sketches), np.concatenate(bands)

    def _told(self, hashes: np.ndarray, source: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
        """Which shingles count; all of a row that consists of its template alone."""
        own = ~self._common[source, (hashes % np.uint64(BUCKETS)).astype(np.int64)]
        alone = np.bincount(owner[own], minlength=count) == 0
        return own | alone[owner]

    def grams(self, row: int) -> np.ndarray:
        """A row's shingles that count, sorted."""
        hashes = shingle_set(self._texts[row].as_py(), self._salts[row])
        zeros = np.zeros(len(hashes), dtype=np.int64)
        return hashes[self._told(hashes, zeros + self._source[row], zeros, 1)]


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _shared(bands: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    """Rows that share at least one band with another, ascending, each with the numbers of the groups it is in."""
    rows, groups, count = [], [], 0
    for column in bands.T:
        order = np.argsort(column, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(column[order]) != 0]))
        sizes = np.diff(np.append(starts, len(order)))
        numbers = np.repeat(np.arange(len(starts)), sizes)
        several = np.repeat(sizes > 1, sizes)
        rows.append(order[several].astype(np.int32))
        groups.append((numbers[several] + count).astype(np.int64))
        count += len(starts)
    row, group = np.concatenate(rows), np.concatenate(groups)
    order = np.argsort(row, kind="stable")
    row, group = row[order], group[order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(row) != 0])) if len(row) else []
    for start, end in itertools.pairwise([*starts, len(row)]):
        yield int(row[start]), group[start:end].tolist()

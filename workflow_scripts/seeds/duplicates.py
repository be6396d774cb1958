"""Exact and near duplicates among seeds. The survivors do not depend on the order of the rows.

MinHash with locality-sensitive hashing (rensa) proposes candidate pairs; their exact Jaccard similarity decides.
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
from workflow_scripts.seeds.texts import flatten_texts

PERMUTATIONS = 128
BANDS = 32  # of 4 values: a pair at 0.8 is proposed with probability 1 - (1 - 0.8^4)^32 = 0.99999995; at 0.6, 0.988
SHINGLE_CHARS = 5  # word shingles, the default for web corpora, miss most near duplicates of short texts
WHITE_SPACE = r"[\s\v\x{85}\pZ]+"  # RE2's \s matches ASCII only
SPLITMIX64 = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
# A shingle in more than TEMPLATE_SHARE of the rows of a source with TEMPLATE_MIN_ROWS rows belongs to a template.
TEMPLATE_MIN_ROWS, TEMPLATE_SHARE = 1000, 0.1
BUCKETS = 2**20  # counters of shingles, per source
BATCH_CHARS = 8_000_000  # of texts whose shingles are in memory at once
TIE_BREAKERS = ("source", "dataset", "revision", "reference", "category", "meta")
COLUMNS = ["id", "source", "dataset", "revision", "kind", "task", "instruction", "context", "response", "reference", "conversation", "category", "meta"]  # fmt: skip


@dataclass
class Duplicates:
    """The result for each row, in the order in which rows were added; arrays of shape (rows,).

    `survivor` is -1 for a survivor, else the number of the row that is kept in its place; `jaccard` is the similarity of
    the two, 1 for equal texts; `exact` is whether the texts are equal.
    """

    survivor: np.ndarray
    jaccard: np.ndarray
    exact: np.ndarray


def comparison_texts(seeds: pa.Table) -> pa.Array:
    """The texts by which seeds are compared, in lower case, NFKC, with single spaces.

    The text is request and context, the context alone for a post, all turns for a conversation. Punctuation is kept: two
    equations may differ only in their signs.
    """
    request = pc.binary_join_element_wise(seeds["instruction"].combine_chunks(), seeds["context"].combine_chunks(), " ")
    request = pc.if_else(pc.equal(seeds["kind"], "post").combine_chunks(), seeds["context"].combine_chunks(), request)
    dialogue = seeds["conversation"].is_valid()
    if pc.any(dialogue).as_py():
        dialogues = seeds.filter(dialogue)
        turns = flatten_texts(dialogues)
        offsets = np.searchsorted(turns.rows, np.arange(dialogues.num_rows + 1))
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns.texts), " ")
        request = pc.replace_with_mask(request, dialogue.combine_chunks(), joined)
    return plain_texts(request)


def plain_texts(texts: pa.Array) -> pa.Array:
    """The texts in lower case, NFKC, with single spaces."""
    plain = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, WHITE_SPACE, " "))


def shingles(texts: pa.Array, salts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of the character 5-grams of all texts, and offsets (texts + 1) of the first shingle of each text.

    A text shorter than 5 characters is one shingle. `salts` is uint64, shape (texts,); texts with different salts have
    no hash in common.
    """
    codes, offsets = characters(pc.utf8_rpad(texts, SHINGLE_CHARS, "\0"))
    windows = _windows(codes)
    owner = np.repeat(np.arange(len(texts)), np.diff(offsets))[: len(windows)]
    inside = np.arange(len(windows)) + SHINGLE_CHARS <= offsets[owner + 1]
    counts = np.maximum(np.diff(offsets) - SHINGLE_CHARS + 1, 0)
    return _mix(windows[inside] + salts[owner[inside]]), np.concatenate([[0], np.cumsum(counts)])


def shingle_set(text: str, salt: np.uint64) -> np.ndarray:
    """The distinct hashes of one text, sorted."""
    codes = np.frombuffer(text.ljust(SHINGLE_CHARS, "\0").encode("utf-32-le"), dtype=np.uint32)
    return np.unique(_mix(_windows(codes) + salt))


def _windows(codes: np.ndarray) -> np.ndarray:
    """A hash of every window of `SHINGLE_CHARS` code points."""
    windows = np.zeros(max(len(codes) - SHINGLE_CHARS + 1, 0), dtype=np.uint64)
    for place in range(SHINGLE_CHARS):
        windows = windows * SPLITMIX64[0] + codes[place : place + len(windows)]
    return windows


def _mix(hashes: np.ndarray) -> np.ndarray:
    for shift, factor in ((30, SPLITMIX64[1]), (27, SPLITMIX64[2])):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * factor
    return hashes ^ (hashes >> np.uint64(31))


def minhash(hashes: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MinHash values, shape (texts, permutations), and band hashes, shape (texts, bands).

    The shingles of text t are hashes[offsets[t] : offsets[t + 1]].
    """
    count = len(offsets) - 1
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, 1)
    digests = np.array(matrix.to_rows(), dtype=np.uint64).reshape(count, BANDS, PERMUTATIONS // BANDS)
    band = np.zeros(digests.shape[:2], dtype=np.uint64)
    for place in range(digests.shape[2]):
        band = (band ^ digests[:, :, place]) * SPLITMIX64[0]
        band ^= band >> np.uint64(29)
    return digests.reshape(count, PERMUTATIONS), band


def jaccards(one: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Jaccard similarities, 0 to 1, of a sorted set with each of the others, shape (others,)."""
    flat = np.concatenate(others)
    sizes = np.array([len(other) for other in others])
    shared = one[np.minimum(np.searchsorted(one, flat), len(one) - 1)] == flat
    common = np.add.reduceat(shared, np.concatenate([[0], np.cumsum(sizes[:-1])]))
    return common / (len(one) + sizes - common)


class Collection:
    """The texts of all seeds to compare, added table by table. Memory: these texts and about 450 bytes per row."""

    def __init__(self) -> None:
        self._texts: list[pa.Array] = []
        self._keys: list[np.ndarray] = []
        self._exact: list[np.ndarray] = []
        self._salts: list[np.ndarray] = []
        self._sources: list[pa.Array] = []

    def add(self, seeds: pa.Table) -> None:
        """Add seeds, a table with the columns `COLUMNS`."""
        compared = comparison_texts(seeds).cast(pa.large_string())
        tasks = seeds["task"].to_pylist()
        rest = zip(*(seeds[name].to_pylist() for name in TIE_BREAKERS), strict=True)
        # Rows with equal ids may differ in other columns, which then decide the order.
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

    def duplicates(self, threshold: float | None) -> Duplicates:
        """The duplicates. A pair with a Jaccard similarity of at least `threshold` is a near duplicate; None: exact only.

        Rows are compared in the order of their ids with the survivors so far; the closest survivor is reported.
        """
        if not self._keys:
            return Duplicates(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0, dtype=bool))
        order = np.argsort(np.concatenate(self._keys), kind="stable")
        # From here on rows are identified by their rank in that order. The leader of a row is the first with its text.
        _, first, inverse = np.unique(np.concatenate(self._exact)[order], return_index=True, return_inverse=True)
        leader = first[inverse]
        ranks = np.arange(len(order))
        survivor, similarity = ranks.copy(), np.ones(len(order))
        if threshold is not None:
            leaders = np.flatnonzero(leader == ranks)
            for row, kept, value in near_pairs(self._shingle_sets(order[leaders]), threshold, among_survivors=True):
                survivor[leaders[row]], similarity[leaders[row]] = leaders[kept], value
        survivor, similarity = survivor[leader], similarity[leader]
        result = Duplicates(np.full(len(order), -1), np.ones(len(order)), np.zeros(len(order), dtype=bool))
        removed = survivor != ranks
        result.survivor[order[removed]] = order[survivor[removed]]
        result.jaccard[order] = similarity
        result.exact[order] = removed & (survivor == leader)
        return result

    def _shingle_sets(self, order: np.ndarray) -> "ShingleSets":
        return ShingleSets(
            pa.chunked_array(self._texts).take(pa.array(order)).combine_chunks(),
            np.concatenate(self._salts)[order],
            pa.chunked_array(self._sources).take(pa.array(order)).combine_chunks(),
        )


def near_pairs(rows: "ShingleSets", threshold: float, among_survivors: bool) -> Iterator[tuple[int, int, float]]:
    """(row, earlier row, Jaccard similarity) of pairs of rows with at least this similarity.

    All pairs; or, `among_survivors`, for each row the closest earlier row that is not a near duplicate itself.
    """
    sketches, bands = rows.sketches()
    # Candidates whose estimate is four standard deviations below the threshold are skipped.
    min_estimate = threshold - 4 * np.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    shingle_set_of = functools.lru_cache(maxsize=200_000)(rows.shingle_set)
    earlier: dict[int, list[int]] = defaultdict(list)  # rows to compare with, by group
    bar = progress(len(rows), "comparing texts", "text")
    for row, groups in _band_groups(bands):
        bar.update(row - bar.n)
        others = np.array(sorted({other for group in groups for other in earlier[group]}), dtype=int)
        likely = others[(sketches[others] == sketches[row]).mean(axis=1) >= min_estimate] if len(others) else others
        found = likely
        if len(likely):
            found = jaccards(shingle_set_of(row), [shingle_set_of(int(other)) for other in likely])
        near = found >= threshold
        if not among_survivors:
            yield from ((row, int(other), float(value)) for other, value in zip(likely[near], found[near], strict=True))
        elif near.any():  # of equally close survivors the first in the order of ids
            yield row, int(likely[found.argmax()]), float(found.max())
            continue
        for group in groups:
            earlier[group].append(row)
    bar.update(len(rows) - bar.n)
    bar.close()


class ShingleSets:
    """Texts as sets of shingles without the shingles of templates: those that many rows of a large source contain.

    `texts` are plain texts (`plain_texts`), `sources` their sources; texts with different `salts` are never compared.
    """

    def __init__(self, texts: pa.Array, salts: np.ndarray, sources: pa.Array):
        self._texts, self._salts = texts, salts
        chars = int(pc.sum(pc.utf8_length(texts)).as_py() or 0)
        self._step = max(1, min(BATCH, BATCH_CHARS * len(texts) // max(chars, 1)))  # rows of average length
        encoded = sources.dictionary_encode()
        self._source = encoded.indices.to_numpy()
        self._common = np.zeros((len(encoded.dictionary), BUCKETS), dtype=bool)
        sizes = np.bincount(self._source, minlength=len(encoded.dictionary))
        self._large = sizes >= TEMPLATE_MIN_ROWS
        if self._large.any():
            counts = np.zeros(self._common.shape, dtype=np.int32)
            for start, hashes, owner in self._batches("searching for templates"):
                buckets = (hashes % np.uint64(BUCKETS)).astype(np.int64)
                pairs = np.sort(owner.astype(np.int64) * BUCKETS + buckets)
                pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]  # count a shingle once per row
                np.add.at(counts, (self._source[start + pairs // BUCKETS], pairs % BUCKETS), 1)
            self._common = (counts > sizes[:, None] * TEMPLATE_SHARE) & self._large[:, None]

    def __len__(self) -> int:
        return len(self._texts)

    def _batches(self, description: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first row, hashes, row of each hash within the batch), batch by batch."""
        with progress(len(self._texts), description, "seed") as bar:
            for start in range(0, len(self._texts), self._step):
                texts = self._texts.slice(start, self._step)
                hashes, offsets = shingles(texts, self._salts[start : start + self._step])
                yield start, hashes, np.repeat(np.arange(len(texts)), np.diff(offsets))
                bar.update(len(texts))

    def sketches(self) -> tuple[np.ndarray, np.ndarray]:
        """The last byte of each MinHash value, for estimates, shape (rows, permutations); band hashes, shape (rows, bands)."""
        sketches, bands = [np.zeros((0, PERMUTATIONS), dtype=np.uint8)], [np.zeros((0, BANDS), dtype=np.uint64)]
        for start, hashes, owner in self._batches("sketching seeds"):
            count = min(self._step, len(self._texts) - start)
            kept = self._compared(hashes, self._source[start + owner], owner, count)
            offsets = np.searchsorted(owner[kept], np.arange(count + 1))
            digests, band = minhash(hashes[kept], offsets)
            sketches.append(digests.astype(np.uint8))
            bands.append(band)
        return np.concatenate(sketches), np.concatenate(bands)

    def _compared(self, hashes: np.ndarray, source: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
        """A mask of the shingles outside templates; of a row that is only a template, all of them."""
        own = ~self._common[source, (hashes % np.uint64(BUCKETS)).astype(np.int64)]
        only_template = np.bincount(owner[own], minlength=count) == 0
        return own | only_template[owner]

    def shingle_set(self, row: int) -> np.ndarray:
        """The sorted shingles of a row by which it is compared."""
        hashes = shingle_set(self._texts[row].as_py(), self._salts[row])
        zeros = np.zeros(len(hashes), dtype=np.int64)
        return hashes[self._compared(hashes, zeros + self._source[row], zeros, 1)]


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _band_groups(bands: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    """Rows that share a band with another row, ascending, each with the numbers of its groups (rows with one band)."""
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
    starts = np.flatnonzero(np.concatenate([[True], np.diff(row) != 0])) if len(row) else np.empty(0, dtype=np.int64)
    for start, end in itertools.pairwise([*starts, len(row)]):
        yield int(row[start]), group[start:end].tolist()

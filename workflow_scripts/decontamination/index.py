"""The index of all texts to search for (queries): built once, saved, and shared by any number of search processes.

By the pigeonhole principle, a match within k edits leaves one of k + 1 disjoint parts of a text unchanged. Each text is
divided into k + 1 segments, each with an *anchor*, a gram of a few characters at a word start. The search looks up the
grams of a conversation, compares the segment, and extends a match to both sides. The choice of anchors affects only the
speed; the rarest grams are chosen.
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import atomically
from workflow_scripts.decontamination import anchor_kernels, search_kernels, text_kernels
from workflow_scripts.decontamination.text import NormalTexts, code_points

# (length of a gram, whether it may start anywhere): a text uses the first kind of which it has enough. The shortest text
# has three characters with its padding; any longer text has k + 1 grams of four at `LOWEST_LEVEL`.
ANCHOR_KINDS = ((12, False), (8, False), (12, True), (6, False), (8, True), (4, False), (3, False), (4, True))
ARRAYS = ("codes", "folds", "bounds", "edits", "cuts", "cut_bounds")
GRAM_COUNTERS = 2**22
FORMAT_VERSION = 4  # of texts.npz and queries.jsonl; an index of another version is built again
# Finding the best anchors needs memory and time that grow with the square of a text's length. Texts that need more cells
# of the table get good anchors instead.
MAX_TABLE_CELLS = 4_000_000
# Weight of an occurrence among the texts to search for; an occurrence in the sample has weight 1.
QUERY_GRAM_WEIGHT = 0.01
# In percent. Below it, segments are too short to distinguish texts; another method is needed there.
LOWEST_LEVEL = 90


def allowed_edits(length: int, level: int) -> int:
    """The largest distance, in edits, of a hit at `level` percent for a text of `length` code points."""
    return length * (100 - level) // 100


@dataclass(frozen=True)
class Anchors:
    """The anchors of one kind; anchors of the same gram are adjacent."""

    length: int
    every_place: bool
    bitmap: np.ndarray  # uint64: the bits of the hashes that occur
    table: np.ndarray  # uint64, shape (slots, 2): see search_kernels.build_table
    entries: np.ndarray  # uint64, shape (anchors, 4): see search_kernels.build_entries


@dataclass(frozen=True)
class TextIndex:
    """Padded normal texts, text q in [bounds[q], bounds[q + 1]), with their largest distances and anchors.

    `edits[q]` is the largest distance of a hit. cuts[cut_bounds[q]:cut_bounds[q + 1]] are the borders of the segments of
    text q, relative to its beginning.
    """

    codes: np.ndarray  # uint32
    folds: np.ndarray  # uint8
    bounds: np.ndarray  # int64
    edits: np.ndarray  # int32
    cuts: np.ndarray  # int32
    cut_bounds: np.ndarray  # int64
    anchors: list[Anchors]

    def __len__(self) -> int:
        return len(self.edits)


def words_of(folds: np.ndarray) -> np.ndarray:
    """A view of the folds: element i is the eight folds from i on, as one uint64."""
    return np.lib.stride_tricks.as_strided(
        folds[:8].view(np.uint64), shape=(len(folds) - 7,), strides=(1,), writeable=False
    )


def build_index(normals: list[str], edits: list[int], sample: Iterable[NormalTexts] = ()) -> TextIndex:
    """The index of normal forms (not empty), each with its largest distance in `edits`.

    `sample` are some of the texts to search: their grams show which grams are rare, which affects only the speed. Raises
    ValueError if a text has too few grams for its distance.
    """
    codes = code_points("".join(f" {normal} " for normal in normals))
    bounds = np.cumsum([0, *(len(normal) + 2 for normal in normals)], dtype=np.int64)
    folds = np.zeros(len(codes) + text_kernels.PADDING, np.uint8)
    text_kernels.fold(codes, folds)
    counts = np.asarray(edits, dtype=np.int32)
    cut_bounds = np.cumsum([0, *(counts + 2)], dtype=np.int64)
    index = TextIndex(codes, folds, bounds, counts, np.empty(cut_bounds[-1], np.int32), cut_bounds, [])
    left, sampled = np.arange(len(normals)), list(sample)
    for length, every_place in ANCHOR_KINDS:
        if len(left):
            anchors, left = _anchors(index, left, length, every_place, sampled)
            if len(anchors.entries):
                index.anchors.append(anchors)
    if len(left):
        raise ValueError(f"{len(left)} texts have no anchors: levels below {LOWEST_LEVEL} %?")
    return index


def _anchors(
    index: TextIndex, texts: np.ndarray, length: int, every_place: bool, sample: list[NormalTexts]
) -> tuple[Anchors, np.ndarray]:
    """The anchors of those of `texts` that have enough grams of this kind, and the texts that have too few."""
    inside = np.zeros(len(index.codes) + 1, np.int32)
    begins, ends = index.bounds[texts], index.bounds[texts + 1]
    inside[begins] += 1
    inside[np.maximum(ends - length + 1, begins)] -= 1
    eligible = every_place | (index.codes == text_kernels.SPACE) | (index.codes >= text_kernels.ASCII_END)
    places = np.flatnonzero(eligible & (np.cumsum(inside[:-1], dtype=np.int32) > 0))
    hashes = search_kernels.gram_hashes(words_of(index.folds), places, length)
    own, sampled = (np.zeros(GRAM_COUNTERS, np.int32) for _ in range(2))
    search_kernels.count_grams(words_of(index.folds), places, length, own)
    for batch in sample:
        starts = np.arange(batch.bounds[-1]) if every_place else batch.starts[: batch.start_bounds[-1]]
        search_kernels.count_grams(words_of(batch.folds), starts, length, sampled)
    costs = search_kernels.look_up(hashes, sampled) + QUERY_GRAM_WEIGHT * search_kernels.look_up(hashes, own)
    query, rank, number, without = anchor_kernels.choose_all(
        places, costs, index.bounds, index.edits, texts, length, MAX_TABLE_CELLS, index.cuts, index.cut_bounds
    )
    order = np.argsort(hashes[number], kind="stable")
    number, query, rank = number[order], query[order], rank[order]
    keys, firsts = np.unique(hashes[number], return_index=True)
    last = np.isin(np.arange(1, len(number) + 1), [*firsts[1:], len(number)])
    table = np.empty((_power_of_two(2 * len(keys)), 2), np.uint64)
    search_kernels.build_table(keys, firsts, table)
    bitmap = np.zeros(_power_of_two(16 * len(keys)) // 64, np.uint64)
    search_kernels.build_bitmap(keys, bitmap)
    entries = np.empty((len(number), 4), np.uint64)
    search_kernels.build_entries(
        words_of(index.folds), index.bounds, index.cuts, index.cut_bounds, places[number], query, rank, length, last, entries
    )  # fmt: skip
    return Anchors(length, every_place, bitmap, table, entries), without


def _power_of_two(least: int) -> int:
    """The smallest power of two that is at least `least` and at least 64."""
    return max(64, 1 << (least - 1).bit_length())


def save_index(path: Path, index: TextIndex) -> None:
    """Write an index as one .npz file."""
    arrays = {name: getattr(index, name) for name in ARRAYS} | {"format": np.asarray(FORMAT_VERSION)}
    for number, kind in enumerate(index.anchors):
        arrays |= {f"{number}.{name}": np.asarray(value) for name, value in vars(kind).items()}
    with atomically(path) as file:
        np.savez(file, **arrays)


def load_index(path: Path) -> TextIndex:
    """Read an index; UserError if the file is not an index of this version."""
    try:
        with np.load(path) as arrays:
            if "format" not in arrays or arrays["format"] != FORMAT_VERSION:
                raise UserError(f"{path}: an index of another version. Delete it and run again.")
            kinds = sorted({name.split(".")[0] for name in arrays if "." in name}, key=int)
            anchors = []
            for kind in kinds:
                values = {name.split(".")[1]: arrays[name] for name in arrays if name.startswith(f"{kind}.")}
                values |= {"length": int(values["length"]), "every_place": bool(values["every_place"])}
                anchors.append(Anchors(**values))
            return TextIndex(**{name: arrays[name] for name in ARRAYS}, anchors=anchors)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not an index of index_benchmarks ({error}). Delete it and run again.") from error

"""The index of all texts to look for: built once, saved, and shared by any number of searching processes.

By the pigeonhole principle a match within k edits leaves one of k + 1 disjoint parts of a text untouched. Each text is
cut into k + 1 segments that begin with an *anchor*, a gram of a few characters at the beginning of a word; the search
looks up the grams of a conversation, compares the segment, and extends what fits to both sides. Which grams are taken
decides on speed alone: those that are rarest among the texts to look for.
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import atomically
from workflow_scripts.decontamination import kernels
from workflow_scripts.decontamination.text import NormalTexts, code_points

# (length of a gram, whether it may begin anywhere): the first kind of which a text has enough is taken. The shortest
# text has three characters with its pads; k + 1 grams of four exist anywhere in any longer one of `LOWEST_LEVEL`.
KINDS = ((12, False), (8, False), (12, True), (6, False), (8, True), (4, False), (3, False), (4, True))
ARRAYS = ("codes", "folds", "bounds", "edits", "cuts", "cut_bounds")
COUNTERS = 2**22
FORMAT = 2  # of the file; older ones are made anew
# The best anchors take memory and time that grow with the square of a text's length; a long one gets good ones instead.
MOST_CHOICES = 4_000_000
# What an occurrence among the texts to look for counts, beside one in the sample.
RARITY = 0.01
# Below 90 % segments are too short to tell texts apart; another method is needed there.
LOWEST_LEVEL = 90


def allowed_edits(length: int, level: int) -> int:
    """Most edits of a hit at `level` percent for a text of `length` code points."""
    return length * (100 - level) // 100


@dataclass(frozen=True)
class Anchors:
    """The anchors of one kind, those of one gram one after the other."""

    length: int
    every_place: bool
    bitmap: np.ndarray  # uint64: whether a hash may be there
    table: np.ndarray  # uint64, shape (slots, 2): see kernels.build_table
    entries: np.ndarray  # uint64, shape (anchors, 4): see kernels.build_entries


@dataclass(frozen=True)
class TextIndex:
    """Padded normal texts, text q in [bounds[q], bounds[q + 1]), the most edits of each, and their anchors.

    cuts[cut_bounds[q]:cut_bounds[q + 1]] are the borders of its segments, counted from its beginning.
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
    """A view in which element i is the eight folds from i on, as one uint64."""
    return np.lib.stride_tricks.as_strided(
        folds[:8].view(np.uint64), shape=(len(folds) - 7,), strides=(1,), writeable=False
    )


def build_index(normals: list[str], edits: list[int], sample: Iterable[NormalTexts] = ()) -> TextIndex:
    """The index of normal forms (none empty), each with the most edits still of interest.

    `sample` are some of the texts to search: their grams tell which ones are rare. It changes the time that a search
    takes and nothing else.
    """
    codes = code_points("".join(f" {normal} " for normal in normals))
    bounds = np.cumsum([0, *(len(normal) + 2 for normal in normals)], dtype=np.int64)
    folds = np.zeros(len(codes) + kernels.PADDING, np.uint8)
    kernels.fold(codes, folds)
    counts = np.asarray(edits, dtype=np.int32)
    cut_bounds = np.cumsum([0, *(counts + 2)], dtype=np.int64)
    index = TextIndex(codes, folds, bounds, counts, np.empty(cut_bounds[-1], np.int32), cut_bounds, [])
    left, seen = np.arange(len(normals)), list(sample)
    for length, every_place in KINDS:
        if len(left):
            made, left = _anchors(index, left, length, every_place, seen)
            if len(made.entries):
                index.anchors.append(made)
    if len(left):
        raise ValueError(f"{len(left)} texts have no anchors: levels below {LOWEST_LEVEL} %?")
    return index


def _anchors(
    index: TextIndex, wanted: np.ndarray, length: int, every_place: bool, sample: list[NormalTexts]
) -> tuple[Anchors, np.ndarray]:
    """The anchors of the texts `wanted` that have enough of this kind, and the texts that have not."""
    inside = np.zeros(len(index.codes) + 1, np.int32)
    begins, ends = index.bounds[wanted], index.bounds[wanted + 1]
    inside[begins] += 1
    inside[np.maximum(ends - length + 1, begins)] -= 1
    eligible = every_place | (index.codes == kernels.SPACE) | (index.codes >= kernels.ASCII_END)
    places = np.flatnonzero(eligible & (np.cumsum(inside[:-1], dtype=np.int32) > 0))
    hashes = kernels.gram_hashes(words_of(index.folds), places, length)
    own, seen = (np.zeros(COUNTERS, np.int32) for _ in range(2))
    kernels.count_grams(words_of(index.folds), places, length, own)
    for texts in sample:
        found = np.arange(texts.bounds[-1]) if every_place else texts.starts[: texts.start_bounds[-1]]
        kernels.count_grams(words_of(texts.folds), found, length, seen)
    costs = kernels.look_up(hashes, seen) + RARITY * kernels.look_up(hashes, own)
    query, rank, number, without = kernels.choose_all(
        places, costs, index.bounds, index.edits, wanted, length, MOST_CHOICES, index.cuts, index.cut_bounds
    )
    order = np.argsort(hashes[number], kind="stable")
    number, query, rank = number[order], query[order], rank[order]
    keys, firsts = np.unique(hashes[number], return_index=True)
    last = np.isin(np.arange(1, len(number) + 1), [*firsts[1:], len(number)])
    table = np.empty((_power_of_two(2 * len(keys)), 2), np.uint64)
    kernels.build_table(keys, firsts, table)
    bitmap = np.zeros(_power_of_two(16 * len(keys)) // 64, np.uint64)
    kernels.build_bitmap(keys, bitmap)
    entries = np.empty((len(number), 4), np.uint64)
    kernels.build_entries(
        words_of(index.folds), index.bounds, index.cuts, index.cut_bounds, places[number], query, rank, length, last, entries
    )  # fmt: skip
    return Anchors(length, every_place, bitmap, table, entries), without


def _power_of_two(least: int) -> int:
    """The first power of two from 64 on that is not less."""
    return max(64, 1 << (least - 1).bit_length())


def save_index(path: Path, index: TextIndex) -> None:
    """Write an index as one .npz file."""
    arrays = {name: getattr(index, name) for name in ARRAYS} | {"format": np.asarray(FORMAT)}
    for number, kind in enumerate(index.anchors):
        arrays |= {f"{number}.{name}": np.asarray(value) for name, value in vars(kind).items()}
    with atomically(path) as file:
        np.savez(file, **arrays)


def load_index(path: Path) -> TextIndex:
    """Read an index; UserError if the file is none."""
    try:
        with np.load(path) as arrays:
            if "format" not in arrays or arrays["format"] != FORMAT:
                raise UserError(f"{path}: an index of another version of this workflow. Delete it and run again.")
            kinds = sorted({name.split(".")[0] for name in arrays if "." in name}, key=int)
            anchors = []
            for kind in kinds:
                values = {name.split(".")[1]: arrays[name] for name in arrays if name.startswith(f"{kind}.")}
                values |= {"length": int(values["length"]), "every_place": bool(values["every_place"])}
                anchors.append(Anchors(**values))
            return TextIndex(*(arrays[name] for name in ARRAYS), anchors)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not an index of index_benchmarks ({error}). Delete it and run again.") from error

"""Check decontamination against brute force: the hits and distances of every text of an index in some conversations.

    python -m tests.benchmarks.decontamination_exactness CONVERSATIONS.jsonl --index FOLDER --plants PLANTS.jsonl

CONVERSATIONS.jsonl and PLANTS.jsonl are written by tests/benchmarks/decontamination.py; FOLDER is an index of
`capybara decontaminate --benchmarks … --index FOLDER`. Half of the conversations contain a plant, so that there are hits.
Brute force is edlib's infix alignment (mode HW) of the padded texts, bounded by the edits that the index allows. The
position of each hit is checked with rapidfuzz: its characters must have the reported distance from the text.
Exits with status 1 if anything differs.
"""

import argparse
import json
import re
import time
import unicodedata
from multiprocessing import get_context
from pathlib import Path

import edlib
import numpy as np
import regex
from rapidfuzz.distance import Levenshtein

from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.decontamination.index import TextIndex, load_index
from workflow_scripts.decontamination.matching import Match, find_matches

MAX_SYMBOLS = 256  # the size of edlib's alphabet


def padded(text: str) -> str:
    """The normal form, implemented a second time from its definition, with a space at both ends."""
    shown = regex.sub(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\u0640]", "", text)
    folded = unicodedata.normalize("NFKC", shown).casefold()
    normal = re.sub(r"[\W_]+", " ", regex.sub(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{M}\u0640]", "", folded))
    return f" {normal.strip()} "


class Haystack:
    """A padded normal text to search for others."""

    def __init__(self, text: str):
        self.text = text
        self._codes = {ord(letter): chr(code) for code, letter in enumerate(sorted(set(text)), 1)}
        self._small = len(self._codes) < MAX_SYMBOLS
        self._bytes = text.translate(self._codes).encode("latin-1") if self._small else b""

    def distance(self, pattern: str, max_edits: int) -> int:
        """Minimum edits between a pattern and any part of the text; -1 if more than `max_edits`."""
        if self.text.isascii():  # a normal form has no question mark, which replaces all other characters here
            return _edlib(pattern.encode("ascii", "replace"), self.text.encode(), max_edits)
        if self._small:
            needle = "".join(self._codes.get(ord(letter), "\0") for letter in pattern)
            return _edlib(needle.encode("latin-1"), self._bytes, max_edits)
        # Characters that the pattern lacks are equivalent for it, so they share one symbol.
        codes = {ord(letter): chr(code) for code, letter in enumerate(sorted(set(pattern)), 1)}
        if len(codes) < MAX_SYMBOLS:
            known = "".join(codes.get(ord(letter), "\0") for letter in self.text)
            return _edlib(pattern.translate(codes).encode("latin-1"), known.encode("latin-1"), max_edits)
        return self._by_table(pattern, max_edits)

    def _by_table(self, pattern: str, max_edits: int) -> int:
        """Sellers' algorithm (1980), row by row, for texts with more symbols than edlib supports."""
        text = np.array([*map(ord, self.text)])
        places = np.arange(len(text) + 1)
        row = np.zeros(len(text) + 1, np.int64)
        for number, letter in enumerate(map(ord, pattern), 1):
            next_row = np.concatenate([[number], np.minimum(row[:-1] + (text != letter), row[1:] + 1)])
            row = np.minimum.accumulate(next_row - places) + places
        return int(row.min()) if row.min() <= max_edits else -1


def _edlib(pattern: bytes, text: bytes, max_edits: int) -> int:
    return edlib.align(pattern, text, mode="HW", task="distance", k=max_edits)["editDistance"]


def texts_of(folder: Path) -> list[str]:
    """The normal forms of an index, in the order of their numbers."""
    texts = {row["number"]: row["normal"] for row in read_jsonl(folder / "queries.jsonl")}
    return [texts[number] for number in range(len(texts))]


class Worker:
    """State of a worker process: the padded texts and the allowed edits of each."""

    texts: list[str]
    edits: list[int]

    @classmethod
    def start(cls, texts: list[str], edits: list[int]) -> None:
        cls.texts, cls.edits = [f" {text} " for text in texts], edits

    @classmethod
    def brute_force(cls, text: str) -> dict[int, int]:
        """{number: distance} of all texts within their allowed edits."""
        haystack = Haystack(padded(text))
        pairs = enumerate(zip(cls.texts, cls.edits, strict=True))
        distances = ((number, haystack.distance(pattern, max_edits)) for number, (pattern, max_edits) in pairs)
        return {number: distance for number, distance in distances if distance >= 0}


def is_at_its_place(match: Match, texts: list[str], text: str) -> bool:
    """Whether the position of a match has the reported distance from its text."""
    part = padded(text)[match.start : match.end]
    return Levenshtein.distance(f" {texts[match.query]} ", part) == match.distance


def choose(lines: list[dict], planted: set[str], count: int) -> list[dict]:
    """`count` rows in their order: half of them with a plant, if there are enough, the others without."""
    with_plant = [row for row in lines if row["id"] in planted][: count // 2]
    without = [row for row in lines if row["id"] not in planted][: count - len(with_plant)]
    return with_plant + without


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="JSONL file of conversations in the Capybara layout")
    parser.add_argument("--index", type=Path, required=True, help="index of the benchmarks")
    parser.add_argument("--plants", type=Path, help="JSONL file with the ids of conversations with a plant")
    parser.add_argument("--conversations", type=int, default=110, help="conversations to check (default: 110)")
    parser.add_argument("--processes", type=int, default=2, help="processes for brute force (default: 2)")
    args = parser.parse_args()

    planted = {row["id"] for row in read_jsonl(args.plants)} if args.plants else set()
    rows = choose(list(read_jsonl(args.file)), planted, args.conversations)
    conversations = [
        "\n".join(text for turn in row["conversation"] for text in (turn["input"], turn["output"])) for row in rows
    ]
    texts, index = texts_of(args.index), load_index(args.index / "texts.npz")
    ours, places = _ours(index, texts, conversations)
    start = time.monotonic()
    brute: dict[tuple[int, int], int] = {}
    with get_context("spawn").Pool(args.processes, Worker.start, (texts, index.edits.tolist())) as pool:
        for number, found in enumerate(pool.imap(Worker.brute_force, conversations)):
            brute |= {(number, query): distance for query, distance in found.items()}
            if (number + 1) % 10 == 0:
                print(f"{number + 1} conversations, {time.monotonic() - start:.0f} s", flush=True)
    symbols = [len(set(padded(text))) for text in conversations]
    report = {
        "conversations": len(conversations),
        "with_a_plant": sum(row["id"] in planted for row in rows),
        "not_ascii": sum(not padded(text).isascii() for text in conversations),
        "max_symbols": max(symbols),
        "texts": len(texts),
        "pairs": len(conversations) * len(texts),
        "hits": len(brute),
        "hits_by_distance": {str(d): [*brute.values()].count(d) for d in sorted(set(brute.values()))},
        "missed": sorted(brute.keys() - ours.keys()),
        "unexpected": sorted(ours.keys() - brute.keys()),
        "wrong_distances": [pair for pair in ours.keys() & brute.keys() if ours[pair] != brute[pair]],
        "wrong_places": places,
        "brute_force_seconds": round(time.monotonic() - start),
    }
    print(json.dumps(report, indent=1))
    if report["missed"] or report["unexpected"] or report["wrong_distances"] or report["wrong_places"]:
        raise SystemExit(1)


def _ours(index: TextIndex, texts: list[str], conversations: list[str]) -> tuple[dict[tuple[int, int], int], list]:
    matches = find_matches(index, conversations)
    wrong = [
        (match.number, match.query)
        for match in matches
        if not is_at_its_place(match, texts, conversations[match.number])
    ]
    return {(match.number, match.query): match.distance for match in matches}, wrong


if __name__ == "__main__":
    main()

"""The index of all benchmark items in a folder: built once, read by every process and shard that searches.

`texts.npz` contains each distinct text once, `queries.jsonl` the items that it belongs to, `items.json` the lowest level
that can be searched and the tiers of the benchmarks.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.types import Hit, Row
from workflow_scripts.decontamination.corpus import SearchText
from workflow_scripts.decontamination.index import TextIndex, allowed_edits, build_index, load_index, save_index
from workflow_scripts.decontamination.matching import Match, find_matches
from workflow_scripts.decontamination.nearby import near_question
from workflow_scripts.decontamination.queries import queries, summary, tiers
from workflow_scripts.decontamination.spans import OffsetMapping
from workflow_scripts.decontamination.text import normal_texts

# A tenth of this is enough to distinguish common grams from rare ones.
SAMPLE_CHARACTERS = 8_000_000


@dataclass(frozen=True)
class BenchmarkIndex:
    """`uses[q]` are the rows of queries.jsonl with text q of the index."""

    texts: TextIndex
    uses: list[list[Row]]


def write_benchmark_index(
    folder: Path, items: list[Row], lowest_level: int, sample: Iterable[str], origins: dict[str, Row]
) -> dict[str, Row]:
    """Write an index with which all hits of at least `lowest_level` percent are found; returns `queries.summary`.

    `sample` are some of the texts to search; they affect only the speed. `origins` are {dataset, revision} of each
    benchmark.
    """
    item_tiers = tiers(items)
    all_queries = list(queries(items, item_tiers))
    edits: dict[str, int] = {}
    for query in all_queries:
        max_distance = 0 if query.exact_only else allowed_edits(len(query.normal), lowest_level)
        edits[query.normal] = max(max_distance, edits.get(query.normal, 0))
    normals = sorted(edits)
    numbers = {normal: number for number, normal in enumerate(normals)}
    index = build_index(normals, [edits[normal] for normal in normals], normal_texts(_head(sample)))
    benchmarks = summary(items, item_tiers, all_queries)
    save_index(folder / "texts.npz", index)
    write_jsonl(folder / "queries.jsonl", ({"number": numbers[query.normal], **vars(query)} for query in all_queries))
    for name, entry in benchmarks.items():
        entry |= origins.get(name, {})
    write_json(folder / "items.json", {"lowest_level": lowest_level, "benchmarks": benchmarks})
    return benchmarks


def _head(texts: Iterable[str]) -> list[str]:
    """The first texts, about SAMPLE_CHARACTERS in total."""
    head, characters = [], 0
    for text in texts:
        head.append(text)
        characters += len(text)
        if characters >= SAMPLE_CHARACTERS:
            break
    return head


def load_benchmark_index(folder: Path) -> BenchmarkIndex:
    """Read the files of `write_benchmark_index`; UserError if one is missing."""
    for name in ("texts.npz", "queries.jsonl", "items.json"):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no index of benchmarks ({name} is missing). Create it with index_benchmarks.")
    texts = load_index(folder / "texts.npz")
    uses: list[list[Row]] = [[] for _ in range(len(texts))]
    for row in read_jsonl(folder / "queries.jsonl"):
        uses[row["number"]].append(row)
    return BenchmarkIndex(texts, uses)


def find_hits(index: BenchmarkIndex, texts: list[SearchText]) -> list[tuple[SearchText, list[Hit]]]:
    """The texts that contain a benchmark text, in order, each with one hit for each item and field."""
    by_text: dict[int, list[Match]] = defaultdict(list)
    for match in find_matches(index.texts, ["\n".join(turn for _, turn in text.turns) for text in texts]):
        by_text[match.number].append(match)
    return [
        (texts[number], hits) for number, matches in by_text.items() if (hits := _hits(index, texts[number], matches))
    ]


def _hits(index: BenchmarkIndex, text: SearchText, matches: list[Match]) -> list[Hit]:
    offsets, hits = OffsetMapping([turn for _, turn in text.turns]), []
    for match in matches:
        span = offsets.span(match.start, match.end)
        for use in index.uses[match.query]:
            if use["exact_only"] and match.distance:
                continue
            length = len(use["normal"])
            found = offsets.normal[match.start : match.end].strip()
            hits.append(
                Hit(
                    id=text.id or "",  # `scan` names the row instead
                    source=text.source,
                    turn=span.turn,
                    role=text.turns[span.turn][0],
                    start=span.start,
                    end_turn=span.end_turn,
                    end=span.end,
                    benchmark=use["benchmark"],
                    item=use["item"],
                    tier=use["tier"],
                    field=use["field"],
                    removes=use["removes"]
                    and (not use["question"] or near_question(offsets.normal, found, use["question"], use["normal"])),
                    distance=match.distance,
                    length=length,
                    similarity=round(1 - match.distance / length, 6),
                    item_text=use["text"],
                    found_text=offsets.original(span),
                    item_normal=use["normal"],
                    found_normal=found,
                )
            )
    # One hit for each item and field: of several renderings the closest.
    hits.sort(key=lambda hit: (hit["benchmark"], hit["item"], hit["field"], -hit["similarity"], hit["length"]))
    return [
        next(group) for _, group in itertools.groupby(hits, lambda hit: (hit["benchmark"], hit["item"], hit["field"]))
    ]

"""All benchmark items as one index in a folder: built once, read by every process and shard that searches.

`texts.npz` holds each text to look for once, `queries.jsonl` which items it belongs to, `items.json` the lowest level
that can be searched and the benchmarks' tiers.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.corpus import Conversation
from workflow_scripts.decontamination.index import TextIndex, allowed_edits, build_index, load_index, save_index
from workflow_scripts.decontamination.matching import Match, find_matches
from workflow_scripts.decontamination.queries import queries, summary, tiers
from workflow_scripts.decontamination.spans import Origins
from workflow_scripts.decontamination.text import normal_texts

# A tenth of this would do to tell common grams from rare ones.
SAMPLE_CHARACTERS = 8_000_000


@dataclass(frozen=True)
class BenchmarkIndex:
    """`uses[q]` are the rows of queries.jsonl that text q of the index stands for."""

    texts: TextIndex
    uses: list[list[Row]]


def write_benchmark_index(
    folder: Path, items: list[Row], lowest_level: int, sample: Iterable[str], origins: dict[str, Row]
) -> dict[str, Row]:
    """Index items so that all hits from `lowest_level` percent on can be found; returns `queries.summary` of them.

    `sample` are some of the texts to search; they decide on nothing but the speed. `origins` say of each benchmark where
    its items are from.
    """
    item_tiers = tiers(items)
    wanted = list(queries(items, item_tiers))
    edits: dict[str, int] = {}
    for query in wanted:
        most = 0 if query.exact_only else allowed_edits(len(query.normal), lowest_level)
        edits[query.normal] = max(most, edits.get(query.normal, 0))
    normals = sorted(edits)
    numbers = {normal: number for number, normal in enumerate(normals)}
    index = build_index(normals, [edits[normal] for normal in normals], normal_texts(_head(sample)))
    benchmarks = summary(items, item_tiers, wanted)
    save_index(folder / "texts.npz", index)
    write_jsonl(folder / "queries.jsonl", ({"number": numbers[query.normal], **vars(query)} for query in wanted))
    for name, entry in benchmarks.items():
        entry |= origins.get(name, {})
    write_json(folder / "items.json", {"lowest_level": lowest_level, "benchmarks": benchmarks})
    return benchmarks


def _head(texts: Iterable[str]) -> list[str]:
    taken, characters = [], 0
    for text in texts:
        taken.append(text)
        characters += len(text)
        if characters >= SAMPLE_CHARACTERS:
            break
    return taken


def load_benchmark_index(folder: Path) -> BenchmarkIndex:
    """Read what `write_benchmark_index` wrote; UserError if it is not there."""
    for name in ("texts.npz", "queries.jsonl", "items.json"):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no index of benchmarks ({name} is missing). Make it with index_benchmarks.")
    texts = load_index(folder / "texts.npz")
    uses: list[list[Row]] = [[] for _ in range(len(texts))]
    for row in read_jsonl(folder / "queries.jsonl"):
        uses[row["number"]].append(row)
    return BenchmarkIndex(texts, uses)


def find_hits(index: BenchmarkIndex, conversations: list[Conversation]) -> list[tuple[Conversation, list[Row]]]:
    """The conversations in which a benchmark text is found, in their order, with a row for each item and field."""
    found: dict[int, list[Match]] = defaultdict(list)
    for match in find_matches(index.texts, ["\n".join(text for _, text in one.turns) for one in conversations]):
        found[match.number].append(match)
    return [
        (conversations[number], rows)
        for number, matches in found.items()
        if (rows := _rows(index, conversations[number], matches))
    ]


def _rows(index: BenchmarkIndex, conversation: Conversation, matches: list[Match]) -> list[Row]:
    origins, rows = Origins([text for _, text in conversation.turns]), []
    for match in matches:
        span = origins.span(match.start, match.end)
        for use in index.uses[match.query]:
            if use["exact_only"] and match.distance:
                continue
            length = len(use["normal"])
            rows.append(
                {
                    "id": conversation.id,
                    "source": conversation.source,
                    "turn": span.turn,
                    "role": conversation.turns[span.turn][0],
                    "start": span.start,
                    "end_turn": span.end_turn,
                    "end": span.end,
                    **{name: use[name] for name in ("benchmark", "item", "tier", "field", "removes")},
                    "distance": match.distance,
                    "length": length,
                    "similarity": round(1 - match.distance / length, 6),
                    "item_text": use["text"],
                    "found_text": origins.found(span),
                    "item_normal": use["normal"],
                    "found_normal": origins.normal[match.start : match.end].strip(),
                }
            )
    # An item is named once a field: of several renderings the closest.
    rows.sort(key=lambda row: (row["benchmark"], row["item"], row["field"], -row["similarity"], row["length"]))
    return [
        next(group) for _, group in itertools.groupby(rows, lambda row: (row["benchmark"], row["item"], row["field"]))
    ]

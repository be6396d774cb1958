"""Measurements of the published conversations: counts, lengths, sources, techniques, phrases, and new words."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import batches
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.report.claims.overlap import SeedWords, seed_texts

BATCH_TEXTS = 256  # tokenised together


def read(paths: Iterable[Path]) -> Iterator[Row]:
    """Rows {source, texts, provenance} of the parquet files of split_dataset; `texts` alternate between user and answer."""
    for path in paths:
        for table in batches(path, ["source", "messages", "provenance"]):
            for row in table.to_pylist():
                texts = [message["content"] for message in row["messages"]]
                yield {"source": row["source"], "texts": texts, "provenance": json.loads(row["provenance"])}


def published_places(registry: dict[str, Row]) -> dict[str, set[str]]:
    """{label: places where its rows are published}, in the form that provenance uses."""
    found: dict[str, set[str]] = {}
    for entry in registry.values():
        places = [entry.get("hub", {}).get("dataset"), entry.get("url"), entry.get("graphql", {}).get("url")]
        found.setdefault(entry["label"], set()).update(place for place in places if place)
    return found


def tokens(tokenizer: Any, texts: list[str]) -> int:
    """Number of tokens in the texts, without special tokens."""
    return sum(len(each.ids) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False))


def measure(
    rows: Iterable[Row],
    tokenizer: Any,
    phrases: list[str],
    places: dict[str, set[str]],
    seeds: list[Seed] | None,
    gram: int,
) -> Row:
    """The measurements over all conversations.

    Args:
        rows: rows of `read`.
        tokenizer: a `tokenizers.Tokenizer`.
        phrases: phrases to search in answers, lower-case.
        places: `published_places` of the registry.
        seeds: the seeds, or None if the run has none; then `new` is None.
        gram: length of the word sequences by which a word is recognised as a seed's.
    """
    counts: Counter[str] = Counter()
    found = Counter(dict.fromkeys(phrases, 0))
    techniques: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    seed_words = None if seeds is None else SeedWords((text for seed in seeds for text in seed_texts(seed)), gram)
    summaries = {seed["id"] for seed in seeds or () if seed["meta"].get("task") == "complex_summary"}
    batch: list[str] = []
    for row in rows:
        texts, provenance = row["texts"], row["provenance"]
        multi_turn, synthesised = len(texts) > 2, bool(provenance["techniques"])
        published = provenance["dataset"] in places.get(row["source"], ())
        counts.update(conversations=1, messages=len(texts), multi_turn=multi_turn, synthesised=synthesised)
        batch += texts
        if len(batch) >= BATCH_TEXTS:
            counts["tokens"] += tokens(tokenizer, batch)
            batch.clear()
        labels.setdefault(row["source"], Counter()).update(conversations=1, published=published)
        techniques.update(set(provenance["techniques"]))
        counts["from_posts"] += multi_turn and synthesised and published and provenance["kind"] == "post"
        counts["summaries"] += provenance["seed"] in summaries
        answers = " ".join("\n".join(texts[1::2]).casefold().split())
        found.update({phrase: phrase in answers for phrase in phrases})
        if seed_words is not None:
            words, known = (sum(values) for values in zip(*map(seed_words.count, texts), strict=True))
            included = provenance["seed"] is None  # included from a file: all of its words count as old
            counts.update(words=words, old_words=0 if included else known, included_words=words if included else 0)
    counts["tokens"] += tokens(tokenizer, batch)
    return {
        **{name: counts[name] for name in ("conversations", "multi_turn", "synthesised", "from_posts", "summaries")},
        **{name: counts[name] / max(counts["conversations"], 1) for name in ("messages", "tokens")},
        "phrases": dict(found),
        "labels": {label: dict(count) for label, count in sorted(labels.items())},
        "techniques": dict(sorted(techniques.items())),
        "new": None
        if seed_words is None
        else {"words": counts["words"], "old": counts["old_words"], "included": counts["included_words"]},
    }

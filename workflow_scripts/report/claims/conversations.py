"""What the published conversations themselves say: counts, lengths, sources, techniques, phrases, and what of them is new."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import batches
from workflow_scripts.common.types import Row
from workflow_scripts.report.claims.overlap import Seeds, seed_texts

BATCH = 256  # texts that are tokenised together


def read(paths: Iterable[Path]) -> Iterator[Row]:
    """Rows {source, texts, provenance} of parquet files of split_dataset; `texts` are user's and answer's in turn."""
    for path in paths:
        for table in batches(path, ["source", "messages", "provenance"]):
            for row in table.to_pylist():
                texts = [message["content"] for message in row["messages"]]
                yield {"source": row["source"], "texts": texts, "provenance": json.loads(row["provenance"])}


def published_places(registry: dict[str, Row]) -> dict[str, set[str]]:
    """{label: where its rows are published}, as provenance names it."""
    found: dict[str, set[str]] = {}
    for entry in registry.values():
        places = [entry.get("hub", {}).get("dataset"), entry.get("url"), entry.get("graphql", {}).get("url")]
        found.setdefault(entry["label"], set()).update(place for place in places if place)
    return found


def tokens(tokenizer: Any, texts: list[str]) -> int:
    """Tokens of the texts, without any that mark a begin or an end."""
    return sum(len(each.ids) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False))


def measure(
    rows: Iterable[Row],
    tokenizer: Any,
    phrases: list[str],
    places: dict[str, set[str]],
    seeds: list[Row] | None,
    gram: int,
) -> Row:
    """The measures of all conversations. `tokenizer` is a `tokenizers.Tokenizer`; `seeds` is None if the run has none,
    and then nothing is said of what is new."""
    counts: Counter[str] = Counter()
    found, techniques = Counter(dict.fromkeys(phrases, 0)), Counter()
    labels: dict[str, Counter[str]] = {}
    old = None if seeds is None else Seeds((text for seed in seeds for text in seed_texts(seed)), gram)
    summaries = {seed["id"] for seed in seeds or () if seed["meta"].get("task") == "complex_summary"}
    waiting: list[str] = []
    for row in rows:
        texts, provenance = row["texts"], row["provenance"]
        many, made = len(texts) > 2, bool(provenance["techniques"])
        published = provenance["dataset"] in places.get(row["source"], ())
        counts.update(conversations=1, messages=len(texts), multi_turn=many, synthesised=made)
        waiting += texts
        if len(waiting) >= BATCH:
            counts["tokens"] += tokens(tokenizer, waiting)
            waiting.clear()
        labels.setdefault(row["source"], Counter()).update(conversations=1, published=published)
        techniques.update(set(provenance["techniques"]))
        counts["from_posts"] += many and made and published and provenance["kind"] == "post"
        counts["summaries"] += provenance["seed"] in summaries
        answers = " ".join("\n".join(texts[1::2]).casefold().split())
        found.update({phrase: phrase in answers for phrase in phrases})
        if old is not None:
            words, known = (sum(values) for values in zip(*map(old.count, texts), strict=True))
            included = provenance["seed"] is None  # nobody says what of a file that came in finished is new
            counts.update(words=words, old_words=0 if included else known, included_words=words if included else 0)
    counts["tokens"] += tokens(tokenizer, waiting)
    return {
        **{name: counts[name] for name in ("conversations", "multi_turn", "synthesised", "from_posts", "summaries")},
        **{name: counts[name] / max(counts["conversations"], 1) for name in ("messages", "tokens")},
        "phrases": dict(found),
        "labels": {label: dict(count) for label, count in sorted(labels.items())},
        "techniques": dict(sorted(techniques.items())),
        "new": None
        if old is None
        else {"words": counts["words"], "old": counts["old_words"], "included": counts["included_words"]},
    }

"""Items: what an expert is asked about, each with the id of the seed or conversation that it shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row

# From good to bad; the word after each is what a reviewer reads.
VERDICTS = {"correct": "Correct", "minor_error": "Minor error", "wrong": "Wrong", "incoherent": "Incoherent question"}

Fields = Mapping[str, Mapping[str, list[str]]]


def field_of(row: Row, fields: Fields) -> str:
    """The first of the config's fields that claims the row, by a part of its data set's name or by its domain.

    A row that none claims is of the field `other`.
    """
    dataset, domain = str(row["dataset"]).casefold(), row["domain"]
    for name, claims in fields.items():
        if any(part.casefold() in dataset for part in claims.get("datasets", ())) or domain in claims.get(
            "domains", ()
        ):
            return name
    return "other"


def question(seed: Row) -> str:
    """A seed's request with its context."""
    return f"{seed['instruction']}\n\n{seed['context']}" if seed["context"] else seed["instruction"]


def from_seed(seed: Row, fields: Fields) -> Row:
    """A seed with its own answer as an item."""
    return {
        "id": seed["id"],
        "kind": "seed",
        "field": field_of(seed, fields),
        "topic": seed["meta"].get("topic") or seed["domain"] or "",
        "source": seed["source"],
        "why": [],
        "conversation": [{"input": question(seed), "output": seed["response"]}],
    }


def from_conversation(row: Row, seed: Row, fields: Fields) -> Row:
    """A conversation as an item; `seed` is the one it grew from."""
    return {
        "id": row["id"],
        "kind": "conversation",
        "field": field_of(row["provenance"], fields),
        "topic": seed["meta"].get("topic") or row["provenance"]["domain"] or "",
        "source": row["source"],
        "why": [],
        "conversation": row["conversation"],
    }


def from_gold(entry: Mapping[str, Any]) -> Row:
    """A known-good or known-bad item of the gold file; `expected` is the verdict that is right."""
    conversation = [{"input": entry["instruction"], "output": entry["response"]}]
    return {
        "id": content_id(conversation),
        "kind": "gold",
        "field": entry["field"],
        "topic": entry.get("topic", ""),
        "source": "",
        "why": ["gold"],
        "expected": entry["verdict"],
        "conversation": conversation,
    }


def spread(items: Iterable[Row], count: int | None, group: str) -> list[Row]:
    """`count` items (all if None) in proportion to the sizes of their groups, drawn by their ids.

    The same items give the same choice in any order, and a larger count adds to a smaller one's choice.
    """
    groups: dict[str, list[Row]] = {}
    for item in items:
        groups.setdefault(item[group], []).append(item)
    places = []
    for name, members in groups.items():
        drawn = sorted(members, key=lambda item: content_id("draw", item["id"]))
        places += [((rank + 0.5) / len(drawn), name, item["id"], item) for rank, item in enumerate(drawn)]
    places.sort(key=lambda place: place[:3])
    return [item for *_, item in places[:count]]

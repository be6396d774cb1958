"""Review items: a seed, a conversation or a gold item, in the form in which an expert judges it."""

from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.common.conversations import request_text
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Conversation, Row, Seed

# From good to bad; the values are the labels that a reviewer reads.
VERDICTS = {"correct": "Correct", "minor_error": "Minor error", "wrong": "Wrong", "incoherent": "Incoherent question"}

Fields = Mapping[str, Mapping[str, list[str]]]


def field_of(row: Mapping[str, Any], fields: Fields) -> str:
    """The first configured field that matches the row, by a part of its dataset's name or by its domain; else `other`."""
    dataset, domain = str(row["dataset"]).casefold(), row["domain"]
    for name, claims in fields.items():
        if any(part.casefold() in dataset for part in claims.get("datasets", ())) or domain in claims.get(
            "domains", ()
        ):
            return name
    return "other"


def question(seed: Seed) -> str:
    """A seed's instruction with its context."""
    return request_text(seed["instruction"], seed["context"], seed["kind"])


def from_seed(seed: Seed, fields: Fields) -> Row:
    """A seed and its own answer as an item with the seed's id."""
    return {
        "id": seed["id"],
        "kind": "seed",
        "field": field_of(seed, fields),
        "topic": seed["meta"].get("topic") or seed["domain"] or "",
        "source": seed["source"],
        "why": [],
        "conversation": [{"input": question(seed), "output": seed["response"]}],
    }


def asks_seed(row: Conversation) -> bool:
    """Whether a conversation begins with its seed's own request, which no technique rewrote."""
    return row["provenance"]["opening"] == "seed"


def from_conversation(row: Conversation, seed: Seed, fields: Fields) -> Row:
    """A conversation as an item with the conversation's id; `seed` is the seed that it was generated from.

    The dataset and topic of the seed say nothing about an opening that a technique wrote; its domain does.
    """
    own, domain = asks_seed(row), row["provenance"]["domain"]
    dataset = row["provenance"]["dataset"] if own else ""
    return {
        "id": row["id"],
        "kind": "conversation",
        "field": field_of({"dataset": dataset, "domain": domain}, fields),
        "topic": (own and seed["meta"].get("topic")) or domain or "",
        "source": row["source"],
        "why": [],
        "conversation": row["conversation"],
    }


def from_gold(entry: Mapping[str, Any]) -> Row:
    """An entry of the gold file as an item; `expected` is the correct verdict."""
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


def stratified_sample(items: Iterable[Row], count: int | None, group: str) -> list[Row]:
    """`count` items (all if None), stratified by the column `group` in proportion to the group sizes.

    The draw is seeded by the ids: it does not depend on the order of the items, and a larger sample contains the smaller.
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

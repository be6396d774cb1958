"""Decide which hits remove a conversation: by similarity level and by the list of allowed hits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workflow_scripts.common.types import Hit, Row
from workflow_scripts.decontamination.index import allowed_edits


def level_of(distance: int, length: int, levels: list[int]) -> int | None:
    """The highest of `levels`, in percent, that a hit with this distance and text length reaches; None below all."""
    reached = [level for level in levels if distance <= allowed_edits(length, level)]
    return max(reached, default=None)


class AllowList:
    """Hits that a person judged to be no contamination: entries {benchmark, item, id, reason}.

    `id` is the id of a conversation; an entry without it applies to all conversations.
    """

    def __init__(self, entries: list[Row]):
        self._entries = entries
        self._used: set[int] = set()

    def reason(self, hit: Mapping[str, Any]) -> str | None:
        """The reason of the entry that allows a hit; None without one."""
        for number, entry in enumerate(self._entries):
            named = {"benchmark": hit["benchmark"], "item": hit["item"], "id": hit["id"]}
            if all(str(entry.get(key, value)) == value for key, value in named.items()):
                self._used.add(number)
                return entry["reason"]
        return None

    def unused(self) -> list[Row]:
        """The entries without a hit, such as a misspelt item or a conversation that no longer exists."""
        return [entry for number, entry in enumerate(self._entries) if number not in self._used]


def hit_evidence(hit: Hit) -> Row:
    """The fields of a hit that the evidence of a removed row has."""
    return {"benchmark": hit["benchmark"], "item": hit["item"], "field": hit["field"], "similarity": hit["similarity"]}


def judge(hits: Iterable[Hit], levels: list[int], remove_at: int, allow: AllowList) -> Iterator[Hit]:
    """The hits that reach one of the levels or `remove_at`, with three more columns.

    `level` is the highest level reached, `allowed` the reason of the allow list or None, `counts` whether the hit is a
    reason to remove its conversation.
    """
    for hit in hits:
        level = level_of(hit["distance"], hit["length"], [*levels, remove_at])
        if level is not None:
            reason = allow.reason(hit)
            counts = hit["removes"] and reason is None and level >= remove_at
            yield {**hit, "level": level, "allowed": reason, "counts": counts}


def judge_relations(candidates: Iterable[Row], remove: list[str], allow: AllowList) -> Iterator[Row]:
    """The candidates of `rephrasing` with `allowed`, as for a hit, and `counts`: whether the relation is one to `remove`."""
    for candidate in candidates:
        reason = allow.reason(candidate)
        yield {**candidate, "allowed": reason, "counts": reason is None and candidate["relation"] in remove}


def relation_evidence(candidate: Row) -> Row:
    """The fields of a candidate that the evidence of a removed row has."""
    return {key: candidate[key] for key in ("benchmark", "item", "similarity", "relation", "reason", "found_text")}

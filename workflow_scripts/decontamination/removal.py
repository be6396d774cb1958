"""Which hits are a reason to remove a conversation: the level reached, and what a person has allowed."""

from collections.abc import Iterable, Iterator

from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.index import allowed_edits


def level_of(distance: int, length: int, levels: list[int]) -> int | None:
    """The highest of these levels, in percent, that so many edits of a text of this length reach."""
    reached = [level for level in levels if distance <= allowed_edits(length, level)]
    return max(reached, default=None)


class AllowList:
    """Hits that a person has judged to be no contamination: entries {benchmark, item, id, reason}, where `id` is a
    conversation's, or absent for all of them."""

    def __init__(self, entries: list[Row]):
        self._entries = entries
        self._used: set[int] = set()

    def reason(self, hit: Row) -> str | None:
        """Why a hit is allowed; None if it is not."""
        for number, entry in enumerate(self._entries):
            named = {"benchmark": hit["benchmark"], "item": hit["item"], "id": hit["id"]}
            if all(str(entry.get(key, value)) == value for key, value in named.items()):
                self._used.add(number)
                return entry["reason"]
        return None

    def unused(self) -> list[Row]:
        """Entries that no hit has needed: an item misspelt, or a conversation that is gone."""
        return [entry for number, entry in enumerate(self._entries) if number not in self._used]


def judge(hits: Iterable[Row], levels: list[int], remove_at: int, allow: AllowList) -> Iterator[Row]:
    """Each hit that reaches one of the levels or `remove_at`, with `level`, `allowed` (the reason, or null) and whether
    it `counts` as a reason to remove its conversation."""
    for hit in hits:
        level = level_of(hit["distance"], hit["length"], [*levels, remove_at])
        if level is not None:
            reason = allow.reason(hit)
            counts = hit["removes"] and reason is None and level >= remove_at
            yield {**hit, "level": level, "allowed": reason, "counts": counts}

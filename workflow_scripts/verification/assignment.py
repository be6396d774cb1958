"""Who reviews what: each item goes to as many reviewers of its field as wanted, and stays with whom it has come to."""

from collections.abc import Mapping

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row


def assign(
    queue: list[Row],
    disputed: set[str],
    profiles: Mapping[str, Row],
    adjudicators: set[str],
    held: Mapping[str, set[str]],
    wanted: int,
) -> dict[str, list[Row]]:
    """The items that each reviewer is to get now, beside the ids that he holds already (`held`).

    A gold item goes to every reviewer of its field. An adjudicator gets the disputed items of his fields. Who gets an
    item is drawn by item and pseudonym, so that all have equal shares and a new reviewer changes nothing of what is given.
    """
    new: dict[str, list[Row]] = {name: [] for name in profiles}
    for item in queue:
        able = [name for name, profile in profiles.items() if item["field"] in profile["fields"]]
        others = [name for name in able if name not in adjudicators]
        without = [name for name in others if item["id"] not in held[name]]
        missing = len(others) if item["kind"] == "gold" else wanted - (len(others) - len(without))
        drawn = sorted(without, key=lambda name: content_id(item["id"], name))[: max(0, missing)]
        if item["id"] in disputed:
            drawn += [name for name in able if name in adjudicators and item["id"] not in held[name]]
        for name in drawn:
            new[name].append(item)
    return new

"""Assign queued items to reviewers: each item to `reviewers_per_item` reviewers of its field, once and for good."""

from collections.abc import Mapping

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row


def assign(
    queue: list[Row],
    disputed: set[str],
    profiles: Mapping[str, Row],
    adjudicators: set[str],
    held: Mapping[str, set[str]],
    reviewers_per_item: int,
) -> dict[str, list[Row]]:
    """The new items of each reviewer, in addition to the ids that the reviewer already has (`held`).

    A gold item goes to every reviewer of its field except adjudicators. An adjudicator gets the disputed items of their
    fields. The draw is seeded by item and pseudonym, so shares are equal and a new reviewer changes no assignment.
    """
    new: dict[str, list[Row]] = {name: [] for name in profiles}
    for item in queue:
        qualified = [name for name, profile in profiles.items() if item["field"] in profile["fields"]]
        reviewers = [name for name in qualified if name not in adjudicators]
        candidates = [name for name in reviewers if item["id"] not in held[name]]
        assigned = len(reviewers) - len(candidates)
        missing = len(reviewers) if item["kind"] == "gold" else reviewers_per_item - assigned
        drawn = sorted(candidates, key=lambda name: content_id(item["id"], name))[: max(0, missing)]
        if item["id"] in disputed:
            drawn += [name for name in qualified if name in adjudicators and item["id"] not in held[name]]
        for name in drawn:
            new[name].append(item)
    return new

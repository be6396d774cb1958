"""The review queue: the items that experts judge, the reason for each, and a cost plan."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from workflow_scripts.common.types import Conversation, Row, Seed
from workflow_scripts.verification.checks import conversation_doubts, seed_doubts
from workflow_scripts.verification.items import from_conversation, from_gold, from_seed, stratified_sample


def select_items(seeds: list[Seed], conversations: Iterable[Conversation], gold: list[Row], settings: Row) -> list[Row]:
    """The queued items in the order of their ids, which reveals nothing; `why` lists the reasons for each.

    `settings` is `verification` of the configuration. Two conversations with the same content are one item.
    """
    queue, fields = settings["queue"], settings["fields"]
    by_id = {seed["id"]: seed for seed in seeds}
    selected: dict[str, Row] = {}

    def add(items: list[Row], why: str) -> None:
        for item in items:
            selected.setdefault(item["id"], item)["why"].append(why)

    problems = [from_seed(seed, fields) for seed in seeds if seed["kind"] == "problem" and seed["response"]]
    add(stratified_sample(problems, queue["problems"], "topic"), "problem")
    grown = [(row, by_id[row["provenance"]["seed"]]) for row in conversations]
    technical = [
        from_conversation(row, seed, fields)
        for row, seed in grown
        if queue["conversations"] != 0 and row["provenance"]["domain"] in queue["domains"]
    ]
    add(stratified_sample(technical, queue["conversations"], "topic"), "conversation")
    if queue["auto_flagged"]:
        for seed in seeds:
            _flag(selected, from_seed(seed, fields), seed_doubts(seed))
        for row, seed in grown:
            _flag(selected, from_conversation(row, seed, fields), conversation_doubts(row, seed, queue["low_score"]))
    present = {item["field"] for item in selected.values()}
    known = [from_gold(entry) for entry in gold if entry["field"] in present]
    add(stratified_sample(known, _gold_count(len(selected), queue["gold"]["share"]), "field"), "gold")
    for item in selected.values():
        item["why"] = list(dict.fromkeys(item["why"]))
    return sorted(selected.values(), key=lambda item: item["id"])


def _flag(selected: dict[str, Row], item: Row, doubts: dict[str, Row]) -> None:
    if doubts:
        entry = selected.setdefault(item["id"], item)
        entry["why"] += list(doubts)
        entry["doubts"] = doubts


def _gold_count(others: int, share: float) -> int:
    """The number of gold items that makes them `share` of the queue, next to `others` items."""
    return round(others * share / (1 - share))


def cost_plan(queue: list[Row], gold: int, settings: Row) -> Row:
    """Items, answers, decisions and expert hours, by field and by reason.

    A decision here is one reviewer's judgement of one item. `gold` is the number of items in the gold file.
    """
    each, minutes = settings["reviewers_per_item"], settings["minutes_per_answer"]
    by_field: dict[str, Counter[str]] = defaultdict(Counter)
    for item in queue:
        by_field[item["field"]].update(items=1, answers=len(item["conversation"]))
    answers = sum(len(item["conversation"]) for item in queue)
    return {
        "items": len(queue),
        "answers": answers,
        "reviewers_per_item": each,
        "decisions": each * len(queue),
        "minutes_per_answer": minutes,
        "hours": round(each * answers * minutes / 60, 1),
        "by_field": {
            field: {**counts, "hours": round(each * counts["answers"] * minutes / 60, 1)}
            for field, counts in sorted(by_field.items())
        },
        "by_reason": dict(Counter(why for item in queue for why in item["why"]).most_common()),
        "gold_items_available": gold,
    }

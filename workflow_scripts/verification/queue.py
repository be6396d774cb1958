"""The queue: which items experts are asked about, why, and what their time will come to."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from workflow_scripts.common.types import Row
from workflow_scripts.verification.checks import conversation_doubts, seed_doubts
from workflow_scripts.verification.items import from_conversation, from_gold, from_seed, spread


def choose(seeds: list[Row], conversations: Iterable[Row], gold: list[Row], settings: Row) -> list[Row]:
    """The items in the order of their ids, which is no order of theirs; `why` says what chose each.

    `settings` is `verification` of the config. Two conversations of one content are one item.
    """
    wanted, fields = settings["queue"], settings["fields"]
    by_id = {seed["id"]: seed for seed in seeds}
    chosen: dict[str, Row] = {}

    def take(items: list[Row], why: str) -> None:
        for item in items:
            chosen.setdefault(item["id"], item)["why"].append(why)

    problems = [from_seed(seed, fields) for seed in seeds if seed["kind"] == "problem" and seed["response"]]
    take(spread(problems, wanted["problems"], "topic"), "problem")
    grown = [(row, by_id[row["provenance"]["seed"]]) for row in conversations]
    technical = [
        from_conversation(row, seed, fields)
        for row, seed in grown
        if wanted["conversations"] != 0 and row["provenance"]["domain"] in wanted["domains"]
    ]
    take(spread(technical, wanted["conversations"], "topic"), "conversation")
    if wanted["auto_flagged"]:
        for seed in seeds:
            _doubt(chosen, from_seed(seed, fields), seed_doubts(seed))
        for row, seed in grown:
            _doubt(chosen, from_conversation(row, seed, fields), conversation_doubts(row, seed, wanted["low_score"]))
    present = {item["field"] for item in chosen.values()}
    known = [from_gold(entry) for entry in gold if entry["field"] in present]
    take(spread(known, _gold_count(len(chosen), wanted["gold"]["share"]), "field"), "gold")
    for item in chosen.values():
        item["why"] = list(dict.fromkeys(item["why"]))
    return sorted(chosen.values(), key=lambda item: item["id"])


def _doubt(chosen: dict[str, Row], item: Row, doubts: dict[str, Row]) -> None:
    if doubts:
        entry = chosen.setdefault(item["id"], item)
        entry["why"] += list(doubts)
        entry["doubts"] = doubts


def _gold_count(others: int, share: float) -> int:
    """Blind items among `others`, so that they are `share` of the whole."""
    return round(others * share / (1 - share))


def plan(queue: list[Row], gold: int, settings: Row) -> Row:
    """The spending plan: items, answers, decisions wanted and expert hours, by field and by reason.

    A decision is one reviewer's on one item. `gold` is the number of items that the gold file holds.
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

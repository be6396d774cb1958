"""Apply experts' decisions: accept, correct, shorten or reject conversations. Unreviewed conversations pass."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, read_rows, write_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Conversation, Row
from workflow_scripts.verification import metrics
from workflow_scripts.verification.decisions import read_reviewers
from workflow_scripts.verification.outcomes import apply_resolutions
from workflow_scripts.verification.resolution import Resolution, ResolutionRule, resolve_all


def apply_all(
    conversations: list[Conversation], resolutions: dict[str, dict[int, Resolution]]
) -> tuple[list[Conversation], Rejections, Counter[str]]:
    """The conversations that pass, the rejected ones, and the number of passing conversations by status."""
    passed: dict[str, Conversation] = {}
    rejections = Rejections()
    statuses: Counter[str] = Counter()
    for row in conversations:
        outcome = apply_resolutions(row, resolutions.get(row["id"], {}), resolutions.get(row["provenance"]["seed"], {}))
        if outcome.row is None:
            rejections.add(row, outcome.reason, outcome.evidence)
        elif outcome.row["id"] in passed:  # shortened or corrected into an existing conversation
            rejections.add(row, "exact_duplicate", {"source": row["source"], "kept": outcome.row["id"]})
        else:
            passed[outcome.row["id"]] = outcome.row
            statuses[outcome.status] += 1
    return list(passed.values()), rejections, statuses


def require_complete(remaining: Row) -> None:
    """UserError if items are open or disputed; `remaining` comes from `metrics.remaining_work`."""
    if remaining["open"] or remaining["disputed"]:
        fields = ", ".join(f"{count} of {field}" for field, count in remaining["by_field"].items())
        raise UserError(
            f"verification/queue.jsonl: items without enough decisions: {remaining['open']}, disputed items: "
            f"{remaining['disputed']} ({fields}). Have them reviewed and add the files to `verification.decisions` (docs/verification.md), or set "
            "`verification.require: false`."
        )


def main(argv: list[str] | None = None) -> None:
    """Write data.jsonl, rejected.jsonl, stats.json and items.jsonl (the state of each item of the queue)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--queue", required=True, type=Path, help="JSONL file of queue_reviews")
    parser.add_argument("--decisions", required=True, type=Path, help="JSONL file of collect_decisions")
    parser.add_argument(
        "--unmatched", required=True, type=Path, help="JSONL file of collect_decisions: entries on unknown items"
    )
    parser.add_argument("--reviewers", type=Path, nargs="*", default=[], help="YAML file of reviewer profiles, if any")
    parser.add_argument("--settings", required=True, type=json.loads, help="`verification` of the configuration, JSON")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write: conversations that pass")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write: rejected conversations")
    parser.add_argument("--items", required=True, type=Path, help="JSONL file to write: state of each queued item")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write: statistics")
    args = parser.parse_args(argv)

    settings = args.settings
    rule = ResolutionRule(settings["resolve"], frozenset(settings["accept"]), frozenset(settings["adjudicators"]))
    conversations = list(read_rows(args.conversations, Conversation))
    queue, decisions = (list(read_jsonl(path)) for path in (args.queue, args.decisions))
    resolutions = resolve_all(decisions, rule)
    states = metrics.item_states(queue, resolutions, settings["reviewers_per_item"], rule.adjudicators)
    profiles = read_reviewers(args.reviewers[0] if args.reviewers else None)
    answers = {item["id"]: len(item["conversation"]) for item in queue}
    minutes = metrics.minutes_per_answer(decisions, answers) or settings["minutes_per_answer"]
    remaining = metrics.remaining_work(states, settings["reviewers_per_item"], minutes, answers)
    if settings["require"]:
        require_complete(remaining)
    passed, rejections, statuses = apply_all(conversations, resolutions)
    write_jsonl(args.items, states)
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        passed,
        rejections,
        len(conversations),
        conversations={name: statuses[name] for name in ("unreviewed", "accepted", "corrected", "shortened")},
        decisions=len(decisions),
        changed_minds=sum(not row["counts"] for row in decisions),
        unmatched=dict(Counter(row["reason"] for row in read_jsonl(args.unmatched)).most_common()),
        items=dict(Counter(row["state"] for row in states if row["kind"] != "gold").most_common()),
        error_rates=metrics.error_rates(states),
        agreement=metrics.agreement(decisions),
        reviewers=metrics.reviewers(queue, decisions, profiles),
        left=remaining,
    )
    logging.info("conversations passed: %d %s; rejected: %s", len(passed), dict(statuses), rejections.by_reason())


if __name__ == "__main__":
    run(main)

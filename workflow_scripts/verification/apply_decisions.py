"""Let pass what experts accepted or have not seen, correct what they corrected, reject what they rejected."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row
from workflow_scripts.verification import metrics
from workflow_scripts.verification.applying import apply
from workflow_scripts.verification.decisions import read_reviewers
from workflow_scripts.verification.resolution import Rule, Settled, settle_all


def applied(rows: list[Row], settled: dict[str, dict[int, Settled]]) -> tuple[list[Row], Rejections, Counter[str]]:
    """The conversations that go on, those that do not, and how many there are of each outcome."""
    passed: dict[str, Row] = {}
    rejections, statuses = Rejections(), Counter()
    for row in rows:
        outcome = apply(row, settled.get(row["id"], {}), settled.get(row["provenance"]["seed"], {}))
        if outcome.row is None:
            rejections.add(row["id"], outcome.reason, outcome.evidence)
        elif outcome.row["id"] in passed:  # shortened or corrected into one that is there
            rejections.add(row["id"], "exact_duplicate", {"source": row["source"], "kept": outcome.row["id"]})
        else:
            passed[outcome.row["id"]] = outcome.row
            statuses[outcome.status] += 1
    return list(passed.values()), rejections, statuses


def demand(left: Row) -> None:
    """UserError while items await decisions."""
    if left["open"] or left["disputed"]:
        fields = ", ".join(f"{count} of {field}" for field, count in left["by_field"].items())
        raise UserError(
            f"{left['open']} items of verification/queue.jsonl lack decisions and {left['disputed']} are disputed ({fields}). "
            "Have them reviewed and add the files to `verification.decisions` (docs/verification.md), or set "
            "`verification.require: false`."
        )


def main(argv: list[str] | None = None) -> None:
    """Write the stage's artefacts `data.jsonl`, `rejected.jsonl` and `stats.json`, and how far each item is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--queue", required=True, type=Path, help="JSONL file of queue_reviews")
    parser.add_argument("--decisions", required=True, type=Path, help="JSONL file of collect_decisions")
    parser.add_argument("--aside", required=True, type=Path, help="JSONL file of collect_decisions: what it set aside")
    parser.add_argument("--reviewers", type=Path, nargs="*", default=[], help="YAML file of profiles, if any")
    parser.add_argument("--settings", required=True, type=json.loads, help="`verification` of the config, as JSON")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--items", required=True, type=Path, help="JSONL file to write: each item of the queue")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    settings = args.settings
    rule = Rule(settings["resolve"], frozenset(settings["accept"]), frozenset(settings["adjudicators"]))
    rows, queue, decisions = (list(read_jsonl(path)) for path in (args.conversations, args.queue, args.decisions))
    settled = settle_all(decisions, rule)
    states = metrics.item_states(queue, settled, settings["reviewers_per_item"], rule.adjudicators)
    people = metrics.reviewers(queue, decisions, read_reviewers(args.reviewers[0] if args.reviewers else None))
    answers = {item["id"]: len(item["conversation"]) for item in queue}
    minutes = metrics.minutes_per_answer(decisions, answers) or settings["minutes_per_answer"]
    left = metrics.left(states, settings["reviewers_per_item"], minutes, answers)
    if settings["require"]:
        demand(left)
    passed, rejections, statuses = applied(rows, settled)
    write_jsonl(args.items, states)
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        passed,
        rejections,
        len(rows),
        conversations={name: statuses[name] for name in ("unreviewed", "accepted", "corrected", "shortened")},
        decisions=len(decisions),
        changed_minds=sum(not row["counts"] for row in decisions),
        set_aside=dict(Counter(row["reason"] for row in read_jsonl(args.aside)).most_common()),
        items=dict(Counter(row["state"] for row in states if row["kind"] != "gold").most_common()),
        error_rates=metrics.error_rates(states),
        agreement=metrics.agreement(decisions),
        reviewers=people,
        left=left,
    )
    logging.info("%d conversations, %s, rejected %s", len(passed), dict(statuses), rejections.by_reason())


if __name__ == "__main__":
    run(main)

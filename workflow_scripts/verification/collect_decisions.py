"""Import reviewers' decisions from exports, spreadsheets and earlier decisions: each once, in a fixed order."""

import argparse
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.verification.decisions import (
    InvalidEntry,
    merge_decisions,
    parse_decision,
    read_file,
    read_reviewers,
)

LOGGED_ENTRIES = 20  # entries that are logged one by one


def sort_entries(
    files: list[Path], answers: dict[str, int], accounts: dict[int, str]
) -> tuple[list[Row], list[tuple[InvalidEntry, Row]], list[InvalidEntry]]:
    """Decisions on items of this run; unmatched entries, which are about other items; and invalid entries.

    `answers` is the number of answers of every item that a decision may be about, by id.
    """
    decisions, unmatched, invalid = [], [], []
    for path in files:
        for where, entry in read_file(path, accounts):
            row = parse_decision(where, entry)
            if isinstance(row, InvalidEntry):
                unmatched.append((row, entry)) if row.reason == "other_project" else invalid.append(row)
            elif row["item"] not in answers:
                message = f"item {row['item'][:40]} is not in this run"
                unmatched.append((InvalidEntry(where, "unknown_item", message), row))
            elif not 1 <= row["answer"] <= answers[row["item"]]:
                count = answers[row["item"]]
                message = f"item {row['item']} has {count} answer{'' if count == 1 else 's'}; there is no answer {row['answer']}"
                invalid.append(InvalidEntry(where, "unknown_answer", message))
            else:
                decisions.append(row)
    return decisions, unmatched, invalid


def require_valid(invalid: list[InvalidEntry]) -> None:
    """UserError if an entry is invalid, so that no expert's work is lost unnoticed; the first entries are logged."""
    for entry in invalid[:LOGGED_ENTRIES]:
        logging.error("error: %s: %s.", entry.where, entry.message)
    if invalid:
        raise UserError(f"invalid entries in the decision files: {len(invalid)}. Fix them there and run again.")


def main(argv: list[str] | None = None) -> None:
    """Write decisions.jsonl and decisions.unmatched.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", required=True, type=Path, help="JSONL file of queue_reviews")
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of select_seeds")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--files", required=True, type=Path, nargs="*", help="files of decisions, in order")
    parser.add_argument("--reviewers", type=Path, nargs="*", default=[], help="YAML file of reviewer profiles, if any")
    parser.add_argument("--decisions", required=True, type=Path, help="JSONL file to write: decisions")
    parser.add_argument("--unmatched", required=True, type=Path, help="JSONL file to write: entries on unknown items")
    args = parser.parse_args(argv)

    # Items that left the queue are accepted too, so that a smaller sample loses no decision.
    answers = {seed["id"]: 1 for seed in read_jsonl(args.seeds)}
    answers |= {row["id"]: len(row["conversation"]) for row in read_jsonl(args.conversations)}
    answers |= {item["id"]: len(item["conversation"]) for item in read_jsonl(args.queue)}
    profiles = read_reviewers(args.reviewers[0] if args.reviewers else None)
    accounts = {profile["account"]: name for name, profile in profiles.items() if profile.get("account")}
    decisions, unmatched, invalid = sort_entries(args.files, answers, accounts)
    require_valid(invalid)
    merged = merge_decisions(decisions)
    write_jsonl(args.decisions, merged)
    write_jsonl(
        args.unmatched,
        (
            {"where": problem.where, "reason": problem.reason, "message": problem.message, "entry": entry}
            for problem, entry in unmatched
        ),
    )
    for problem, _ in unmatched[:LOGGED_ENTRIES]:
        logging.warning("unmatched: %s: %s.", problem.where, problem.message)
    if len(unmatched) > LOGGED_ENTRIES:
        logging.warning("further unmatched entries: %d, in %s", len(unmatched) - LOGGED_ENTRIES, args.unmatched)
    logging.info(
        "decisions: %d, changed later: %d; unmatched entries by reason: %s",
        len(merged),
        sum(not row["counts"] for row in merged),
        dict(Counter(problem.reason for problem, _ in unmatched)),
    )


if __name__ == "__main__":
    run(main)

"""Take reviewers' decisions back from exports, spreadsheets and earlier decisions: each once, in one order."""

import argparse
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.verification.decisions import Problem, checked, in_order, read_file, read_reviewers

SHOWN = 20  # entries that are told of one by one


def sort_out(
    files: list[Path], known: dict[str, int], accounts: dict[int, str]
) -> tuple[list[Row], list[tuple[Problem, Row]], list[Problem]]:
    """Decisions on the items of this run; entries on other items, to be kept aside; and faulty entries.

    `known` are the ids that a decision may be about, with their numbers of answers.
    """
    decisions, aside, faulty = [], [], []
    for path in files:
        for where, entry in read_file(path, accounts):
            row = checked(where, entry)
            if isinstance(row, Problem):
                aside.append((row, entry)) if row.reason == "other_project" else faulty.append(row)
            elif row["item"] not in known:
                words = f"item {row['item'][:40]} is not of this run"
                aside.append((Problem(where, "unknown_item", words), row))
            elif not 1 <= row["answer"] <= known[row["item"]]:
                words = f"item {row['item']} has {known[row['item']]} answers, and no {row['answer']}"
                faulty.append(Problem(where, "unknown_answer", words))
            else:
                decisions.append(row)
    return decisions, aside, faulty


def refuse(faulty: list[Problem]) -> None:
    """UserError if an entry is faulty, after a line for each of the first: an expert's work must not get lost unseen."""
    for problem in faulty[:SHOWN]:
        logging.error("error: %s: %s.", problem.where, problem.words)
    if faulty:
        raise UserError(
            f"{len(faulty)} entries of the decision files are faulty; correct them or delete them there and run again."
        )


def main(argv: list[str] | None = None) -> None:
    """Write decisions.jsonl and what was set aside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", required=True, type=Path, help="JSONL file of queue_reviews")
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of select_seeds")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--files", required=True, type=Path, nargs="*", help="files of decisions, in their order")
    parser.add_argument("--reviewers", type=Path, nargs="*", default=[], help="YAML file of profiles, if any")
    parser.add_argument("--decisions", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--aside", required=True, type=Path, help="JSONL file to write: entries on other items")
    args = parser.parse_args(argv)

    # What has left the queue may still be decided on: a sample that shrank loses nobody's work.
    known = {seed["id"]: 1 for seed in read_jsonl(args.seeds)}
    known |= {row["id"]: len(row["conversation"]) for row in read_jsonl(args.conversations)}
    known |= {item["id"]: len(item["conversation"]) for item in read_jsonl(args.queue)}
    profiles = read_reviewers(args.reviewers[0] if args.reviewers else None)
    accounts = {profile["account"]: name for name, profile in profiles.items() if profile.get("account")}
    decisions, aside, faulty = sort_out(args.files, known, accounts)
    refuse(faulty)
    ordered = in_order(decisions)
    write_jsonl(args.decisions, ordered)
    kept = [
        {"where": problem.where, "reason": problem.reason, "words": problem.words, "entry": entry}
        for problem, entry in aside
    ]
    write_jsonl(args.aside, kept)
    for problem, _ in aside[:SHOWN]:
        logging.warning("set aside: %s: %s.", problem.where, problem.words)
    if len(aside) > SHOWN:
        logging.warning("... and %d more, in %s", len(aside) - SHOWN, args.aside)
    logging.info(
        "%d decisions, %d of them later changed; set aside %s",
        len(ordered),
        sum(not row["counts"] for row in ordered),
        dict(Counter(problem.reason for problem, _ in aside)),
    )


if __name__ == "__main__":
    run(main)

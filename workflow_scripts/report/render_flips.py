"""Render the page of flips: items that changed between wrong and right from the base model to a trained model."""

import argparse
import logging
from itertools import groupby
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_jsonl, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.report.items import PROMPT_CHARS, correct_option, end_of, question_of
from workflow_scripts.report.pages import render

MAX_ITEMS = 25  # per task and direction


def displayed_item(item: Row) -> Row:
    """An item for flips.html.jinja: the end of its prompt, and its options with the log-likelihoods of both models."""
    base, tuned = (item[side]["loglikelihoods"] for side in ("base", "tuned"))
    correct = correct_option(item)
    options = [
        {
            "text": text,
            "base": base[number],
            "tuned": tuned[number],
            "base_picks": base[number] == max(base),
            "tuned_picks": tuned[number] == max(tuned),
            "target": number == correct,
        }
        for number, text in enumerate(item["options"])
    ]
    prompt = end_of(item["prompt"], PROMPT_CHARS)
    return {**item, "prompt": prompt, "question": question_of(item["prompt"]), "options": options}


def groups(flips: list[Row]) -> list[Row]:
    """The items by task and model; within a group, those that became right come first."""
    rows_by_task = []
    ordered = sorted(
        flips, key=lambda item: (item["asked"], item["model"], item["task"], item["doc_hash"], item["copy"])
    )
    for number, ((asked, model), items) in enumerate(groupby(ordered, key=lambda item: (item["asked"], item["model"]))):
        rows = list(items)
        sides = [
            (name, [row for row in rows if row["gained"] is gained])
            for name, gained in (("right", True), ("wrong", False))
        ]
        rows_by_task.append(
            {
                "asked": asked,
                "model": model,
                "metric": rows[0]["metric"],
                "anchor": f"task-{number}",
                "gained": len(sides[0][1]),
                "lost": len(sides[1][1]),
                "sides": [
                    (name, len(own), [displayed_item(row) for row in own[:MAX_ITEMS]]) for name, own in sides if own
                ],
            }
        )
    return rows_by_task


def main(argv: list[str] | None = None) -> None:
    """Write flips.html: self-contained, with every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--flips", required=True, type=Path, help="JSONL file of compare_models")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    flips = list(read_jsonl(args.flips))
    write_text(args.page, render(package_file("report/templates/flips.html.jinja"), run=args.run, groups=groups(flips)))
    logging.info("%s: %s", args.page, counted(len(flips), "item"))


if __name__ == "__main__":
    run(main)

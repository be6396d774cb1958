"""A page to look at the items that turned right or wrong between the base model and a trained one."""

import argparse
import json
import logging
from itertools import groupby
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_jsonl, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.report.pages import render

SHOWN = 25  # items of a task and direction on the page
SUMMARY = 160  # characters of an item in its closed line
PROMPT = 4000  # characters of a prompt, its end: the examples of a few-shot prompt come before the question


def shown(item: Row) -> Row:
    """An item as the page shows it: the end of its prompt, and its options side by side."""
    prompt = item["prompt"] if len(item["prompt"]) <= PROMPT else f"… {item['prompt'][-PROMPT:]}"
    lines = [line for line in item["prompt"].split("\n\n")[-1].splitlines() if line.strip()]
    base, tuned = (item[side]["loglikelihoods"] for side in ("base", "tuned"))
    right = _right(item)
    options = [
        {
            "text": text,
            "base": base[number],
            "tuned": tuned[number],
            "base_picks": base[number] == max(base),
            "tuned_picks": tuned[number] == max(tuned),
            "target": number == right,
        }
        for number, text in enumerate(item["options"])
    ]
    return {**item, "prompt": prompt, "question": " ".join(lines)[:SUMMARY], "options": options}


def _right(item: Row) -> int | None:
    """The place of the right option, where the task's target is one: its number, or its text."""
    target = json.loads(item["target"])
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, int) and 0 <= target < len(item["options"]):
        return target
    texts = [text.strip() for text in item["options"]]
    return texts.index(str(target).strip()) if str(target).strip() in texts else None


def groups(flips: list[Row]) -> list[Row]:
    """The items by task and model, those that turned right first."""
    found = []
    ordered = sorted(
        flips, key=lambda item: (item["asked"], item["model"], item["task"], item["doc_hash"], item["copy"])
    )
    for number, ((asked, model), items) in enumerate(groupby(ordered, key=lambda item: (item["asked"], item["model"]))):
        rows = list(items)
        sides = [
            (name, [row for row in rows if row["gained"] is gained])
            for name, gained in (("right", True), ("wrong", False))
        ]
        found.append(
            {
                "asked": asked,
                "model": model,
                "metric": rows[0]["metric"],
                "anchor": f"task-{number}",
                "gained": len(sides[0][1]),
                "lost": len(sides[1][1]),
                "sides": [(name, len(own), [shown(row) for row in own[:SHOWN]]) for name, own in sides if own],
            }
        )
    return found


def main(argv: list[str] | None = None) -> None:
    """Write flips.html: self-contained, every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--flips", required=True, type=Path, help="JSONL file of compare_models")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    flips = list(read_jsonl(args.flips))
    write_text(args.page, render(package_file("report/templates/flips.html.jinja"), run=args.run, groups=groups(flips)))
    logging.info("%s: %d items", args.page, len(flips))


if __name__ == "__main__":
    run(main)

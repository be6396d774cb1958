"""Render the page of candidates for rephrased benchmark items: each passage next to its item, with the judged relation."""

import argparse
import logging
from collections import defaultdict
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json, read_jsonl, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.relation_kinds import RELATIONS
from workflow_scripts.report.pages import render

MAX_CANDIDATES = 200  # per relation
UNJUDGED = "not judged"


def verdict(row: Row) -> str:
    """The outcome of a candidate: removed, allowed, or listed only."""
    if row["counts"]:
        return "removed"
    return "listed only" if row["allowed"] is None else f"allowed: {row['allowed']}"


def main(argv: list[str] | None = None) -> None:
    """Write rephrased.html: self-contained, with every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True, help="name of the run or of the data, for the title")
    parser.add_argument("--rephrased", required=True, type=Path, help="rephrased.jsonl of the decontamination")
    parser.add_argument("--stats", required=True, type=Path, help="stats.json of the decontamination")
    parser.add_argument("--browser", default="", help="conversation browser in the same folder, to link to")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    groups: dict[str, list[Row]] = defaultdict(list)
    for row in read_jsonl(args.rephrased):
        groups[row["relation"] or UNJUDGED].append({**row, "verdict": verdict(row)})
    relations = [
        {
            "name": name.replace("_", " "),
            "anchor": f"relation-{number}",
            "meaning": RELATIONS.get(name, "no judge, or no valid judgement"),
            "count": len(rows),
            "candidates": sorted(rows, key=lambda row: (-row["similarity"], row["id"]))[:MAX_CANDIDATES],
        }
        for number, name in enumerate([*RELATIONS, UNJUDGED])
        if (rows := groups[name])
    ]
    table = read_json(args.stats)["rephrased"]
    shown = {name: counts for name, counts in table["benchmarks"].items() if counts["candidates"]["items"]}
    page = render(
        package_file("report/templates/rephrased.html.jinja"),
        title=args.title,
        table=table,
        benchmarks=shown,
        relations=relations,
        browser=args.browser,
    )
    write_text(args.page, page.lstrip())
    logging.info("%s: %s", args.page, counted(sum(map(len, groups.values())), "candidate"))


if __name__ == "__main__":
    run(main)

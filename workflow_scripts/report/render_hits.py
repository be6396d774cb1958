"""Render the page of decontamination hits: both texts next to each other, differing characters marked."""

import argparse
import logging
from collections import defaultdict
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_rows, write_text
from workflow_scripts.common.types import Hit, Row
from workflow_scripts.report.contamination import by_relevance, displayed_hit
from workflow_scripts.report.pages import render

MAX_HITS = 200  # per benchmark


def main(argv: list[str] | None = None) -> None:
    """Write hits.html: self-contained, with every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True, help="name of the run or of the data, for the title")
    parser.add_argument("--hits", required=True, type=Path, nargs="+", help="hits.jsonl of the decontamination")
    parser.add_argument("--browser", default="", help="conversation browser in the same folder, to link to")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    groups: dict[str, list[Hit]] = defaultdict(list)
    for path in args.hits:
        if not path.is_file():
            raise UserError(f"file not found: {path}. Name the hits.jsonl of a decontamination.")
        for number, hit in enumerate(read_rows(path, Hit), 1):
            if "found_normal" not in hit:
                raise UserError(f"not a decontamination hit: {path}, row {number}. Name a hits.jsonl file.")
            groups[hit["benchmark"]].append(hit)
    benchmarks: list[Row] = [
        {
            "name": name,
            "anchor": f"benchmark-{number}",
            "count": len(hits),
            "removing": sum(hit["counts"] for hit in hits),
            "hits": [displayed_hit(hit) for hit in by_relevance(hits)[:MAX_HITS]],
        }
        for number, (name, hits) in enumerate(sorted(groups.items()))
    ]
    benchmarks.sort(key=lambda group: (-group["removing"], group["name"]))
    count = sum(group["count"] for group in benchmarks)
    page = render(
        package_file("report/templates/hits.html.jinja"),
        title=args.title,
        count=count,
        benchmarks=benchmarks,
        browser=args.browser,
    )
    write_text(args.page, page.lstrip())
    logging.info("%s: %s", args.page, counted(count, "hit"))


if __name__ == "__main__":
    run(main)

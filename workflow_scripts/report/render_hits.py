"""A page that shows each hit of the decontamination: both texts side by side, the differing characters marked."""

import argparse
import logging
from collections import defaultdict
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_jsonl, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.report.contamination import by_weight, shown
from workflow_scripts.report.pages import render

SHOWN = 200  # hits of a benchmark on the page


def main(argv: list[str] | None = None) -> None:
    """Write hits.html: self-contained, every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True, help="name of the run or of the data")
    parser.add_argument("--hits", required=True, type=Path, nargs="+", help="hits.jsonl of the decontamination")
    parser.add_argument("--browser", default="", help="page of conversations beside it, to link to")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    groups: dict[str, list[Row]] = defaultdict(list)
    for path in args.hits:
        if not path.is_file():
            raise UserError(f"{path}: no such file.")
        for number, hit in enumerate(read_jsonl(path), 1):
            if "found_normal" not in hit:
                raise UserError(f"{path}, row {number}: no hit of the decontamination. Name its hits.jsonl.")
            groups[hit["benchmark"]].append(hit)
    benchmarks = [
        {
            "name": name,
            "anchor": f"benchmark-{number}",
            "count": len(hits),
            "removing": sum(hit["counts"] for hit in hits),
            "hits": [shown(hit) for hit in by_weight(hits)[:SHOWN]],
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
    logging.info("%s: %d hits", args.page, count)


if __name__ == "__main__":
    run(main)

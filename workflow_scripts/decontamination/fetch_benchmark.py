"""Fetch the items of one benchmark from the hub or a local file."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.decontamination.items import read_benchmark


def main(argv: list[str] | None = None) -> None:
    """Write the items, and a file with dataset, revision and number of items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", required=True, help="the benchmark's name")
    parser.add_argument(
        "--settings",
        required=True,
        type=json.loads,
        help="the benchmark's entry (see decontamination/benchmarks.yaml), as JSON",
    )
    parser.add_argument("--items", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file to write: dataset, revision, items")
    args = parser.parse_args(argv)

    items, origin = read_benchmark(args.benchmark, args.settings)
    write_jsonl(args.items, items)
    write_json(args.origin, {**origin, "items": len(items)})
    logging.info("%s: items %d; %s at %s", args.benchmark, len(items), origin["dataset"], origin["revision"])


if __name__ == "__main__":
    run(main)

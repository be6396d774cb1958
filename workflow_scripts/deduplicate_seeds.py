"""Take out exact and near duplicates among the clean seeds of all sources."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_jsonl, write_jsonl
from workflow_scripts.seeds.duplicates import deduplicate


def main(argv: list[str] | None = None) -> None:
    """Write the survivors and the duplicates, each with the row that survived it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of clean_seeds")
    parser.add_argument(
        "--threshold", required=True, type=float, help="Jaccard similarity of character 5-grams, 0 to 1"
    )
    parser.add_argument("--unique", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    survivors, rejections = deduplicate(list(read_jsonl(args.seeds)), args.threshold)
    write_jsonl(args.unique, survivors)
    write_jsonl(args.rejected, rejections.rows)
    logging.info("%d unique seeds, rejected %s", len(survivors), rejections.by_reason())


if __name__ == "__main__":
    run(main)

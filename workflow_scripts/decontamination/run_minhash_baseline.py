"""Look for whole turns that are near copies of benchmark texts by MinHash, to show beside what the search finds."""

import argparse
import itertools
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.decontamination.corpus import read_turns
from workflow_scripts.decontamination.minhash_baseline import NearCopies

BATCH = 1000  # conversations in memory at once


def main(argv: list[str] | None = None) -> None:
    """Write a row for each turn and item that are near copies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument("--copies", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    lowest_level = read_json(args.index / "items.json")["lowest_level"]
    known = NearCopies(list(read_jsonl(args.index / "queries.jsonl")), lowest_level)
    copies, rows = [], read_jsonl(args.conversations)
    with progress(None, "comparing by MinHash", "conversation") as bar:
        while batch := list(itertools.islice(rows, BATCH)):
            turns = [[text for _, text in read_turns(row, [])] for row in batch]
            copies += known.find([row["id"] for row in batch], turns)
            bar.update(len(batch))
    write_jsonl(
        args.copies,
        sorted(copies, key=lambda row: (row["id"], row["turn"], row["benchmark"], row["item"], row["field"])),
    )
    logging.info("%d pairs of a turn and an item", len(copies))


if __name__ == "__main__":
    run(main)

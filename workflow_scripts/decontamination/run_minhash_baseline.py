"""Find whole turns that are near-duplicates of benchmark texts by MinHash, as a baseline for the lossless search."""

import argparse
import itertools
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.corpus import read_turns
from workflow_scripts.decontamination.minhash_baseline import MinHashBaseline

BATCH_CONVERSATIONS = 1000  # in memory at once


def main(argv: list[str] | None = None) -> None:
    """Write a row for each pair of a turn and an item that are near-duplicates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument("--matches", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    lowest_level = read_json(args.index / "items.json")["lowest_level"]
    baseline = MinHashBaseline(list(read_jsonl(args.index / "queries.jsonl")), lowest_level)
    matches: list[Row] = []
    rows = read_jsonl(args.conversations)
    with progress(None, "comparing by MinHash", "conversation") as bar:
        while batch := list(itertools.islice(rows, BATCH_CONVERSATIONS)):
            turns = [[text for _, text in read_turns(row, [])] for row in batch]
            matches += baseline.find([row["id"] for row in batch], turns)
            bar.update(len(batch))
    write_jsonl(
        args.matches,
        sorted(matches, key=lambda row: (row["id"], row["turn"], row["benchmark"], row["item"], row["field"])),
    )
    logging.info("pairs of a turn and an item: %d", len(matches))


if __name__ == "__main__":
    run(main)

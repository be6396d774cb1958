"""Divide the seeds into shards, each with the examples that LaMini shows: a job of the synthesis reads its own shard only."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.plural import counted
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.synthesis.shards import shards


def main(argv: list[str] | None = None) -> None:
    """Write the files of all shards; the last ones are empty if fewer seeds than `seeds.limit` were selected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of select_seeds")
    parser.add_argument("--shard-size", required=True, type=int, help="seeds per shard")
    parser.add_argument("--shard-count", required=True, type=int, help="number of shards: 0000, 0001, ...")
    parser.add_argument("--examples", required=True, type=int, help="other seeds' instructions for each seed")
    parser.add_argument("--shards", required=True, type=Path, help="folder of the files to write")
    args = parser.parse_args(argv)

    parts = shards(args.seeds, args.shard_size, args.examples)
    seeds = 0
    with progress(args.shard_count, "writing shards", "shard") as bar:
        for number in range(args.shard_count):
            part = next(parts, [])
            write_jsonl(args.shards / f"{number:04d}.jsonl", part)
            seeds += len(part)
            bar.update()
    if next(parts, None):
        raise ValueError(f"{args.shard_count} shards of {args.shard_size} seeds do not hold all seeds")
    logging.info("%s in %s", counted(seeds, "seed"), counted(args.shard_count, "shard"))


if __name__ == "__main__":
    run(main)

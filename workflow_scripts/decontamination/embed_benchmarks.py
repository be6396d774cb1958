"""Embed the texts of all benchmark items, for the search for rephrased ones."""

import argparse
import functools
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.decontamination.rephrasing import write_items
from workflow_scripts.seeds.embedding import embed, load_embedder


def main(argv: list[str] | None = None) -> None:
    """Write the items with their vectors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", required=True, type=Path, help="queries.jsonl of index_benchmarks")
    parser.add_argument("--model", required=True, help="sentence-transformers model")
    parser.add_argument("--vectors", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    count = write_items(args.vectors, read_jsonl(args.queries), functools.partial(embed, load_embedder(args.model)))
    logging.info("%d items with a text that is specific enough to compare", count)


if __name__ == "__main__":
    run(main)

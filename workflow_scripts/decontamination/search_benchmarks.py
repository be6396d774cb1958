"""Look for every indexed benchmark text in every conversation of a shard; write each hit down."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.decontamination.corpus import blocks, shard
from workflow_scripts.decontamination.scan import scan


def main(argv: list[str] | None = None) -> None:
    """Write the hits, in the order of the conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument("--shard", required=True, type=int, nargs=2, metavar=("NUMBER", "COUNT"), help="from 1 on")
    parser.add_argument("--processes", required=True, type=int, help="processes to search with")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    conversations, hits = 0, []
    for found in scan(shard(blocks([args.conversations]), *args.shard), args.index, [], args.processes):
        conversations += found.conversations
        # The file is the run's own, and a line of it says nothing that the id does not.
        hits += [{key: value for key, value in hit.items() if key not in ("file", "row")} for hit in found.hits]
    write_jsonl(args.hits, hits)
    logging.info("%d conversations, %d hits", conversations, len(hits))


if __name__ == "__main__":
    run(main)

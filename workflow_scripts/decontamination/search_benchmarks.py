"""Search the conversations of one shard for every indexed benchmark text."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.decontamination.corpus import blocks, shard
from workflow_scripts.decontamination.scan import scan


def main(argv: list[str] | None = None) -> None:
    """Write the hits in the order of the conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument("--shard", required=True, type=int, help="number of the shard, from 0000")
    parser.add_argument("--shards", required=True, type=int, help="number of shards")
    parser.add_argument("--processes", required=True, type=int, help="number of search processes")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    conversations, hits = 0, []
    for found in scan(shard(blocks([args.conversations]), args.shard, args.shards), args.index, [], args.processes):
        conversations += found.conversations
        # File and row of the run's own file add nothing to the id.
        hits += [{key: value for key, value in hit.items() if key not in ("file", "row")} for hit in found.hits]
    write_jsonl(args.hits, hits)
    logging.info("conversations: %d, hits: %d", conversations, len(hits))


if __name__ == "__main__":
    run(main)

"""Find passages of the conversations that may be rephrased benchmark items, by their embeddings."""

import argparse
import functools
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.decontamination.corpus import SearchText, blocks, read_block
from workflow_scripts.decontamination.rephrasing import ItemVectors, candidates
from workflow_scripts.seeds.embedding import embed, load_embedder


def main(argv: list[str] | None = None) -> None:
    """Write the candidates in the order of the conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--vectors", required=True, type=Path, help="parquet file of embed_benchmarks")
    parser.add_argument("--model", required=True, help="sentence-transformers model of embed_benchmarks")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="neighbours, min_similarity and answers, as JSON"
    )
    parser.add_argument("--candidates", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    parts = blocks([args.conversations])

    def texts() -> Iterator[SearchText]:
        with progress(sum(block.end - block.start for block in parts), "comparing", "B", scale=True) as bar:
            for block in parts:
                for rows, _ in read_block(block, []):
                    yield from rows
                bar.update(block.end - block.start)

    embed_texts = functools.partial(embed, load_embedder(args.model))
    found = list(candidates(texts(), ItemVectors(args.vectors), embed_texts, **args.settings))
    # The row in its block adds nothing to the id.
    write_jsonl(args.candidates, ({key: value for key, value in row.items() if key != "row"} for row in found))
    logging.info("%d pairs of a passage and an item in %d conversations", len(found), len({row["id"] for row in found}))


if __name__ == "__main__":
    run(main)

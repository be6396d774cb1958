"""The conversations that one model is trained on: all of them, or for an ablation a part of each."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import read_exchanges
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row


def variant(row: Row, data: str) -> Row:
    """A conversation as the model sees it: whole (`conversations`), or only how it began (`first_exchange`).

    The first exchange is the seed's own question and answer where the seed has them and no technique rewrote them,
    so `first_exchange` trains on what the conversations were grown from: the same seeds, single-turn, un-amplified.
    Unlike the seed itself, it has been matched against the benchmarks.
    """
    return row if data == "conversations" else {**row, "conversation": row["conversation"][:1]}


def rewritten(provenance: Row) -> bool:
    """Whether a technique before Amplify-Instruct made the opening another than the seed's."""
    return any(name != "amplify" for name in provenance.get("techniques") or [])


def main(argv: list[str] | None = None) -> None:
    """Write the model's conversations and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument(
        "--data", required=True, choices=["conversations", "first_exchange"], help="what to take of each"
    )
    parser.add_argument("--selected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write; none is rejected")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    published = pd.read_parquet(args.train, columns=["id", "source", "messages", "provenance"]).to_dict("records")
    rows = [
        variant(
            {
                "id": row["id"],
                "source": row["source"],
                "conversation": read_exchanges({"messages": list(row["messages"])}),
            },
            args.data,
        )
        for row in published
    ]
    write_stage(
        args.selected,
        args.rejected,
        args.stats,
        rows,
        Rejections(),
        len(rows),
        takes=args.data,
        exchanges=sum(len(row["conversation"]) for row in rows),
        rewritten_openings=sum(rewritten(json.loads(row["provenance"])) for row in published),
        per_source=dict(Counter(row["source"] for row in rows).most_common()),
    )
    logging.info("%d conversations (%s)", len(rows), args.data)


if __name__ == "__main__":
    run(main)

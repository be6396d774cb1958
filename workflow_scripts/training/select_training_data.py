"""Select the training data of a model: whole conversations, or for an ablation the first exchange of each."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import from_messages
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row


def select_exchanges(row: Row, data: str) -> Row:
    """The conversation that the model is trained on: whole (`conversations`), or its first exchange (`first_exchange`).

    The first exchange is the seed's own question and answer if the seed has both and no technique rewrote them. So
    `first_exchange` trains on the same seeds, single-turn and not amplified. Unlike the seed, it is decontaminated.
    """
    return row if data == "conversations" else {**row, "conversation": row["conversation"][:1]}


def rewritten(provenance: Row) -> bool:
    """Whether a technique before Amplify-Instruct rewrote the opening of the seed."""
    return any(name != "amplify" for name in provenance.get("techniques") or [])


def main(argv: list[str] | None = None) -> None:
    """Write the training data of a model and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument(
        "--data", required=True, choices=["conversations", "first_exchange"], help="part of each conversation"
    )
    parser.add_argument("--selected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write; always empty")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    table = pd.read_parquet(args.train, columns=["id", "source", "messages", "provenance"]).to_dict("records")
    rows = [
        select_exchanges(
            {
                "id": row["id"],
                "source": row["source"],
                "conversation": from_messages(row["messages"]),
            },
            args.data,
        )
        for row in table
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
        rewritten_openings=sum(rewritten(json.loads(row["provenance"])) for row in table),
        per_source=dict(Counter(row["source"] for row in rows).most_common()),
    )
    logging.info("%d conversations (%s)", len(rows), args.data)


if __name__ == "__main__":
    run(main)

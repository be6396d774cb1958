"""Split the clean conversations into train and test and publish them in the layouts that trainers read."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_jsonl, write_json, write_jsonl
from workflow_scripts.common.stage import Rejections, statistics
from workflow_scripts.common.types import Row


def split(rows: list[Row], test_fraction: float, random_seed: int) -> tuple[list[Row], list[Row]]:
    """(train, test), each in the order of the ids; at least one row in each.

    A row's place is drawn from its id, so that a row added or removed moves at most one other across the border.
    """
    if len(rows) < 2:
        raise UserError(
            f"{len(rows)} conversation is left after decontamination; two are needed to train and to test. "
            "The rejected.jsonl of seeds, synthesis and decontamination say why the others are gone."
        )
    drawn = sorted(rows, key=lambda row: content_id(random_seed, row["id"]))
    tests = min(max(1, round(len(rows) * test_fraction)), len(rows) - 1)
    return tuple(sorted(part, key=lambda row: row["id"]) for part in (drawn[tests:], drawn[:tests]))  # type: ignore[return-value]


def publish(rows: list[Row], jsonl: Path, parquet: Path) -> None:
    """Capybara's own layout as JSONL; `messages` with id and provenance as parquet."""
    write_jsonl(jsonl, ({"source": row["source"], "conversation": row["conversation"]} for row in rows))
    frame = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "source": [row["source"] for row in rows],
            "messages": [to_messages(row["conversation"]) for row in rows],
            "num_turns": [2 * len(row["conversation"]) for row in rows],
            "license": [row["provenance"]["license"] for row in rows],
            "provenance": [json.dumps(row["provenance"], ensure_ascii=False, sort_keys=True) for row in rows],
        }
    )
    frame.to_parquet(parquet, index=False)


def main(argv: list[str] | None = None) -> None:
    """Write train and test as JSONL and parquet, and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of decontaminate_conversations")
    parser.add_argument("--test-fraction", required=True, type=float, help="share of the conversations held out")
    parser.add_argument("--random-seed", required=True, type=int, help="draws another split")
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="JSONL file to write")
        parser.add_argument(f"--{part}-parquet", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write; splitting rejects nothing")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    rows = list(read_jsonl(args.conversations))
    train, test = split(rows, args.test_fraction, args.random_seed)
    publish(train, args.train, args.train_parquet)
    publish(test, args.test, args.test_parquet)
    write_jsonl(args.rejected, [])
    write_json(
        args.stats,
        statistics(
            len(rows),
            len(train) + len(test),
            Rejections(),
            train=len(train),
            test=len(test),
            per_source=dict(Counter(row["source"] for row in rows).most_common()),
            licenses=dict(Counter(row["provenance"]["license"] for row in rows).most_common()),
        ),
    )
    logging.info("%d conversations for training, %d for testing", len(train), len(test))


if __name__ == "__main__":
    run(main)

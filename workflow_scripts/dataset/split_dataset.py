"""Split the clean conversations into train and test, and write them in the layouts that trainers read."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_rows, write_json, write_jsonl
from workflow_scripts.common.stage import Rejections, statistics
from workflow_scripts.common.types import Conversation


def split(
    rows: list[Conversation], test_fraction: float, random_seed: int
) -> tuple[list[Conversation], list[Conversation]]:
    """(train, test), each sorted by id, with at least one row in each; UserError for fewer than two rows.

    The draw is seeded by the rows' ids, so an added or removed row moves at most one other row to the other side.
    """
    if len(rows) < 2:
        raise UserError(
            f"too few conversations after decontamination: {len(rows)}; at least 2 are required, to train and to test. "
            "See the rejected.jsonl of the earlier stages for the reasons, and add seeds or conversations."
        )
    drawn = sorted(rows, key=lambda row: content_id(random_seed, row["id"]))
    test_rows = min(max(1, round(len(rows) * test_fraction)), len(rows) - 1)
    return tuple(sorted(part, key=lambda row: row["id"]) for part in (drawn[test_rows:], drawn[:test_rows]))  # type: ignore[return-value]


def publish(rows: list[Conversation], jsonl: Path, parquet: Path) -> None:
    """Write the rows in Capybara's layout as JSONL, and as `messages` with id and provenance as parquet."""
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
    """Write train and test as JSONL and parquet, rejected.jsonl and stats.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of decontaminate_conversations")
    parser.add_argument("--test-fraction", required=True, type=float, help="share of the conversations in the test set")
    parser.add_argument("--random-seed", required=True, type=int, help="seed of the draw")
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="JSONL file to write")
        parser.add_argument(f"--{part}-parquet", required=True, type=Path, help="parquet file to write")
    parser.add_argument(
        "--rejected", required=True, type=Path, help="JSONL file to write: empty, as the split rejects nothing"
    )
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    rows = list(read_rows(args.conversations, Conversation))
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
    logging.info("conversations for training: %d, for testing: %d", len(train), len(test))


if __name__ == "__main__":
    run(main)

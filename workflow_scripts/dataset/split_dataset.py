"""Split the clean conversations into train and test, and write them in the layouts that trainers read."""

import argparse
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import content_id, read_rows, write_json, write_jsonl
from workflow_scripts.common.stage import Rejections, statistics
from workflow_scripts.common.types import Conversation
from workflow_scripts.dataset.groups import group_numbers


def quotas(sizes: Mapping[str, int], wanted: int, random_seed: int) -> dict[str, int]:
    """Test rows of each source: its share of the `wanted` rows, rounded so that the sum is `wanted` (largest remainders)."""
    shares = {source: size * wanted / sum(sizes.values()) for source, size in sizes.items()}
    rounded = {source: int(share) for source, share in shares.items()}
    by_remainder = sorted(sizes, key=lambda source: (rounded[source] - shares[source], content_id(random_seed, source)))
    for source in by_remainder[: wanted - sum(rounded.values())]:
        rounded[source] += 1
    return rounded


def split(
    rows: list[Conversation], test_fraction: float, random_seed: int, min_jaccard: float | None
) -> tuple[list[Conversation], list[Conversation]]:
    """(train, test), each sorted by id, with at least one row in each. No group (`group_numbers`) is divided.

    Each source has its share of the test rows; a group counts for the source of most of its rows. The groups are drawn
    in the order of hashes of their ids, so an added row moves few others. UserError for fewer than two groups.
    """
    members: dict[int, list[Conversation]] = defaultdict(list)
    for row, number in zip(rows, group_numbers(rows, min_jaccard).tolist(), strict=True):
        members[number].append(row)
    if len(members) < 2:
        raise UserError(
            f"too few conversations after decontamination: {len(rows)} of {counted(len(members), 'origin')}; at least 2 "
            "origins are required, to train and to test. See the rejected.jsonl of the earlier stages for the reasons, and "
            "add seeds or conversations."
        )
    drawn = sorted(members.values(), key=lambda group: min(content_id(random_seed, row["id"]) for row in group))
    sizes: Counter[str] = Counter()
    for group in drawn:
        sizes[main_source(group)] += len(group)
    wanted = min(max(1, round(len(rows) * test_fraction)), len(rows) - 1)
    free = quotas(sizes, wanted, random_seed)
    test: list[Conversation] = []
    others = []
    for group in drawn:
        source = main_source(group)
        if len(group) <= free[source]:
            free[source] -= len(group)
            test += group
        else:
            others.append(group)
    train: list[Conversation] = []
    for group in others:  # of any source, where no group fits into a source's share
        part = test if len(test) + len(group) <= wanted else train
        part += group
    if not test:  # every group is larger than the test part
        test = min(drawn, key=len)
        train = [row for group in drawn if group is not test for row in group]
    return sorted(train, key=lambda row: row["id"]), sorted(test, key=lambda row: row["id"])


def main_source(group: list[Conversation]) -> str:
    """The source of most rows; of several the first by name."""
    counts = Counter(row["source"] for row in group)
    return min(counts, key=lambda source: (-counts[source], source))


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
    parser.add_argument(
        "--min-jaccard", required=True, type=json.loads, help="openings at least this similar stay on one side, or null"
    )
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
    train, test = split(rows, args.test_fraction, args.random_seed, args.min_jaccard)
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
            test_per_source=dict(Counter(row["source"] for row in test).most_common()),
            licenses=dict(Counter(row["provenance"]["license"] for row in rows).most_common()),
        ),
    )
    logging.info("conversations for training: %d, for testing: %d", len(train), len(test))


if __name__ == "__main__":
    run(main)

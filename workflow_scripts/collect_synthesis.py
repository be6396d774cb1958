"""Join the shards of the synthesis and measure what they hold."""

import argparse
import logging
from collections import Counter
from pathlib import Path
from statistics import mean

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import Row, read_json, read_jsonl
from workflow_scripts.common.stage import Rejections, write_stage

SUMMED = ("requests", "cached", "prompt_tokens", "completion_tokens", "seconds")


def describe(rows: list[Row]) -> Row:
    """Exchanges a conversation, characters a turn, techniques and moves: the columns of the published table."""
    exchanges = [exchange for row in rows for exchange in row["conversation"]]
    return {
        "exchanges": dict(sorted(Counter(len(row["conversation"]) for row in rows).items())),
        "mean_user_chars": round(mean(len(exchange["input"]) for exchange in exchanges), 1),
        "mean_answer_chars": round(mean(len(exchange["output"]) for exchange in exchanges), 1),
        "moves": dict(Counter(move for row in rows for move in row["provenance"]["moves"]).most_common()),
    }


def main(argv: list[str] | None = None) -> None:
    """Write the stage's artefacts `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, type=Path, nargs="+", help="JSONL files of synthesize_shard")
    parser.add_argument("--shards-rejected", required=True, type=Path, nargs="+", help="their rejected rows")
    parser.add_argument("--shards-stats", required=True, type=Path, nargs="+", help="their statistics")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    rows = [row for path in args.shards for row in read_jsonl(path)]
    if not rows:
        raise UserError(
            "no seed grew into a conversation; synthesis/shards/*.rejected.jsonl says why. Try another teacher."
        )
    rejections = Rejections([row for path in args.shards_rejected for row in read_jsonl(path)])
    stats = [read_json(path) for path in args.shards_stats]
    faults: Counter[str] = Counter()
    for part in stats:
        faults.update(part.get("faults", {}))
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        rows,
        rejections,
        rows_in=sum(part["in"] for part in stats),
        **{key: round(sum(part.get(key, 0) for part in stats), 2) for key in SUMMED},
        faults=dict(faults.most_common()),
        **describe(rows),
    )
    logging.info("%d conversations, rejected %s", len(rows), rejections.by_reason())


if __name__ == "__main__":
    run(main)

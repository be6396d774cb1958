"""Join the shards of the synthesis, cull generated openings that mean the same, and measure what is left."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.synthesis.dedup_openings import cull, generated
from workflow_scripts.synthesis.metrics import describe

SUMMED = ("requests", "cached", "prompt_tokens", "completion_tokens", "seconds", "money")


def culled(rows: list[Row], settings: Row, model: str) -> tuple[list[Row], Rejections]:
    """The rows that stay, in the order of their ids, and those whose opening another one has in other words."""
    rows = sorted(rows, key=lambda row: row["id"])
    rejections = Rejections()
    if not model or settings["semantic_distance"] is None or not any(map(generated, rows)):
        return rows, rejections
    vectors = embed(load_embedder(model), [row["conversation"][0]["input"] for row in rows])
    gone = cull(rows, vectors, settings["semantic_distance"], settings["semantic_distance_by_category"])
    for number, (kept, distance) in sorted(gone.items()):
        row, other = rows[number], rows[kept]
        told = {"source": row["source"], "kept": other["provenance"]["seed"], "squared_distance": round(distance, 4)}
        told |= {name: each["conversation"][0]["input"][:200] for name, each in (("text", row), ("kept_text", other))}
        rejections.add(row["provenance"]["seed"], "same_meaning", told)
    return [row for number, row in enumerate(rows) if number not in gone], rejections


def main(argv: list[str] | None = None) -> None:
    """Write the stage's artefacts `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, type=Path, nargs="+", help="JSONL files of synthesize_shard")
    parser.add_argument("--shards-rejected", required=True, type=Path, nargs="+", help="their rejected rows")
    parser.add_argument("--shards-stats", required=True, type=Path, nargs="+", help="their statistics")
    parser.add_argument(
        "--deduplication", required=True, type=json.loads, help="`seeds.deduplication` of the config, as JSON"
    )
    parser.add_argument("--model", required=True, help="sentence-transformers model, or an empty text to cull nothing")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    made = [row for path in args.shards for row in read_jsonl(path)]
    if not made:
        raise UserError(
            "no seed grew into a conversation; synthesis/shards/*.rejected.jsonl says why. Try another teacher."
        )
    rows, rejections = culled(made, args.deduplication, args.model)
    rejections.rows += [row for path in args.shards_rejected for row in read_jsonl(path)]
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
        **{key: round(sum(part.get(key, 0) for part in stats), 4) for key in SUMMED},
        faults=dict(faults.most_common()),
        **describe(rows),
    )
    logging.info("%d conversations, rejected %s", len(rows), rejections.by_reason())


if __name__ == "__main__":
    run(main)

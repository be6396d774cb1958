"""Join the shards, remove near-duplicates among generated openings, label them, compute metrics, warn if they are off."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json, read_rows
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Config, Conversation, Rejected, Row
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.synthesis.classify_openings import classify_openings, unlabelled
from workflow_scripts.synthesis.comparison import compare, off_target
from workflow_scripts.synthesis.dedup_openings import find_duplicate_openings, has_generated_opening
from workflow_scripts.synthesis.metrics import describe

SUMMED = ("requests", "cached", "failed", "prompt_tokens", "completion_tokens", "seconds", "money")
MAX_EVIDENCE_CHARS = 200  # of each of two similar openings


def deduplicate_openings(
    rows: list[Conversation], settings: Config, model: str
) -> tuple[list[Conversation], Rejections]:
    """(rows kept, sorted by id; rows whose opening is a near-duplicate of another one's).

    Rejected rows have the id of their seed, as all rejected rows of the stage. Without a model, a distance or a
    generated opening, all rows are kept.
    """
    rows = sorted(rows, key=lambda row: row["id"])
    rejections = Rejections()
    if not model or settings["semantic_distance"] is None or not any(map(has_generated_opening, rows)):
        return rows, rejections
    openings = [row["conversation"][0]["input"] for row in rows]
    duplicates = find_duplicate_openings(
        rows,
        embed(load_embedder(model), openings),
        settings["semantic_distance"],
        settings["semantic_distance_by_category"],
    )
    for number, (kept, distance) in sorted(duplicates.items()):
        row = rows[number]
        evidence = {
            "source": row["source"],
            "kept": rows[kept]["provenance"]["seed"],
            "squared_distance": round(distance, 4),
            "text": openings[number][:MAX_EVIDENCE_CHARS],
            "kept_text": openings[kept][:MAX_EVIDENCE_CHARS],
        }
        rejections.add({**row, "id": row["provenance"]["seed"]}, "same_meaning", evidence)
    return [row for number, row in enumerate(rows) if number not in duplicates], rejections


def count_fallbacks(rows: list[Conversation]) -> Row:
    """Conversations whose seed was amplified without a technique of its path, by `<technique>: <reason>`."""
    fallbacks = (each for row in rows for each in row["provenance"]["fallbacks"])
    return dict(Counter(f"{each['name']}: {each['reason']}" for each in fallbacks).most_common())


def label_openings(rows: list[Conversation], model: str) -> list[Conversation]:
    """The rows, with unknown labels of openings that a technique wrote. The model is loaded only if there are any."""
    if not any(map(unlabelled, rows)):
        return rows
    embedder = load_embedder(model)
    return classify_openings(rows, lambda texts: embed(embedder, texts))


def shard_files(args: argparse.Namespace, suffix: str) -> list[Path]:
    """The files of all shards with this suffix. UserError if one is missing."""
    paths = [args.shards / f"{number:04d}{suffix}" for number in range(args.shard_count)]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: missing. Delete the other files of the shard and run again.")
    return paths


def main(argv: list[str] | None = None) -> None:
    """Write the stage's `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, type=Path, help="folder of the files of synthesize_shard")
    parser.add_argument("--shard-count", required=True, type=int, help="number of shards: 0000, 0001, ...")
    parser.add_argument(
        "--deduplication", required=True, type=json.loads, help="`seeds.deduplication` of the config, as JSON"
    )
    parser.add_argument("--model", required=True, help="sentence-transformers model; empty to skip the deduplication")
    parser.add_argument("--labels", required=True, help="`seeds.labels.by` of the config")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    stats = [read_json(path) for path in shard_files(args, ".stats.json")]
    rows_in = sum(shard["in"] for shard in stats)
    generated = [row for path in shard_files(args, ".jsonl") for row in read_rows(path, Conversation)]
    if rows_in and not generated:
        raise UserError(
            "the teacher generated no valid conversation: see the reasons in synthesis/shards/*.rejected.jsonl. "
            "Set another teacher."
        )
    rows, rejections = deduplicate_openings(generated, args.deduplication, args.model)
    if args.labels == "classifier":
        rows = label_openings(rows, args.model)
    rejections.rows += [row for path in shard_files(args, ".rejected.jsonl") for row in read_rows(path, Rejected)]
    faults: Counter[str] = Counter()
    for shard in stats:
        faults.update(shard.get("faults", {}))
    compared = compare(rows)
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        rows,
        rejections,
        rows_in=rows_in,
        **{key: round(sum(shard.get(key, 0) for shard in stats), 4) for key in SUMMED},
        faults=dict(faults.most_common()),
        fallbacks=count_fallbacks(rows),
        **describe(rows),
        released=compared,
    )
    if lines := off_target(compared):
        logging.warning(
            "%s of the conversations %s far from the released file's (docs/amplify-instruct.md#compare-with-the-released-file):\n  %s",
            counted(len(lines), "property", "properties"),
            "is" if len(lines) == 1 else "are",
            "\n  ".join(lines),
        )
    logging.info("%d conversations, rejected %s", len(rows), rejections.by_reason())


if __name__ == "__main__":
    run(main)

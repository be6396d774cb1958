"""Take out the conversations that are too similar to a benchmark item, and count what was found."""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_json, read_jsonl, write_json, write_jsonl
from workflow_scripts.common.stage import Rejections, statistics
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.removal import AllowList, judge
from workflow_scripts.decontamination.tables import contamination_table


def main(argv: list[str] | None = None) -> None:
    """Write the clean conversations, the judged hits, the removed conversations and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--found", required=True, type=Path, nargs="+", help="files of match_conversations, in order")
    parser.add_argument("--copies", type=Path, nargs="*", default=[], help="file of find_near_copies, if it ran")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument(
        "--levels", required=True, type=int, nargs="+", help="similarity levels of the table, in percent"
    )
    parser.add_argument(
        "--remove-at", required=True, type=int, help="remove a conversation from this level on, in percent"
    )
    parser.add_argument(
        "--allow", required=True, type=json.loads, help="hits to let pass, as JSON: {benchmark, item, id, reason}"
    )
    parser.add_argument("--suites", required=True, type=json.loads, help="JSON: {suite: [benchmark, ...]}")
    parser.add_argument("--assembly-stats", required=True, type=Path, help="JSON file of assemble_conversations")
    parser.add_argument("--assembly-rejected", required=True, type=Path, help="its rejected rows")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    allow = AllowList(args.allow)
    levels = sorted({*args.levels, args.remove_at}, reverse=True)
    found = (hit for path in args.found for hit in read_jsonl(path))
    hits = list(judge(found, levels, args.remove_at, allow))
    copies = [
        {**copy, "level": level}
        for path in args.copies
        for copy in read_jsonl(path)
        if (level := max((level for level in levels if 100 * copy["similarity"] >= level), default=None)) is not None
    ]
    culprits: dict[str, list[Row]] = defaultdict(list)
    for hit in hits:
        if hit["counts"]:
            culprits[hit["id"]].append({key: hit[key] for key in ("benchmark", "item", "field", "similarity")})
    rejections = Rejections(list(read_jsonl(args.assembly_rejected)))
    rows_out = 0

    def clean() -> Iterator[Row]:
        nonlocal rows_out
        for row in read_jsonl(args.conversations):
            if row["id"] in culprits:
                rejections.add(row["id"], "contaminated", {"source": row["source"], "hits": culprits[row["id"]]})
            else:
                rows_out += 1
                yield row

    write_jsonl(args.data, clean())
    write_jsonl(args.rejected, sorted(rejections.rows, key=lambda row: (row["id"], row["reason"])))
    write_jsonl(args.hits, hits)
    benchmarks = read_json(args.index / "items.json")["benchmarks"]
    for entry in allow.unused():
        logging.warning("decontamination.allow: no hit for %s %s", entry["benchmark"], entry["item"])
    summary = statistics(
        read_json(args.assembly_stats)["in"],
        rows_out,
        rejections,
        levels=sorted(args.levels, reverse=True),
        remove_at=args.remove_at,
        items=sum(entry["items"] for entry in benchmarks.values()),
        allow_unused=allow.unused(),
        **contamination_table(hits, copies if args.copies else None, benchmarks, args.suites, levels),
    )
    write_json(args.stats, summary)
    logging.info(
        "%d hits of %d items, %d conversations removed, %d kept", len(hits), summary["items"], len(culprits), rows_out
    )


if __name__ == "__main__":
    run(main)

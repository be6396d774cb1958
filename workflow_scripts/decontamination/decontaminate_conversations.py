"""Remove the conversations that are too similar to a benchmark item, and count the hits."""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_json, read_jsonl, read_rows, write_json, write_jsonl
from workflow_scripts.common.stage import Rejections, statistics
from workflow_scripts.common.types import Hit, Row
from workflow_scripts.decontamination.removal import AllowList, hit_evidence, judge, judge_relations, relation_evidence
from workflow_scripts.decontamination.tables import contamination_table, is_word, rephrased_table


def main(argv: list[str] | None = None) -> None:
    """Write the clean conversations, the judged hits, the removed conversations and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--found", required=True, type=Path, nargs="+", help="files of search_benchmarks, in order")
    parser.add_argument("--minhash", type=Path, nargs="*", default=[], help="file of run_minhash_baseline, if it ran")
    parser.add_argument("--index", required=True, type=Path, help="folder of index_benchmarks")
    parser.add_argument(
        "--levels", required=True, type=int, nargs="+", help="similarity levels of the table, in percent"
    )
    parser.add_argument(
        "--remove-at", required=True, type=int, help="lowest similarity that removes a conversation, in percent"
    )
    parser.add_argument(
        "--allow", required=True, type=json.loads, help="accepted hits, as JSON: [{benchmark, item, id, reason}, ...]"
    )
    parser.add_argument("--relations", type=Path, nargs="*", default=[], help="file of judge_rephrased, if it ran")
    parser.add_argument("--usage", type=Path, nargs="*", default=[], help="JSON file of judge_rephrased, if it ran")
    parser.add_argument(
        "--remove-relations", required=True, type=json.loads, help="relations that remove a conversation, as JSON"
    )
    parser.add_argument("--suites", required=True, type=json.loads, help="JSON: {suite: [benchmark, ...]}")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write: clean conversations")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write: judged hits")
    parser.add_argument("--rephrased", required=True, type=Path, help="JSONL file to write: candidates")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write: removed conversations")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write: statistics")
    args = parser.parse_args(argv)

    allow = AllowList(args.allow)
    levels = sorted({*args.levels, args.remove_at}, reverse=True)
    found = (hit for path in args.found for hit in read_rows(path, Hit))
    hits: list[Hit] = []
    words: list[Hit] = []
    for hit in judge(found, levels, args.remove_at, allow):
        (words if is_word(hit) else hits).append(hit)
    minhash_pairs = [
        {**pair, "level": level}
        for path in args.minhash
        for pair in read_jsonl(path)
        if (level := max((level for level in levels if 100 * pair["similarity"] >= level), default=None)) is not None
    ]
    evidence: dict[str, list[Row]] = defaultdict(list)
    for hit in hits:
        if hit["counts"]:
            evidence[hit["id"]].append(hit_evidence(hit))
    rephrased = [
        row for path in args.relations for row in judge_relations(read_jsonl(path), args.remove_relations, allow)
    ]
    copies: dict[str, list[Row]] = defaultdict(list)
    for row in rephrased:
        if row["counts"]:
            copies[row["id"]].append(relation_evidence(row))
    rejections = Rejections()
    rows_out = 0

    def clean() -> Iterator[Row]:
        nonlocal rows_out
        for row in read_jsonl(args.conversations):
            if row["id"] in evidence:
                rejections.add(row, "contaminated", {"source": row["source"], "hits": evidence[row["id"]]})
            elif row["id"] in copies:
                rejections.add(row, "rephrased_item", {"source": row["source"], "items": copies[row["id"]]})
            else:
                rows_out += 1
                yield row

    write_jsonl(args.data, clean())
    write_jsonl(args.rejected, sorted(rejections.rows, key=lambda row: (row["id"], row["reason"])))
    write_jsonl(args.hits, hits)
    write_jsonl(args.rephrased, rephrased)
    benchmarks = read_json(args.index / "items.json")["benchmarks"]
    for entry in allow.unused():
        logging.warning("decontamination.allow: no hit for %s %s", entry["benchmark"], entry["item"])
    summary = statistics(
        rows_out + len(rejections.rows),
        rows_out,
        rejections,
        levels=sorted(args.levels, reverse=True),
        remove_at=args.remove_at,
        items=sum(entry["items"] for entry in benchmarks.values()),
        allow_unused=allow.unused(),
        rephrased=rephrased_table(rephrased, list(benchmarks)) | {"judge": read_json(args.usage[0])}
        if args.usage
        else None,
        **contamination_table(
            [*hits, *words], minhash_pairs if args.minhash else None, benchmarks, args.suites, levels
        ),
    )
    write_json(args.stats, summary)
    logging.info(
        "hits: %d; items searched for: %d; conversations removed: %d, kept: %d",
        len(hits), summary["items"], len(rejections.rows), rows_out,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)

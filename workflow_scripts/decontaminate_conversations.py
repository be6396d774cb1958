"""Look for every benchmark item in every conversation, write each hit down, take out what is too similar."""

import argparse
import logging
from collections import defaultdict
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import Row, read_json, read_jsonl, write_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.decontamination.items import ItemQuery, queries, tiers
from workflow_scripts.decontamination.matching import ConversationText, Query, allowed_edits, find

EXCERPT = 60  # characters of context on each side of a hit


def find_hits(conversation: Row, wanted: list[tuple[ItemQuery, Query]], levels: list[int]) -> list[Row]:
    """Every query that is found in a conversation, with place, distance, similarity and the highest level reached."""
    turns = [exchange[key] for exchange in conversation["conversation"] for key in ("input", "output")]
    place = ConversationText(turns)
    hits = []
    for item, query in wanted:
        match = find(query, place.text)
        if match is None:
            continue
        length = len(item.normal)
        level = max(level for level in levels if match.distance <= allowed_edits(length, level))
        turn = place.turn_at(match.start + 1)
        hits.append(
            {
                "id": conversation["id"],
                "source": conversation["source"],
                "turn": turn,
                "role": "user" if turn % 2 == 0 else "assistant",
                "benchmark": item.benchmark,
                "item": item.item,
                "tier": item.tier,
                "field": item.field,
                "removes": item.removes,
                "distance": match.distance,
                "length": length,
                "similarity": round(1 - match.distance / length, 6),
                "level": level,
                "item_text": item.text,
                "item_normal": item.normal,
                "found_normal": place.text[match.start : match.end].strip(),
                "excerpt": place.text[max(0, match.start - EXCERPT) : match.end + EXCERPT].strip(),
            }
        )
    return hits


def table(hits: list[Row], items: list[Row], item_tiers: list[str], levels: list[int]) -> Row:
    """Per benchmark: items, items by tier, and for each level (cumulative) items and conversations hit."""
    result: Row = {}
    for item, tier in zip(items, item_tiers, strict=True):
        entry = result.setdefault(
            item["benchmark"], {"items": 0, "tiers": {"A": 0, "B": 0, "C": 0}, "levels": {}, "other": {}}
        )
        entry["items"] += 1
        entry["tiers"][tier] += 1
    for benchmark, entry in result.items():
        for key, counted in (
            ("levels", True),
            ("other", False),
        ):  # `other`: passages and tier C, never a reason to remove
            mine = [hit for hit in hits if hit["benchmark"] == benchmark and hit["removes"] is counted]
            for level in levels:
                reached = [hit for hit in mine if hit["level"] >= level]
                entry[key][str(level)] = {
                    "items": len({hit["item"] for hit in reached}),
                    "conversations": len({hit["id"] for hit in reached}),
                }
    return result


def main(argv: list[str] | None = None) -> None:
    """Write the clean conversations, the hits, the removed conversations and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of assemble_conversations")
    parser.add_argument("--items", required=True, type=Path, nargs="*", help="JSONL files of fetch_benchmark")
    parser.add_argument(
        "--levels", required=True, type=int, nargs="+", help="similarity levels of the table, in percent"
    )
    parser.add_argument(
        "--remove-at", required=True, type=int, help="remove a conversation from this level on, in percent"
    )
    parser.add_argument("--assembly-stats", required=True, type=Path, help="JSON file of assemble_conversations")
    parser.add_argument("--assembly-rejected", required=True, type=Path, help="its rejected rows")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    items = [item for path in args.items for item in read_jsonl(path)]
    item_tiers = tiers(items)
    lowest = min(*args.levels, args.remove_at)
    wanted = [
        (query, Query(query.normal, 0 if query.exact_only else allowed_edits(len(query.normal), lowest)))
        for item, tier in zip(items, item_tiers, strict=True)
        for query in queries(item, tier)
    ]
    conversations = list(read_jsonl(args.conversations))
    levels = sorted({*args.levels, args.remove_at}, reverse=True)
    hits: list[Row] = []
    with progress(len(conversations), f"matching {len(items)} items", "conversation") as bar:
        for conversation in conversations:
            hits += find_hits(conversation, wanted, levels)
            bar.update()

    culprits: dict[str, list[Row]] = defaultdict(list)
    for hit in hits:
        if hit["removes"] and hit["level"] >= args.remove_at:
            culprits[hit["id"]].append({key: hit[key] for key in ("benchmark", "item", "field", "similarity")})
    rejections = Rejections(list(read_jsonl(args.assembly_rejected)))
    for conversation in conversations:
        if conversation["id"] in culprits:
            rejections.add(
                conversation["id"],
                "contaminated",
                {"source": conversation["source"], "hits": culprits[conversation["id"]]},
            )
    clean = [conversation for conversation in conversations if conversation["id"] not in culprits]
    write_jsonl(args.hits, sorted(hits, key=lambda hit: (hit["id"], hit["benchmark"], hit["item"], hit["field"])))
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        clean,
        rejections,
        rows_in=read_json(args.assembly_stats)["in"],
        levels=sorted(args.levels, reverse=True),
        remove_at=args.remove_at,
        items=len(items),
        benchmarks=table(hits, items, item_tiers, levels),
    )
    logging.info(
        "%d conversations, %d items, %d hits, %d conversations removed",
        len(conversations),
        len(items),
        len(hits),
        len(culprits),
    )


if __name__ == "__main__":
    run(main)

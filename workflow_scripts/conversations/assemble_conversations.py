"""Assemble all conversations: synthesised and verified ones, in-house conversations among the seeds, included files."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.parquet_files import parquet_rows, read_schema
from workflow_scripts.common.published import LAYOUTS, read_published, readable_turns
from workflow_scripts.common.rows import content_id, read_json, read_rows
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.tables import count_rows
from workflow_scripts.common.types import Config, Conversation, Exchange, Row, Seed
from workflow_scripts.conversations import vicuna
from workflow_scripts.conversations.near_duplicates import near_duplicates
from workflow_scripts.seeds.cleaning.conversations import first_faulty_exchanges

EVIDENCE_CHARS = 200  # of the first answer


def from_seed(seed: Seed) -> Conversation:
    """The conversation of a conversation seed, unchanged: an in-house conversation needs no teacher."""
    origin = {key: seed[key] for key in ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")}
    facts: Row = {key: seed["meta"][key] for key in ("row", "changes", "shortened") if key in seed["meta"]}
    return _conversation(seed["meta"]["conversation"], seed["source"], {**origin, "seed": seed["id"], **facts})


def from_file(entry: Config, fetched: Path) -> tuple[list[Conversation], Rejections]:
    """The conversations of one entry of `conversations.include` in any of the three layouts, and the unusable rows."""
    origin = {key: read_json(fetched.with_suffix(".json"))[key] for key in ("dataset", "revision")}
    names = read_schema(fetched).names
    if not set(LAYOUTS) & set(names):
        raise UserError(
            f"{origin['dataset']}: no column {' or '.join(LAYOUTS)}; the columns are {', '.join(names)}. "
            "Rename the column that contains the conversation."
        )
    conversations, rejections = [], Rejections()
    for number, row in enumerate(parquet_rows([fetched], {"source", *LAYOUTS}), 1):
        source = str(row.get("source") or entry["label"])
        provenance = {
            **origin, "row": number, "license": entry["license"], "kind": "conversation", "domain": None, "seed": None
        }  # fmt: skip
        try:
            read = read_published(row)
            changes = {"changes": ", ".join(read.changes)} if read.changes else {}
            conversations.append(_conversation(read.exchanges, source, provenance | changes))
        except (KeyError, ValueError) as error:
            reason = "no_exchange" if isinstance(error, KeyError) else str(error).replace(" ", "_")
            unusable = _conversation(readable_turns(row), source, provenance)
            evidence = {"file": origin["dataset"], "row": number}
            rejections.add(unusable | {"id": content_id(row)}, reason, evidence)
    return conversations, rejections


def _conversation(exchanges: list[Exchange], source: str, provenance: Row) -> Conversation:
    return {
        "id": content_id(exchanges),
        "source": source,
        "conversation": exchanges,
        "provenance": {**provenance, "techniques": []},
    }


def _place(row: Conversation, start: str) -> Row:
    """Source, file and row of a conversation, as evidence; file and row are None where no file contains it."""
    provenance = row["provenance"]
    places = {"source": row["source"], "file": provenance.get("dataset"), "row": provenance.get("row")}
    return {f"{start}{name}": value for name, value in places.items()}


def apply_rules(conversations: list[Conversation], names: list[str]) -> tuple[list[Conversation], Rejections]:
    """The conversations, each up to the exchange before its first that breaks a rule, and those with no exchange left."""
    kept, rejections = [], Rejections()
    found = first_faulty_exchanges([row["conversation"] for row in conversations], names)
    for row, fault in zip(conversations, found, strict=True):
        if fault is None:
            kept.append(row)
            continue
        place, (rule, text) = fault
        if not place:
            rejections.add(row, rule, {"source": row["source"], "text": text})
            continue
        shortened = {"reason": rule, "text": text, "exchanges": len(row["conversation"])}
        provenance = {**row["provenance"], "shortened": shortened}
        kept.append(_conversation(row["conversation"][:place], row["source"], provenance))
    return kept, rejections


def clean_and_split(
    conversations: list[Conversation], max_chars: int | None
) -> tuple[list[Conversation], Rejections, Counter[str]]:
    """The conversations cleaned and, if longer than `max_chars` characters, split on whole exchanges, as Vicuna's were.

    Also the conversations of which too little is left, and the number of shortened and split conversations, of parts, and
    of parts that are still too long.
    """
    parts: list[Conversation] = []
    rejections = Rejections()
    counts = Counter({"shortened": 0, "split": 0, "parts": 0, "still_too_long": 0})
    for row in conversations:
        exchanges = vicuna.clean(row["conversation"])
        if len(exchanges) < min(2 if row["provenance"].get("techniques") else 1, len(row["conversation"])):
            answer = row["conversation"][0]["output"][:EVIDENCE_CHARS]
            rejections.add(row, "digit_run", {"source": row["source"], "text": answer})
            continue
        counts.update(shortened=int(len(exchanges) < len(row["conversation"])))
        pieces = [exchanges] if max_chars is None else vicuna.split(exchanges, max_chars)
        if len(pieces) > 1:
            counts.update(split=1, parts=len(pieces))
        if max_chars is not None:
            counts.update(still_too_long=len(vicuna.too_long(pieces, max_chars)))
        for number, piece in enumerate(pieces):
            part = {"part": number} if len(pieces) > 1 else {}
            provenance = row["provenance"] | part
            parts.append(row | {"id": content_id(piece), "conversation": piece, "provenance": provenance})
    return parts, rejections, counts


def without_near_duplicates(rows: list[Conversation], threshold: float) -> tuple[list[Conversation], Rejections]:
    """The conversations without near-duplicates, and those, each with the one that is kept in its place."""
    rejections = Rejections()
    removed: set[int] = set()
    for number, other, similarity in near_duplicates(rows, threshold):
        row, better = rows[number], rows[other]
        evidence = {"source": row["source"], "kept": better["id"], **_place(better, "kept_"), "jaccard": similarity}
        rejections.add(row, "near_duplicate", evidence)
        removed.add(number)
    return [row for number, row in enumerate(rows) if number not in removed], rejections


def main(argv: list[str] | None = None) -> None:
    """Write all conversations, the rejected ones, and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--synthesis", required=True, type=Path, nargs="*", help="JSONL file of apply_decisions, if any"
    )
    parser.add_argument(
        "--seeds", required=True, type=Path, nargs="*", help="JSONL file of select_seeds, if any: conversation seeds"
    )
    parser.add_argument(
        "--include",
        required=True,
        type=json.loads,
        help="`conversations.include` of the config, as JSON, with the cleaning `rules` of each entry",
    )
    parser.add_argument(
        "--fetched",
        required=True,
        type=Path,
        nargs="*",
        help="parquet file of each entry; its origin is the .json file of the same name",
    )
    parser.add_argument(
        "--max-chars", required=True, type=json.loads, help="maximum length of a conversation in characters, or null"
    )
    parser.add_argument(
        "--jaccard-threshold", required=True, type=json.loads, help="similarity of near-duplicates, 0 to 1, or null"
    )
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    conversations = [row for path in args.synthesis for row in read_rows(path, Conversation)]
    conversations += [
        from_seed(seed) for path in args.seeds for seed in read_rows(path, Seed) if seed["kind"] == "conversation"
    ]
    rejections = Rejections()
    rows_in = len(conversations) + sum(count_rows([path]) for path in args.fetched)
    for entry, fetched in zip(args.include, args.fetched, strict=True):
        included, unreadable = from_file(entry, fetched)
        included, unfit = apply_rules(included, entry["rules"])
        conversations += included
        rejections.rows += unreadable.rows + unfit.rows
    conversations, unfit, counts = clean_and_split(conversations, args.max_chars)
    rejections.rows += unfit.rows
    rows_in += counts["parts"] - counts["split"]  # each part of a split conversation is a row
    unique: dict[str, Conversation] = {}
    for row in conversations:
        if row["id"] in unique:
            evidence = {"source": row["source"], "kept": row["id"], **_place(unique[row["id"]], "kept_")}
            rejections.add(row, "exact_duplicate", evidence)
        else:
            unique[row["id"]] = row
    kept = list(unique.values())
    if args.jaccard_threshold is not None:
        kept, similar = without_near_duplicates(kept, args.jaccard_threshold)
        rejections.rows += similar.rows
    if not rows_in:
        raise UserError(
            "there are no conversations. Name sources in `seeds.sources` or files in `conversations.include`."
        )
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        kept,
        rejections,
        rows_in,
        **counts,
        changes=dict(Counter(row["provenance"]["changes"] for row in kept if "changes" in row["provenance"])),
        per_source=dict(Counter(row["source"] for row in kept).most_common()),
    )
    if not kept:
        logging.warning("all %d conversations are rejected; %s gives a reason for each", rows_in, args.rejected)
    logging.info("%d conversations, rejected %s", len(kept), rejections.by_reason())


if __name__ == "__main__":
    run(main)

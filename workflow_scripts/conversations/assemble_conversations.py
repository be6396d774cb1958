"""Bring together what synthesis made and experts let pass, the in-house conversations among the seeds, and files to include."""

import argparse
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import read_exchanges
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import load_local
from workflow_scripts.common.rows import content_id, read_json, read_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row
from workflow_scripts.conversations import vicuna


def from_seed(seed: Row) -> Row:
    """A conversation seed as it is: an in-house dialogue needs no teacher."""
    conversation = seed["meta"]["conversation"]
    return _row(
        conversation,
        seed["source"],
        {
            **{key: seed[key] for key in ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")},
            "seed": seed["id"],
        },
    )


def from_file(entry: Row, fetched: Path) -> tuple[list[Row], Rejections]:
    """Conversations of one entry of `conversations.include`, as fetched, in any of the three layouts."""
    data = load_local(fetched)[0]
    origin = {key: read_json(fetched.with_suffix(".json"))[key] for key in ("dataset", "revision")}
    rows, rejections = [], Rejections()
    for number, row in enumerate(data, 1):
        try:
            conversation = read_exchanges(row)
        except KeyError as error:
            raise UserError(
                f"{origin['dataset']}, row {number}: no column {error.args[0]}; there are {', '.join(row)}. Mend the file."
            ) from error
        except ValueError as error:
            reason = str(error).replace(" ", "_")
            rejections.add(content_id(row), reason, {"file": origin["dataset"], "row": number})
            continue
        label = str(row.get("source") or entry["label"])
        rows.append(
            _row(
                conversation,
                label,
                {**origin, "license": entry["license"], "kind": "conversation", "domain": None, "seed": None},
            )
        )
    return rows, rejections


def _row(conversation: list[dict[str, str]], source: str, provenance: Row) -> Row:
    return {
        "id": content_id(conversation),
        "source": source,
        "conversation": conversation,
        "provenance": {**provenance, "techniques": []},
    }


def tidied(rows: list[Row], max_chars: int | None) -> tuple[list[Row], Rejections, Counter[str]]:
    """The conversations cleaned and, where they are longer than `max_chars`, split on whole exchanges, as Vicuna's were.

    Also those of which nothing is left, and how many were split, and how many parts are still too long.
    """
    whole, rejections, counts = [], Rejections(), Counter({"shortened": 0, "split": 0, "parts": 0, "still_too_long": 0})
    for row in rows:
        conversation = vicuna.clean(row["conversation"])
        if len(conversation) < min(2 if row["provenance"].get("techniques") else 1, len(row["conversation"])):
            rejections.add(
                row["id"], "digit_run", {"source": row["source"], "text": row["conversation"][0]["output"][:200]}
            )
            continue
        counts.update(shortened=int(len(conversation) < len(row["conversation"])))
        parts = [conversation] if max_chars is None else vicuna.split(conversation, max_chars)
        if len(parts) > 1:
            counts.update(split=1, parts=len(parts))
        if max_chars is not None:
            counts.update(still_too_long=len(vicuna.too_long(parts, max_chars)))
        for number, part in enumerate(parts):
            place = {"part": number} if len(parts) > 1 else {}
            whole.append({**row, "id": content_id(part), "conversation": part, "provenance": row["provenance"] | place})
    return whole, rejections, counts


def main(argv: list[str] | None = None) -> None:
    """Write all conversations, those that were taken out, and the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--synthesis", required=True, type=Path, nargs="*", help="JSONL file of apply_decisions, if any"
    )
    parser.add_argument(
        "--seeds", required=True, type=Path, nargs="*", help="JSONL file of select_seeds, if any: its conversations"
    )
    parser.add_argument(
        "--include", required=True, type=json.loads, help="`conversations.include` of the config, as JSON"
    )
    parser.add_argument(
        "--fetched", required=True, type=Path, nargs="*", help="parquet file of each, its origin beside it as .json"
    )
    parser.add_argument(
        "--max-chars", required=True, type=json.loads, help="longest conversation, in characters, or null"
    )
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    rows = [row for path in args.synthesis for row in read_jsonl(path)]
    rows += [from_seed(seed) for path in args.seeds for seed in read_jsonl(path) if seed["kind"] == "conversation"]
    rejections = Rejections()
    for entry, fetched in zip(args.include, args.fetched, strict=True):
        included, refused = from_file(entry, fetched)
        rows += included
        rejections.rows += refused.rows
    rows, unfit, counts = tidied(rows, args.max_chars)
    rejections.rows += unfit.rows
    rows_in = len(rows) + len(rejections.rows)  # a part of a split conversation is a row of its own
    unique: dict[str, Row] = {}
    for row in rows:
        if row["id"] in unique:
            rejections.add(row["id"], "exact_duplicate", {"source": row["source"], "kept": unique[row["id"]]["source"]})
        else:
            unique[row["id"]] = row
    if not unique:
        raise UserError("there is no conversation. Name seeds in `seeds.sources` or files in `conversations.include`.")
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        list(unique.values()),
        rejections,
        rows_in,
        **counts,
        per_source=dict(Counter(row["source"] for row in unique.values()).most_common()),
    )
    logging.info("%d conversations, rejected %s", len(unique), rejections.by_reason())


if __name__ == "__main__":
    run(main)

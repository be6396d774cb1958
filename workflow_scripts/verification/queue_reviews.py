"""Queue items for expert review: problems, technical conversations, flagged answers, and gold items.

queue.jsonl shows which items are gold. Reviewers get the spreadsheet or the page, which do not show it.
"""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import numbered_jsonl, read_rows, write_json, write_jsonl, write_text
from workflow_scripts.common.types import Conversation, Row, Seed
from workflow_scripts.verification.items import VERDICTS
from workflow_scripts.verification.queue import cost_plan, select_items
from workflow_scripts.verification.spreadsheet import sheet


def read_gold(path: Path | None) -> list[Row]:
    """The entries of the gold file; UserError with file and line for a missing field or an unknown verdict."""
    rows = list(numbered_jsonl(path)) if path else []
    for number, row in rows:
        if missing := [name for name in ("instruction", "response", "field", "verdict") if not row.get(name)]:
            raise UserError(f"{path}, line {number}: missing {', '.join(missing)}. Every gold item needs all of them.")
        if row["verdict"] not in VERDICTS:
            raise UserError(
                f"{path}, line {number}: unknown verdict {row['verdict']!r}. Use one of {', '.join(VERDICTS)}."
            )
    return [row for _, row in rows]


def main(argv: list[str] | None = None) -> None:
    """Write queue.jsonl, plan.json and queue.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of select_seeds")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--gold", type=Path, nargs="*", default=[], help="JSONL file of gold items, if any")
    parser.add_argument("--settings", required=True, type=json.loads, help="`verification` of the configuration, JSON")
    parser.add_argument("--queue", required=True, type=Path, help="JSONL file to write: the items")
    parser.add_argument("--plan", required=True, type=Path, help="JSON file to write: the cost plan")
    parser.add_argument("--sheet", required=True, type=Path, help="CSV file to write: the items as a spreadsheet")
    args = parser.parse_args(argv)

    gold = [row for path in args.gold for row in read_gold(path)]
    queue = select_items(
        list(read_rows(args.seeds, Seed)), read_rows(args.conversations, Conversation), gold, args.settings
    )
    plan = cost_plan(queue, len(gold), args.settings)
    write_jsonl(args.queue, queue)
    write_json(args.plan, plan)
    write_text(args.sheet, sheet(queue))
    logging.info("items: %d, planned expert hours: %s", plan["items"], plan["hours"])


if __name__ == "__main__":
    run(main)

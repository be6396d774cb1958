"""Fetch one benchmark, from the hub or a local file, as items to look for."""

import argparse
import json
import logging
import re
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import load_hub, load_local
from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.decontamination.items import to_item


def main(argv: list[str] | None = None) -> None:
    """Write the benchmark's items, and beside them dataset, revision and their number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", required=True, help="the benchmark's name")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="its entry (see decontamination/benchmarks.yaml), as JSON"
    )
    parser.add_argument("--items", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file to write: dataset, revision, items")
    args = parser.parse_args(argv)

    entry = {**args.settings, "id_of_benchmark": args.benchmark}
    try:
        if "path" in entry:
            data, origin = load_local(Path(entry["path"]), None)
            parts = [("items", data)]
        else:
            hub = entry["hub"]
            parts = []
            for split in hub["splits"]:
                data, origin = load_hub(hub["dataset"], hub["revision"], hub.get("name"), split, None)
                parts.append((split, data))
    except UserError as error:
        raise UserError(f"benchmark {args.benchmark}: {error}") from error
    items = []
    for split, data in parts:
        for number, row in enumerate(data):
            try:
                items.append(to_item(row, number, split, entry))
            except (KeyError, ValueError, TypeError, IndexError, re.error) as error:
                raise UserError(
                    f"benchmark {args.benchmark}, {split}, row {number + 1}: {type(error).__name__} {error}. "
                    "Its entry does not fit its columns: correct `answer_is`, `labels`, `choices` or `pattern`."
                ) from error
    if not items:
        raise UserError(f"benchmark {args.benchmark}: no items. Check its entry.")
    write_jsonl(args.items, items)
    write_json(args.origin, {**origin, "items": len(items)})
    logging.info("%s: %d items of %s at %s", args.benchmark, len(items), origin["dataset"], origin["revision"])


if __name__ == "__main__":
    run(main)

"""Fetch one entry of `conversations.include` as published: a local file, a URL, or a hub dataset at its revision."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import fetch


def main(argv: list[str] | None = None) -> None:
    """Write the rows as parquet, and their dataset, revision and number as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", required=True, type=int, help="index of the entry in the list, from 0")
    parser.add_argument("--settings", required=True, type=json.loads, help="the entry, as JSON")
    parser.add_argument("--rows", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file to write: dataset, revision, rows")
    args = parser.parse_args(argv)

    try:
        origin = fetch(args.settings, args.rows, args.origin)
    except UserError as error:
        raise UserError(f"conversations.include[{args.number}]: {error}") from error
    logging.info("%d rows of %s at %s", origin["rows"], origin["dataset"], origin["revision"])


if __name__ == "__main__":
    run(main)

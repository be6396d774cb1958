"""Fetch one seed source as published: a local file, a hub data set at its pinned revision, a URL, or a forum."""

import argparse
import json
import logging
from pathlib import Path

import pyarrow as pa

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import load
from workflow_scripts.common.rows import file_sha256, write_json
from workflow_scripts.common.tables import TableWriter
from workflow_scripts.common.types import Config, Row
from workflow_scripts.seeds.lesswrong import fetch_posts

POST = pa.schema(
    [(name, pa.string()) for name in ("_id", "title", "slug", "pageUrl", "postedAt", "author", "htmlBody")]
    + [(name, pa.int64()) for name in ("baseScore", "voteCount")]
)


def fetch_forum(settings: Config, max_rows: int | None, state: Path, path: Path) -> Row:
    """Write the posts of a forum as parquet; return its origin.

    A forum has no commits, so the revision in the origin is the hash of the file.
    """
    with TableWriter(path, POST) as table:
        for page in fetch_posts(settings, state):
            table.write(pa.Table.from_pylist(page if max_rows is None else page[: max_rows - table.rows], POST))
            if max_rows is not None and table.rows >= max_rows:
                break
    if not table.rows:
        raise UserError(
            f"{settings['url']}: no post from {settings['after']} to {settings['before']} has the score `post_min_score`. "
            "Lower `post_min_score`, or extend the dates."
        )
    return {"dataset": settings["url"], "revision": f"sha256:{file_sha256(path)}", "rows": table.rows}


def main(argv: list[str] | None = None) -> None:
    """Write the rows of the source as parquet, and their dataset, revision and number as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="location of the source, as JSON")
    parser.add_argument(
        "--state", required=True, type=Path, help="folder of pages that an interrupted fetch has stored"
    )
    parser.add_argument("--rows", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file to write: dataset, revision, rows")
    args = parser.parse_args(argv)

    source = args.settings
    args.rows.parent.mkdir(parents=True, exist_ok=True)
    try:
        if "graphql" in source:
            origin = fetch_forum(source["graphql"], source.get("rows"), args.state, args.rows)
        else:
            data, origin = load(source, source.get("rows"))
            data.to_parquet(args.rows)
            origin = {**origin, "rows": len(data)}
    except UserError as error:
        raise UserError(f"seed source {source['id']}: {error}") from error
    write_json(args.origin, origin)
    logging.info("%s: %d rows of %s at %s", source["id"], origin["rows"], origin["dataset"], origin["revision"])


if __name__ == "__main__":
    run(main)

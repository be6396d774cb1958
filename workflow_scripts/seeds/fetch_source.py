"""Fetch one seed source as published: a local file, a hub dataset at its pinned revision, a URL, or a forum."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import fetch
from workflow_scripts.common.parquet_files import keep_rows
from workflow_scripts.common.rows import content_id, file_sha256, write_json
from workflow_scripts.common.tables import TableWriter, count_rows
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


def sample_rows(path: Path, settings: Config) -> np.ndarray | None:
    """Numbers, ascending from 0, of `rows` rows of a parquet file: a random sample, even over the values of `sample_by`.

    Of the columns in `sample_by` the first that exists is read. The sample is seeded by the source's id. None for all
    rows. UserError if no column exists.
    """
    rows, by = settings.get("rows"), settings.get("sample_by")
    count = count_rows([path])
    if rows is None or rows >= count:
        return None
    order = np.random.default_rng(int(content_id("sample", settings["id"]), 16)).permutation(count)
    if by:
        names = pq.read_schema(path).names
        column = next((name for name in by if name in names), None)
        if column is None:
            raise UserError(
                f"no column {' or '.join(by)}, which `sample_by` names; the columns are {', '.join(names)}."
            )
        values = pd.Series(pq.read_table(path, columns=[column])[column].to_pylist(), dtype=object).map(str)
        values = values.iloc[order].reset_index(drop=True)
        rank = values.groupby(values, sort=False).cumcount().to_numpy()
        order = order[np.argsort(rank, kind="stable")]
    return np.sort(order[:rows])


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
    try:
        if "graphql" in source:
            origin = fetch_forum(source["graphql"], source.get("rows"), args.state, args.rows)
            write_json(args.origin, origin)
        else:
            origin = fetch({name: value for name, value in source.items() if name != "rows"}, args.rows, args.origin)
            chosen = sample_rows(args.rows, source)
            if chosen is not None:
                keep_rows(args.rows, chosen)
                origin = {**origin, "rows": len(chosen)}
                write_json(args.origin, origin)
    except UserError as error:
        raise UserError(f"seed source {source['id']}: {error}") from error
    logging.info("%s: %d rows of %s at %s", source["id"], origin["rows"], origin["dataset"], origin["revision"])


if __name__ == "__main__":
    run(main)

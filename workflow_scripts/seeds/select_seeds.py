"""Choose the seeds of this run and close the stage: every seed of every source is chosen or a rejected row."""

import argparse
import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, write_json, write_jsonl
from workflow_scripts.common.tables import BATCH, REJECTED, batches
from workflow_scripts.common.types import Row
from workflow_scripts.seeds.composition import choose, table
from workflow_scripts.seeds.schema import LARGE, to_row

LARGE_REJECTED = pa.schema([(name, pa.large_string()) for name in REJECTED.names])
LENGTHS = [0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800]  # characters of a request with its context


def grid(seeds: pa.Table) -> pd.DataFrame:
    """What seeds are spread over, one row a seed: id, source, domain, difficulty, and the first of its skills."""
    frame = seeds.select(["id", "source", "domain", "difficulty"]).to_pandas()
    frame["skill"] = [(skills or [None])[0] for skills in seeds["skills"].to_pylist()]
    return frame


def described(chosen: pa.Table) -> dict[str, dict[str, int]]:
    """How many chosen seeds there are of each source, licence, kind, domain, difficulty and skill, and of which lengths."""
    counts = {
        f"per_{name}": dict(Counter(value or "none" for value in chosen[name].to_pylist()).most_common())
        for name in ("source", "license", "kind", "domain", "difficulty")
    }
    skills = Counter(skill for skills in chosen["skills"].to_pylist() for skill in skills or [])
    lengths = pc.add(pc.utf8_length(chosen["instruction"]), pc.utf8_length(chosen["context"])).to_numpy()
    histogram, _ = np.histogram(lengths, [*LENGTHS, np.inf])
    names = [f"{low}-{high}" for low, high in itertools.pairwise(LENGTHS)] + [f"{LENGTHS[-1]}-"]
    return counts | {
        "per_skill": dict(skills.most_common()),
        "per_length": dict(zip(names, map(int, histogram), strict=True)),
    }


def rows(seeds: pa.Table) -> Iterator[Row]:
    """The seeds as they stand in data.jsonl."""
    for batch in seeds.to_batches(BATCH):
        yield from map(to_row, batch.to_pylist())


def rejected_rows(rejected: pa.Table) -> Iterator[Row]:
    """Rejected rows with their evidence as JSON objects, by id and reason."""
    for batch in rejected.sort_by([("id", "ascending"), ("reason", "ascending"), ("evidence", "ascending")]).to_batches(
        BATCH
    ):
        for row in batch.to_pylist():
            yield {**row, "evidence": json.loads(row["evidence"])}


def main(argv: list[str] | None = None) -> None:
    """Write the stage's artefacts `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of label_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="limit, composition and stratify_by, as JSON"
    )
    parser.add_argument("--unique", required=True, type=Path, help="parquet file of deduplicate_seeds, for its counts")
    parser.add_argument("--counts", required=True, type=Path, nargs="+", help="JSON files of adapt_source")
    parser.add_argument("--earlier", required=True, type=Path, nargs="+", help="rejected rows of the earlier steps")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    limit, composition = args.settings["limit"], args.settings["composition"]
    frame = grid(pq.read_table(args.seeds, columns=["id", "source", "domain", "difficulty", "skills"]))
    if frame.empty:
        raise UserError(
            "no seed is left after cleaning and deduplication; the files seeds/**/*.rejected.parquet say why."
        )
    keep = choose(frame, composition, limit, args.settings["stratify_by"])
    reason = "over_share" if composition else "over_limit"
    over = [
        (row.id, reason, json.dumps({"source": row.source, "limit": limit}))
        for row in frame[~keep].itertuples(index=False)
    ]
    rejected = pa.concat_tables(
        [
            *(pq.read_table(path) for path in args.earlier),
            pa.Table.from_pylist([dict(zip(REJECTED.names, row, strict=True)) for row in over], REJECTED),
        ]
    )
    rejected = rejected.cast(LARGE_REJECTED)
    parts, done = [], 0
    for seeds in batches(args.seeds):
        parts.append(seeds.filter(pa.array(keep[done : done + seeds.num_rows])).cast(LARGE))
        done += seeds.num_rows
    chosen = pa.concat_tables(parts).sort_by("id")

    counts = [read_json(path) for path in args.counts]
    read: Counter[str] = Counter()
    for count in counts:
        read[count["source"]] += count["seeds"] + count["rejected"]
    unique = Counter(pq.read_table(args.unique, columns=["source"])["source"].to_pylist())
    composed = table(read, unique, Counter(chosen["source"].to_pylist()), composition, limit)
    if sum(read.values()) != chosen.num_rows + rejected.num_rows:
        raise ValueError(f"rows lost: in {sum(read.values())}, out {chosen.num_rows}, rejected {rejected.num_rows}")
    for row in composed:
        if row["shortfall"]:
            logging.warning(
                "%s: %d of %d wanted seeds; nothing fills the gap", row["source"], row["chosen"], row["wanted"]
            )
    write_jsonl(args.data, rows(chosen))
    write_jsonl(args.rejected, rejected_rows(rejected))
    write_json(
        args.stats,
        {
            "in": sum(read.values()),
            "out": chosen.num_rows,
            "rejected": dict(Counter(rejected["reason"].to_pylist()).most_common()),
            "rows_read": sum(count["rows"] for count in counts),  # a post becomes a seed for each task
            "composition": composed,
            **described(chosen),
        },
    )
    logging.info("%d seeds chosen of %d", chosen.num_rows, sum(read.values()))


if __name__ == "__main__":
    run(main)

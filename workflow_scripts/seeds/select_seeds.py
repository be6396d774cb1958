"""Select the seeds of the run. Every seed of every source is selected or a rejected row."""

import argparse
import itertools
import json
import logging
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, write_json, write_jsonl
from workflow_scripts.common.tables import BATCH, RejectedWriter, batches, read_rejected
from workflow_scripts.common.types import Rejected, Row, Seed
from workflow_scripts.seeds.composition import choose, composition_table
from workflow_scripts.seeds.schema import LARGE, NEUTRAL_QUALITY, rejected_seed, to_row

SAFETY = 1.1  # more seeds than the measured yield asks for
SORTED_ROWS = 50_000  # rejected rows sorted at once
LENGTH_BINS = [0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800]  # characters of a request with its context


COLUMNS = ["id", "source", "domain", "difficulty", "skills", "confidence", "complexity", "quality", "cluster"]


def stratification(path: Path, strata: Sequence[str]) -> pd.DataFrame:
    """What seeds are ranked and stratified by: id, source, domain, difficulty, first skill, cluster, topic, confidence, score."""
    seeds = pq.read_table(path, columns=[*COLUMNS, *(["meta"] if "topic" in strata else [])])
    frame = seeds.select(["id", "source", "domain", "difficulty", "cluster"]).to_pandas()
    frame["skill"] = [(skills or [None])[0] for skills in seeds["skills"].to_pylist()]
    frame["confidence"] = seeds["confidence"].to_numpy().astype(float)
    quality = pc.fill_null(seeds["quality"], NEUTRAL_QUALITY).to_numpy().astype(float)
    frame["score"] = pc.fill_null(seeds["complexity"], np.nan).to_numpy().astype(float) * quality
    if "topic" in strata:
        frame["topic"] = [json.loads(meta).get("topic") for meta in seeds["meta"].to_pylist()]
    return frame


def metrics(chosen: pa.Table) -> dict[str, dict[str, int]]:
    """The number of chosen seeds per source, license, kind, domain, difficulty and skill, and a histogram of lengths."""
    counts = {
        f"per_{name}": dict(Counter(value or "none" for value in chosen[name].to_pylist()).most_common())
        for name in ("source", "license", "kind", "domain", "difficulty")
    }
    skills = Counter(skill for skills in chosen["skills"].to_pylist() for skill in skills or [])
    lengths = pc.add(pc.utf8_length(chosen["instruction"]), pc.utf8_length(chosen["context"])).to_numpy()
    histogram, _ = np.histogram(lengths, [*LENGTH_BINS, np.inf])
    names = [f"{low}-{high}" for low, high in itertools.pairwise(LENGTH_BINS)] + [f"{LENGTH_BINS[-1]}-"]
    return counts | {
        "scores": score_summary(chosen),
        "per_skill": dict(skills.most_common()),
        "per_length": dict(zip(names, map(int, histogram), strict=True)),
    }


def shortfall_message(row: Row) -> str:
    """What a source lacks, and from its yield so far the number of rows that would suffice."""
    message = f"{row['source']}: {row['chosen']} of {row['wanted']} wanted seeds; other sources do not fill the gap"
    if not row["chosen"]:
        return message
    needed = math.ceil(SAFETY * row["read"] * row["wanted"] / row["chosen"])
    return f"{message}. {row['chosen']} of {row['read']} were kept: about {needed} would suffice"


def score_summary(chosen: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Deciles 10, 50 and 90 of complexity and quality of the chosen seeds that have scores, by source."""
    frame = chosen.select(["source", "complexity", "quality"]).to_pandas()
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for source, rows in frame.groupby("source"):
        deciles = {
            name: {f"p{part}": round(float(np.percentile(values, part)), 2) for part in (10, 50, 90)}
            for name in ("complexity", "quality")
            if len(values := rows[name].dropna())
        }
        if deciles:
            summary[str(source)] = deciles
    return summary


def cleaning_changes(changes: Sequence[Row]) -> Row:
    """The number of conversations shortened, by rule, and of short answers that the teacher rewrites, of all sources."""
    shortened: Counter[str] = Counter()
    for change in changes:
        shortened.update(change["shortened"])
    return {"shortened": dict(shortened.most_common()), "rewritten": sum(change["rewritten"] for change in changes)}


def seed_rows(seeds: pa.Table) -> Iterator[Seed]:
    """The rows of data.jsonl."""
    for batch in seeds.to_batches(BATCH):
        yield from map(to_row, batch.to_pylist())


def sorted_rejected(paths: Sequence[Path]) -> Iterator[Rejected]:
    """The rows of all files by id, reason and evidence. About `SORTED_ROWS` rows are in memory, one range of ids."""
    ids = sorted(text for path in paths for text in pq.read_table(path, columns=["id"])["id"].to_pylist())
    starts = list(dict.fromkeys(ids[::SORTED_ROWS]))
    for start, end in itertools.zip_longest(starts, starts[1:]):
        within = pc.field("id") >= start
        if end is not None:
            within &= pc.field("id") < end
        rows = [row for path in paths for row in read_rejected(path, within)]
        yield from sorted(rows, key=lambda row: (row["id"], row["reason"], json.dumps(row["evidence"])))


def main(argv: list[str] | None = None) -> None:
    """Write `data.jsonl`, `rejected.jsonl` and `stats.json` of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of score_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="limit, composition, stratify_by and expected_yield, as JSON"
    )
    parser.add_argument("--unique", required=True, type=Path, help="parquet file of deduplicate_seeds, for its counts")
    parser.add_argument("--counts", required=True, type=Path, nargs="+", help="JSON files of adapt_source")
    parser.add_argument("--changes", required=True, type=Path, nargs="+", help="JSON files of clean_source")
    parser.add_argument("--earlier", required=True, type=Path, nargs="+", help="rejected rows of the earlier steps")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    limit, composition = args.settings["limit"], args.settings["composition"]
    frame = stratification(args.seeds, args.settings["stratify_by"])
    if frame.empty:
        raise UserError(
            "no seed is left after cleaning and deduplication. The files seeds/**/*.rejected.parquet contain the reasons."
        )
    expected_yield = args.settings["expected_yield"]
    keep = choose(frame, composition, limit, args.settings["stratify_by"], expected_yield)
    reason = "over_share" if composition else "over_limit"
    counts = [read_json(path) for path in args.counts]
    read: Counter[str] = Counter()
    for count in counts:
        read[count["source"]] += count["seeds"] + count["rejected"]
    unique = Counter(pq.read_table(args.unique, columns=["source"])["source"].to_pylist())

    with tempfile.TemporaryDirectory(prefix=".select_seeds.", dir=args.rejected.parent) as folder:
        files = [*args.earlier, Path(folder) / "over.parquet"]
        parts, done = [], 0
        with RejectedWriter(files[-1]) as over:
            for seeds in batches(args.seeds):
                mask = keep[done : done + seeds.num_rows]
                parts.append(seeds.filter(pa.array(mask)).cast(LARGE))
                beyond = seeds.filter(pa.array(~mask)).to_pylist()
                over.add([rejected_seed(seed, reason, {"source": seed["source"], "limit": limit}) for seed in beyond])
                done += seeds.num_rows
        chosen = pa.concat_tables(parts).sort_by("id")
        reasons: Counter[str] = Counter()
        for path in files:
            reasons.update(pq.read_table(path, columns=["reason"])["reason"].to_pylist())
        if read.total() != chosen.num_rows + reasons.total():
            raise ValueError(f"rows lost: in {read.total()}, out {chosen.num_rows}, rejected {reasons.total()}")
        composed = composition_table(
            read, unique, Counter(chosen["source"].to_pylist()), composition, limit, expected_yield
        )
        for row in composed:
            if row["shortfall"]:
                logging.warning(shortfall_message(row))
        write_jsonl(args.data, seed_rows(chosen))
        write_jsonl(args.rejected, sorted_rejected(files))
    write_json(
        args.stats,
        {
            "in": read.total(),
            "out": chosen.num_rows,
            "rejected": dict(reasons.most_common()),
            "rows_read": sum(count["rows"] for count in counts),  # a post becomes one seed per task
            "cleaning": cleaning_changes([read_json(path) for path in args.changes]),
            "composition": composed,
            **metrics(chosen),
        },
    )
    logging.info("%d of %d seeds selected", chosen.num_rows, read.total())


if __name__ == "__main__":
    run(main)

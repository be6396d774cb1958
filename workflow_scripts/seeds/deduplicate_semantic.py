"""Remove seeds that ask the same as another seed in other words (semantic deduplication)."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches
from workflow_scripts.common.types import Config, Rejected, Row
from workflow_scripts.seeds.schema import EMBEDDED, rejected_seed
from workflow_scripts.seeds.semantic_dedup import survivors

COLUMNS = ["id", "source", "kind", "task", "category", "instruction", "embedding"]
EVIDENCE_CHARS = 200  # of each request


def duplicates(seeds: pa.Table, settings: Config) -> dict[int, tuple[int, float, float]]:
    """{row: (survivor's row, squared distance, largest squared distance)} among the seeds that the teacher answers."""
    compared = pc.and_(pc.not_equal(seeds["kind"], "conversation"), seeds["embedding"].is_valid())
    rows = np.flatnonzero(compared.to_numpy(zero_copy_only=False).astype(bool))
    if settings["semantic_distance"] is None or not len(rows):
        return {}
    rows = rows[np.argsort(np.array(seeds["id"].to_pylist(), dtype="S16")[rows], kind="stable")]
    part = seeds.take(pa.array(rows)).combine_chunks()
    vectors = part["embedding"].combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(rows), -1)
    names = pc.coalesce(part["category"], part["kind"]).to_pylist()
    max_distance = np.array(
        [settings["semantic_distance_by_category"].get(name, settings["semantic_distance"]) for name in names],
        np.float32,
    )
    groups = np.array([task or "" for task in part["task"].to_pylist()])
    survivor, distance = survivors(matrix, max_distance, groups)
    return {
        int(rows[row]): (int(rows[survivor[row]]), float(distance[row]), float(max_distance[row]))
        for row in np.flatnonzero(survivor >= 0)
    }


def main(argv: list[str] | None = None) -> None:
    """Write the survivors, and the duplicates with the survivor of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of embed_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="`seeds.deduplication` of the config, as JSON"
    )
    parser.add_argument("--distinct", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    seeds = pq.read_table(args.seeds, columns=COLUMNS)
    removed = duplicates(seeds, args.settings)
    ids, instructions = (seeds[name].to_pylist() for name in ("id", "instruction"))

    def rejected_duplicate(seed: Row, survivor: int, distance: float, max_distance: float) -> Rejected:
        evidence = {
            "source": seed["source"],
            "kept": ids[survivor],
            "squared_distance": round(distance, 4),
            "max_distance": round(max_distance, 4),
            "text": seed["instruction"][:EVIDENCE_CHARS],
            "kept_text": instructions[survivor][:EVIDENCE_CHARS],
        }
        return rejected_seed(seed, "same_meaning", evidence)

    done = 0
    with TableWriter(args.distinct, EMBEDDED) as distinct, RejectedWriter(args.rejected) as rejected:
        for table in batches(args.seeds):
            numbers = [row for row in range(done, done + table.num_rows) if row in removed]
            keep = np.ones(table.num_rows, dtype=bool)
            keep[np.array(numbers, dtype=int) - done] = False
            distinct.write(table.filter(pa.array(keep)))
            gone = table.drop_columns("embedding").filter(pa.array(~keep)).to_pylist()
            rejected.add([rejected_duplicate(seed, *removed[row]) for seed, row in zip(gone, numbers, strict=True)])
            done += table.num_rows
    logging.info("%d seeds in, %d distinct", done, distinct.rows)


if __name__ == "__main__":
    run(main)

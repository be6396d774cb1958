"""Take out seeds that ask what another one asks, in other words."""

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
from workflow_scripts.seeds.schema import EMBEDDED
from workflow_scripts.seeds.semantic_dedup import survivors

COLUMNS = ["id", "source", "kind", "task", "category", "instruction", "embedding"]


def duplicates(seeds: pa.Table, settings: dict) -> dict[int, tuple[int, float, float]]:
    """{row: (survivor's row, squared distance, threshold)} among the seeds that the teacher is to amplify."""
    compared = pc.and_(pc.not_equal(seeds["kind"], "conversation"), seeds["embedding"].is_valid())
    rows = np.flatnonzero(compared.to_numpy(zero_copy_only=False).astype(bool))
    if settings["semantic_distance"] is None or not len(rows):
        return {}
    rows = rows[np.argsort(np.array(seeds["id"].to_pylist(), dtype="S16")[rows], kind="stable")]
    part = seeds.take(pa.array(rows)).combine_chunks()
    vectors = part["embedding"].combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(rows), -1)
    names = pc.coalesce(part["category"], part["kind"]).to_pylist()
    most = np.array(
        [settings["semantic_distance_by_category"].get(name, settings["semantic_distance"]) for name in names],
        np.float32,
    )
    groups = np.array([task or "" for task in part["task"].to_pylist()])
    found, distance = survivors(matrix, most, groups)
    return {
        int(rows[row]): (int(rows[found[row]]), float(distance[row]), float(most[row]))
        for row in np.flatnonzero(found >= 0)
    }


def main(argv: list[str] | None = None) -> None:
    """Write the survivors, and the duplicates, each with the row that survived it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of embed_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="`seeds.deduplication` of the config, as JSON"
    )
    parser.add_argument("--distinct", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    seeds = pq.read_table(args.seeds, columns=COLUMNS)
    found = duplicates(seeds, args.settings)
    ids, sources, asked = (seeds[name].to_pylist() for name in ("id", "source", "instruction"))
    done = 0
    with TableWriter(args.distinct, EMBEDDED) as distinct, RejectedWriter(args.rejected) as rejected:
        for row, (kept, distance, most) in found.items():
            told = {
                "source": sources[row],
                "kept": ids[kept],
                "squared_distance": round(distance, 4),
                "most": round(most, 4),
            }
            told |= {"text": asked[row][:200], "kept_text": asked[kept][:200]}
            rejected.add([(ids[row], "same_meaning", told)])
        for table in batches(args.seeds):
            keep = [row not in found for row in range(done, done + table.num_rows)]
            distinct.write(table.filter(pa.array(keep)))
            done += table.num_rows
    logging.info("%d seeds in, %d distinct", done, distinct.rows)


if __name__ == "__main__":
    run(main)

"""Draw the pool from which seeds are selected, and embed the requests in it."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches
from workflow_scripts.common.types import Config
from workflow_scripts.seeds.composition import source_limits
from workflow_scripts.seeds.embedding import embed, embedded_text, load_embedder
from workflow_scripts.seeds.schema import EMBEDDED, rejected_seed

BATCHES_PER_WRITE = 8


def pool_mask(path: Path, settings: Config) -> np.ndarray:
    """A mask of the rows in the pool: `oversample` times the seeds needed of each source, all rows if it is null."""
    seeds = pq.read_table(path, columns=["id", "source"]).to_pandas()
    if settings["oversample"] is None:
        return np.ones(len(seeds), dtype=bool)
    limits = source_limits(seeds["source"], settings["composition"], settings["limit"], settings["expected_yield"])
    rank = seeds.sort_values("id", kind="stable").groupby("source", sort=False).cumcount().reindex(seeds.index)
    return (rank < np.ceil(seeds["source"].map(limits) * settings["oversample"])).to_numpy()


def main(argv: list[str] | None = None) -> None:
    """Write the seeds of the pool with their embeddings, and the seeds outside the pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of decontaminate_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="oversample, composition, limit and expected_yield, as JSON"
    )
    parser.add_argument("--model", required=True, help="sentence-transformers model, or an empty text to embed nothing")
    parser.add_argument("--batch-size", required=True, type=int, help="texts per batch of the model")
    parser.add_argument("--embedded", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    keep = pool_mask(args.seeds, args.settings)
    model = load_embedder(args.model) if args.model else None
    done = 0
    with (
        TableWriter(args.embedded, EMBEDDED) as embedded,
        RejectedWriter(args.rejected) as rejected,
        progress(int(keep.sum()), "embedding seeds", "seed") as bar,
    ):
        for table in batches(args.seeds):
            in_pool = keep[done : done + table.num_rows]
            done += table.num_rows
            rejected.add(
                [
                    rejected_seed(
                        seed, "over_pool", {"source": seed["source"], "oversample": args.settings["oversample"]}
                    )
                    for seed in table.filter(pa.array(~in_pool)).to_pylist()
                ]
            )
            seeds = table.filter(pa.array(in_pool))
            step = args.batch_size * BATCHES_PER_WRITE
            for start in range(0, seeds.num_rows, step):
                part = seeds.slice(start, step)
                vectors: list = [None] * part.num_rows
                if model is not None:
                    vectors = list(embed(model, embedded_text(part).to_pylist(), args.batch_size))
                embedded.write(part.append_column("embedding", pa.array(vectors, EMBEDDED.field("embedding").type)))
                bar.update(part.num_rows)
    logging.info("%d seeds in the pool, %d outside", embedded.rows, rejected.rows)


if __name__ == "__main__":
    run(main)

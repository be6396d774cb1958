"""Draw the pool from which seeds are chosen, and embed what the teacher is to amplify."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches
from workflow_scripts.seeds.composition import wanted
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.seeds.schema import EMBEDDED

SHOWN = 1000  # characters of a context that count, beside the whole request


def drawn(path: Path, settings: dict) -> np.ndarray:
    """A mask of the rows of the pool: `pool` times the seeds that are wanted of each source, all if it is null."""
    seeds = pq.read_table(path, columns=["id", "source"]).to_pandas()
    if settings["oversample"] is None:
        return np.ones(len(seeds), dtype=bool)
    most = wanted(seeds["source"], settings["composition"], settings["limit"])
    turn = seeds.sort_values("id", kind="stable").groupby("source", sort=False).cumcount().reindex(seeds.index)
    return (turn < np.ceil(seeds["source"].map(most) * settings["oversample"])).to_numpy()


def embedded_text(seeds: pa.Table) -> pa.Array:
    """What is embedded: the request and the beginning of its context."""
    context = pc.utf8_slice_codeunits(seeds["context"], 0, SHOWN)
    return pc.utf8_trim_whitespace(pc.binary_join_element_wise(seeds["instruction"], context, "\n")).combine_chunks()


def main(argv: list[str] | None = None) -> None:
    """Write the pool's seeds with their embeddings, and the seeds beyond the pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of deduplicate_seeds")
    parser.add_argument("--settings", required=True, type=json.loads, help="pool, composition and limit, as JSON")
    parser.add_argument("--model", required=True, help="sentence-transformers model, or an empty text to embed nothing")
    parser.add_argument("--batch-size", required=True, type=int, help="texts at once")
    parser.add_argument("--embedded", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    keep = drawn(args.seeds, args.settings)
    model = load_embedder(args.model) if args.model else None
    done = 0
    with (
        TableWriter(args.embedded, EMBEDDED) as embedded,
        RejectedWriter(args.rejected) as rejected,
        progress(int(keep.sum()), "embedding seeds", "seed") as bar,
    ):
        for table in batches(args.seeds):
            here = keep[done : done + table.num_rows]
            done += table.num_rows
            beyond = table.filter(pa.array(~here)).select(["id", "source"]).to_pylist()
            pool = args.settings["oversample"]
            rejected.add([(row["id"], "over_pool", {"source": row["source"], "oversample": pool}) for row in beyond])
            seeds = table.filter(pa.array(here))
            for start in range(0, seeds.num_rows, args.batch_size * 8):
                part = seeds.slice(start, args.batch_size * 8)
                vectors: list = [None] * part.num_rows
                if model is not None:
                    vectors = list(embed(model, embedded_text(part).to_pylist(), args.batch_size))
                embedded.write(part.append_column("embedding", pa.array(vectors, EMBEDDED.field("embedding").type)))
                bar.update(part.num_rows)
    logging.info("%d seeds, %d beyond the pool", embedded.rows, rejected.rows)


if __name__ == "__main__":
    run(main)

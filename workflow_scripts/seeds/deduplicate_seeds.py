"""Remove exact and near duplicates among the clean seeds of all sources."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.types import Rejected, Row
from workflow_scripts.seeds.duplicates import COLUMNS, Collection, Duplicates
from workflow_scripts.seeds.schema import SEED, rejected_seed

EVIDENCE_CHARS = 200  # of each request


def rejected_duplicate(seed: Row, number: int, duplicates: Duplicates, heads: pa.Table) -> Rejected:
    """The rejected row of seed `number`. The evidence names the survivor, with file and row; for a near duplicate also their similarity."""
    survivor = heads.slice(int(duplicates.survivor[number]), 1).to_pylist()[0]
    evidence = {
        "source": seed["source"],
        "kept": survivor["id"],
        "kept_source": survivor["source"],
        "kept_file": survivor["dataset"],
        "kept_row": survivor["row"],
    }
    if duplicates.exact[number]:
        return rejected_seed(seed, "exact_duplicate", evidence)
    similarity = round(float(duplicates.jaccard[number]), 4)
    texts = {"text": seed["instruction"][:EVIDENCE_CHARS], "kept_text": survivor["head"]}
    return rejected_seed(seed, "near_duplicate", evidence | {"jaccard": similarity} | texts)


def main(argv: list[str] | None = None) -> None:
    """Write the survivors, and the duplicates with the survivor of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, nargs="+", help="parquet files of clean_source")
    parser.add_argument(
        "--threshold", required=True, type=json.loads, help="Jaccard similarity of character 5-grams, 0 to 1, or null"
    )
    parser.add_argument("--unique", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    collection, parts = Collection(), []
    with progress(count_rows(args.seeds), "reading seeds", "seed") as bar:
        for path in args.seeds:
            for seeds in batches(path, [*COLUMNS, "row"]):
                collection.add(seeds)
                head = pc.utf8_slice_codeunits(seeds["instruction"], 0, EVIDENCE_CHARS)
                parts.append(seeds.select(["id", "source", "dataset", "row"]).append_column("head", head))
                bar.update(seeds.num_rows)
    duplicates = collection.duplicates(args.threshold)
    heads = pa.concat_tables(parts).combine_chunks() if parts else pa.table({})
    done = 0
    with TableWriter(args.unique, SEED) as unique, RejectedWriter(args.rejected) as rejected:
        for path in args.seeds:
            for seeds in batches(path):
                removed = duplicates.survivor[done : done + seeds.num_rows] >= 0
                unique.write(seeds.filter(pa.array(~removed)))
                rejected.add(
                    [
                        rejected_duplicate(seed, done + int(row), duplicates, heads)
                        for seed, row in zip(
                            seeds.filter(pa.array(removed)).to_pylist(), np.flatnonzero(removed), strict=True
                        )
                    ]
                )
                done += seeds.num_rows
    logging.info("%d seeds in, %d unique, rejected %s", done, unique.rows, dict(rejected.by_reason.most_common()))


if __name__ == "__main__":
    run(main)

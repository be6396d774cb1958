"""Take out exact and near duplicates among the clean seeds of all sources."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.seeds.duplicates import COLUMNS, Collection, Found
from workflow_scripts.seeds.schema import SEED

SHOWN = 200  # characters of a request in the evidence


def evidence(row: int, found: Found, shown: pa.Table) -> tuple[str, str, dict[str, Any]]:
    """(id, reason, evidence) of a duplicate: who survived it, how alike they are, and how both begin."""
    kept = int(found.survivor[row])
    mine, other = shown.slice(row, 1).to_pylist()[0], shown.slice(kept, 1).to_pylist()[0]
    told = {"source": mine["source"], "kept": other["id"], "kept_source": other["source"]}
    if found.exact[row]:
        return mine["id"], "exact_duplicate", told
    alike = {"jaccard": round(float(found.jaccard[row]), 4), "text": mine["head"], "kept_text": other["head"]}
    return mine["id"], "near_duplicate", told | alike


def main(argv: list[str] | None = None) -> None:
    """Write the survivors and the duplicates, each with the row that survived it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, nargs="+", help="parquet files of clean_source")
    parser.add_argument(
        "--threshold", required=True, type=json.loads, help="Jaccard similarity of character 5-grams, 0 to 1, or null"
    )
    parser.add_argument("--unique", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    collection, shown = Collection(), []
    with progress(count_rows(args.seeds), "reading seeds", "seed") as bar:
        for path in args.seeds:
            for seeds in batches(path, COLUMNS):
                collection.add(seeds)
                heads = pc.utf8_slice_codeunits(seeds["instruction"], 0, SHOWN)
                shown.append(seeds.select(["id", "source"]).append_column("head", heads))
                bar.update(seeds.num_rows)
    found = collection.duplicates(args.threshold)
    table = pa.concat_tables(shown).combine_chunks() if shown else pa.table({})
    done = 0
    with TableWriter(args.unique, SEED) as unique, RejectedWriter(args.rejected) as rejected:
        for path in args.seeds:
            for seeds in batches(path):
                here = found.survivor[done : done + seeds.num_rows]
                unique.write(seeds.filter(pa.array(here < 0)))
                rejected.add([evidence(done + int(row), found, table) for row in np.flatnonzero(here >= 0)])
                done += seeds.num_rows
    logging.info("%d seeds in, %d unique, rejected %s", done, unique.rows, dict(rejected.by_reason.most_common()))


if __name__ == "__main__":
    run(main)

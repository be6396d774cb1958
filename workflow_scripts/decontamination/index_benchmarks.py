"""Build the index of all benchmark items once, for any number of search jobs."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.decontamination.benchmark_index import write_benchmark_index
from workflow_scripts.decontamination.corpus import blocks, read_block

SEED_COLUMNS = ["instruction", "context", "response"]


def main(argv: list[str] | None = None) -> None:
    """Write texts.npz, queries.jsonl and items.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", required=True, type=Path, nargs="*", help="JSONL files of fetch_benchmark")
    parser.add_argument("--origins", required=True, type=Path, nargs="*", help="JSON files of fetch_benchmark")
    parser.add_argument("--lowest-level", required=True, type=int, help="lowest similarity of a hit, in percent")
    parser.add_argument(
        "--sample", required=True, type=Path, help="file of seeds or conversations; affects only the speed"
    )
    parser.add_argument("--index", required=True, type=Path, help="folder to write to")
    args = parser.parse_args(argv)

    items = [item for path in args.items for item in read_jsonl(path)]
    columns = SEED_COLUMNS if args.sample.suffix == ".parquet" else []
    sample = (
        "\n".join(text for _, text in row.turns)
        for block in blocks([args.sample])
        for rows, _ in read_block(block, columns)
        for row in rows
    )
    origins = {path.stem: {key: read_json(path)[key] for key in ("dataset", "revision")} for path in args.origins}
    benchmarks = write_benchmark_index(args.index, items, args.lowest_level, sample, origins)
    for name, entry in benchmarks.items():
        logging.info(
            "%s: items %d; tier A %d, B %d, C %d", name, entry["items"], *(entry["tiers"][tier] for tier in "ABC")
        )


if __name__ == "__main__":
    run(main)

"""Choose the seeds of this run and close the stage: every row of every source is a seed or a rejected row."""

import argparse
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.seeds.duplicates import per_source


def main(argv: list[str] | None = None) -> None:
    """Write the stage's artefacts `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of deduplicate_seeds")
    parser.add_argument("--origins", required=True, type=Path, nargs="+", help="JSON files of fetch_source")
    parser.add_argument("--earlier", required=True, type=Path, nargs="+", help="rejected rows of the earlier steps")
    parser.add_argument("--limit", required=True, type=int, help="most seeds to keep")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    # Ids are hashes of content: the first by id are a sample that does not depend on the order of the sources.
    seeds = sorted(read_jsonl(args.seeds), key=lambda seed: seed["id"])
    if not seeds:
        raise UserError(
            "no seed is left after cleaning and deduplication; seeds/rejected.jsonl of this run's parts says why."
        )
    rejections = Rejections([row for path in args.earlier for row in read_jsonl(path)])
    for seed in seeds[args.limit :]:
        rejections.add(seed["id"], "over_limit", {"source": seed["source"], "limit": args.limit})
    chosen = seeds[: args.limit]
    write_stage(
        args.data,
        args.rejected,
        args.stats,
        chosen,
        rejections,
        rows_in=sum(read_json(path)["rows"] for path in args.origins),
        per_source=per_source(chosen),
    )
    logging.info("%d seeds chosen, rejected %s", len(chosen), rejections.by_reason())


if __name__ == "__main__":
    run(main)

"""Classify the candidates for rephrased benchmark items: verbatim by comparison, all others by a judge if there is one."""

import argparse
import asyncio
import json
import logging
from collections import Counter
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.relations import compared, judge_candidates
from workflow_scripts.synthesis.judging.settings import complete_settings
from workflow_scripts.teacher.servers import serve


def main(argv: list[str] | None = None) -> None:
    """Write the candidates with relation and reason, and the judge with its usage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", required=True, type=Path, help="JSONL file of find_rephrased")
    parser.add_argument(
        "--judge", required=True, type=complete_settings, help="keys of the judge's server, as JSON; {} for none"
    )
    parser.add_argument("--sampling", required=True, type=json.loads, help="`judge.sampling` of the config, as JSON")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of a judge that runs in this job")
    parser.add_argument("--teacher-folder", required=True, type=Path, help="folder of stored answers and server logs")
    parser.add_argument("--relations", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--usage", required=True, type=Path, help="JSON file to write: model, requests")
    args = parser.parse_args(argv)

    candidates = list(read_jsonl(args.candidates))
    usage: Row = {"model": None}
    if args.judge and candidates:
        with serve(args.judge, args.threads, args.teacher_folder / "servers" / "judge_rephrased.log") as server:
            judged, requests = asyncio.run(
                judge_candidates(candidates, server, args.judge, args.sampling, args.teacher_folder / "cache")
            )
        usage = {"model": server.model, **requests}
    else:
        judged = [compared(candidate) for candidate in candidates]
    write_jsonl(args.relations, judged)
    write_json(args.usage, usage)
    logging.info("relations: %s", dict(Counter(row["relation"] or "not judged" for row in judged).most_common()))


if __name__ == "__main__":
    run(main)

"""Grow one shard of the seeds into conversations: start the teacher, amplify, stop the teacher."""

import argparse
import asyncio
import json
import logging
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.recipe import make
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient, TeacherError
from workflow_scripts.teacher.runtime_settings import shared_limits
from workflow_scripts.teacher.servers import Teacher, serve


def single_turn(seeds: Iterable[Row]) -> list[Row]:
    """The seeds that a teacher is to amplify, in the order of their ids. Conversations need none."""
    return sorted((seed for seed in seeds if seed["kind"] != "conversation"), key=lambda seed: seed["id"])


def shard_rows(seeds: list[Row], shard: int, size: int) -> list[Row]:
    """The seeds of a shard: a fixed range of all."""
    return seeds[shard * size : (shard + 1) * size]


async def make_all(
    seeds: list[Row], examples: list[Row], teacher: Teacher, args: argparse.Namespace
) -> tuple[list[Row], Rejections, Row]:
    """Conversations, rejections and what was measured. UserError past the configured rate of failures.

    `examples` are all seeds of the run, of which some techniques show the teacher a few.
    """
    client = TeacherClient(
        teacher.base_url, teacher.model, args.teacher, RequestCache(args.cache), identity=teacher.identity
    )
    scribe = Scribe(client.ask, args.settings, args.teacher["prefill"], examples)
    told = {"model": teacher.model, "kind": args.teacher["kind"], "identity": teacher.identity}
    rows: list[Row] = []
    rejections = Rejections()
    failures = 0
    bar = progress(len(seeds), f"shard {args.shard}", "seed")

    async def one(seed: Row) -> None:
        nonlocal failures
        try:
            rows.append(await make(seed, scribe, told))
        except BadTurn as error:
            rejections.add(seed["id"], "bad_turn", {"source": seed["source"], "fault": str(error)})
        except TeacherError as error:
            failures += 1
            rejections.add(seed["id"], "teacher_error", {"source": seed["source"], "error": str(error)})
            if failures > args.teacher["max_failure_rate"] * len(seeds):
                raise UserError(
                    f"the teacher at {teacher.base_url} failed for {failures} of {len(seeds)} seeds (at last: {error}), more than "
                    "`teacher.max_failure_rate` allows. Mend the teacher and run again: finished requests are kept."
                ) from error
        bar.set_postfix_str(client.usage.line(args.teacher["price"]["currency"]))
        bar.update()

    # Only so many conversations grow at once: the cache then holds finished ones, not the beginnings of all.
    seats = asyncio.Semaphore(args.teacher["concurrency"])

    async def seated(seed: Row) -> None:
        async with seats:
            await one(seed)

    try:
        with bar:
            await asyncio.gather(*(seated(seed) for seed in seeds))
    finally:
        await client.close()  # waits for replies that are under way and paid for
    usage = client.usage
    measured = {
        "requests": usage.requests,
        "cached": usage.cached,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "seconds": round(usage.seconds(), 2),
        "money": round(usage.money, 6),
        "faults": dict(sorted(scribe.faults.items())),
    }
    return rows, rejections, measured


def main(argv: list[str] | None = None) -> None:
    """Write the shard's conversations, rejected seeds and statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of select_seeds")
    parser.add_argument("--shard", required=True, help="number of the shard, from 0000")
    parser.add_argument("--settings", required=True, type=json.loads, help="`synthesis` of the config, as JSON")
    parser.add_argument("--teacher", required=True, type=json.loads, help="which teacher, from `teacher` of the config")
    parser.add_argument("--threads", required=True, type=int, help="threads for a teacher that runs in this job")
    parser.add_argument(
        "--cache", required=True, type=Path, help="folder of finished requests; shared, and kept when the job fails"
    )
    parser.add_argument("--server-log", required=True, type=Path, help="file for what a server started here has to say")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)
    args.teacher |= shared_limits()

    every = single_turn(read_jsonl(args.seeds))
    seeds = shard_rows(every, int(args.shard), args.settings["shard_size"])
    rows, rejections, measured = [], Rejections(), {}
    if seeds:  # the last shards may be empty when fewer seeds than `seeds.limit` were found
        with serve(args.teacher, args.threads, args.server_log) as teacher:
            rows, rejections, measured = asyncio.run(make_all(seeds, every, teacher, args))
    write_stage(args.data, args.rejected, args.stats, rows, rejections, rows_in=len(seeds), **measured)
    logging.info("shard %s: %d seeds, %d conversations, %s", args.shard, len(seeds), len(rows), measured)


if __name__ == "__main__":
    run(main)

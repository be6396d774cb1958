"""Generate the conversations of one shard of the seeds: start the teacher, amplify the seeds, stop the teacher."""

import argparse
import asyncio
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import seed_as_conversation
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_rows
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Config, Conversation, Row, Seed
from workflow_scripts.synthesis.draft import BadTurn
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.judging.settings import complete_settings
from workflow_scripts.synthesis.recipe import generate_conversation
from workflow_scripts.synthesis.topics import read_topics
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError
from workflow_scripts.teacher.servers import Teacher, identity, serve, served_name

COUNTED = ("requests", "cached", "failed", "prompt_tokens", "completion_tokens")  # of `Usage`, in the statistics


def judge_client(client: TeacherClient, judge: Config) -> TeacherClient:
    """The client of the independent judge; the teacher's client if none is configured."""
    if not judge:
        return client
    return TeacherClient(judge["base_url"], served_name(judge), judge, client.cache, identity=identity(judge))


async def generate_all(
    seeds: list[Seed], topics: list[str], teacher: Teacher, args: argparse.Namespace
) -> tuple[list[Conversation], Rejections, Row]:
    """(conversations, rejected seeds, metrics of the teacher's use).

    `topics` are the run's. Raises UserError if more seeds than `teacher.max_failure_rate` fail.
    """
    client = TeacherClient(
        teacher.base_url,
        teacher.model,
        args.teacher,
        RequestCache(args.teacher_folder / "cache"),
        identity=teacher.identity,
        key=teacher.key,
    )
    judge = judge_client(client, args.judge)
    generator = Generator(
        client.ask,
        args.settings,
        args.teacher["prefill"],
        topics,
        ask_judge=judge.ask,
        labels_openings=args.labels == "teacher",
    )
    provenance = {"model": teacher.model, "kind": args.teacher["kind"], "identity": teacher.identity}
    if judge is not client:
        provenance["judge"] = judge.model
    rows: list[Conversation] = []
    rejections = Rejections()
    failures = 0
    bar = progress(len(seeds), f"shard {args.shard}", "seed")

    async def generate(seed: Seed) -> None:
        nonlocal failures
        try:
            rows.append(await generate_conversation(seed, generator, provenance))
        except BadTurn as error:
            evidence = {"source": seed["source"], "fault": str(error), "text": error.text}
            rejections.add(seed_as_conversation(seed), "bad_turn", evidence)
        except TeacherError as error:
            failures += 1
            evidence = {"source": seed["source"], "error": str(error)}
            rejections.add(seed_as_conversation(seed), "teacher_error", evidence)
            if failures > args.teacher["max_failure_rate"] * len(seeds):
                raise UserError(
                    f"the teacher at {teacher.base_url} failed for {failures} of {len(seeds)} seeds (last error: {error}), "
                    "more than `teacher.max_failure_rate` allows. Fix the teacher and run again: finished requests are kept."
                ) from error
        bar.set_postfix_str(client.usage.line(args.teacher["price"]["currency"]), refresh=False)
        bar.update()

    # Bounds the conversations in progress: a stopped job then leaves finished conversations in the cache, and not the
    # beginnings of all.
    slots = asyncio.Semaphore(args.teacher["concurrency"])

    async def generate_in_slot(seed: Seed) -> None:
        async with slots:
            await generate(seed)

    try:
        with bar:
            await asyncio.gather(*(generate_in_slot(seed) for seed in seeds))
    finally:
        # Waits for pending requests, which are paid for.
        await client.close()
        await judge.close()
    usages = [each.usage for each in dict.fromkeys((client, judge))]
    metrics = {
        **{name: sum(getattr(usage, name) for usage in usages) for name in COUNTED},
        "seconds": round(client.usage.seconds(), 2),
        "money": round(sum(usage.money for usage in usages), 6),
        "faults": dict(sorted(generator.faults.items())),
    }
    return rows, rejections, metrics


def main(argv: list[str] | None = None) -> None:
    """Write the shard's conversations, rejected seeds and statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file of shard_seeds")
    parser.add_argument("--shard", required=True, help="name of the shard, for messages and logs")
    parser.add_argument("--topics", required=True, help="JSON file of draw_topics; empty if no technique needs topics")
    parser.add_argument("--labels", required=True, help="`seeds.labels.by` of the config")
    parser.add_argument("--settings", required=True, type=json.loads, help="`synthesis` of the config, as JSON")
    add_teacher_arguments(parser)
    parser.add_argument(
        "--judge",
        required=True,
        type=complete_settings,
        help="keys of an independent judge's endpoint, as JSON; {} for none",
    )
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    seeds = list(read_rows(args.seeds, Seed))
    topics = read_topics(Path(args.topics)) if args.topics else []
    rows: list[Conversation] = []
    rejections = Rejections()
    metrics: Row = {}
    if seeds:  # the last shards are empty if fewer seeds than `seeds.limit` were selected
        with serve(args.teacher, args.threads, args.teacher_folder / "servers" / f"{args.shard}.log") as teacher:
            rows, rejections, metrics = asyncio.run(generate_all(seeds, topics, teacher, args))
    write_stage(args.data, args.rejected, args.stats, rows, rejections, rows_in=len(seeds), **metrics)
    logging.info("shard %s: %d seeds, %d conversations, %s", args.shard, len(seeds), len(rows), metrics)


if __name__ == "__main__":
    run(main)

"""Measure and judge the generated conversations; remove those below a threshold or outside a source's best share."""

import argparse
import asyncio
import json
import logging
import math
from collections import defaultdict
from pathlib import Path
from statistics import mean

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_json, read_rows
from workflow_scripts.common.stage import Rejections, write_stage
from workflow_scripts.common.types import Config, Conversation, Rejected, Row
from workflow_scripts.synthesis.judging import prompts
from workflow_scripts.synthesis.judging.measures import measure
from workflow_scripts.synthesis.judging.rubric import judge
from workflow_scripts.synthesis.judging.settings import complete_settings
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.servers import Teacher, serve
from workflow_scripts.teacher.structured import InvalidReply


async def judge_all(
    rows: list[Conversation], server: Teacher, settings: Config, sampling: Config, cache: Path
) -> tuple[dict[str, Row], dict[str, str], Row]:
    """Judgements by id, errors by id, and the usage. UserError above `teacher.max_failure_rate`."""
    client = TeacherClient(
        server.base_url, server.model, settings, RequestCache(cache), identity=server.identity, key=server.key
    )
    slots = asyncio.Semaphore(settings["concurrency"])
    judged: dict[str, Row] = {}
    errors: dict[str, str] = {}
    failures = 0

    async def judge_one(row: Conversation) -> None:
        async with slots:
            try:
                judged[row["id"]] = await judge(client.ask, row["conversation"], sampling)
            except Refused as error:  # by the server's content filter
                errors[row["id"]] = str(error)
            except (InvalidReply, TeacherError) as error:
                nonlocal failures
                errors[row["id"]] = str(error)
                failures += 1
                if failures > settings["max_failure_rate"] * len(rows):
                    raise UserError(
                        f"the judge at {server.base_url} gave no judgement of {failures} of {len(rows)} conversations "
                        f"(last error: {error}), more than `teacher.max_failure_rate` allows. Set another model in "
                        "`judge.teacher`, or `judge.by: none`, and run again: stored answers are reused."
                    ) from error
            finally:
                bar.update()

    with progress(len(rows), "judging conversations", "conversation") as bar:
        try:
            async with asyncio.TaskGroup() as tasks:
                for row in rows:
                    tasks.create_task(judge_one(row))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            await client.close()
    usage = client.usage
    return judged, errors, {"requests": usage.requests, "cached": usage.cached}


def scored(row: Conversation, judgement: Row | None, model: str) -> Conversation:
    """The conversation with its measures, and the judgement if there is one, in its provenance."""
    provenance = {**row["provenance"], "measures": measure(row["conversation"])}
    if judgement is not None:
        provenance["judgement"] = {**judgement, "model": model, "prompt": prompts.hashes()["judge"]}
    return row | {"provenance": provenance}


def quality(row: Conversation) -> float:
    """The judge's mean score, 1 to 5; without a judge the score of the measures, 0 to 1."""
    provenance = row["provenance"]
    value: float = provenance["judgement"]["mean"] if "judgement" in provenance else provenance["measures"]["score"]
    return value


def select(rows: list[Conversation], settings: Config) -> tuple[list[Conversation], Rejections]:
    """The conversations with at least `min_score`, and of each source's the `best_share`; the others with reasons.

    The number kept of a source is rounded up. Equal scores are ordered by id. Rejected rows have the id of their seed,
    as all rejected rows of the stage.
    """
    kept, rejections = [], Rejections()
    by_source: dict[str, list[Conversation]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    for _, own in sorted(by_source.items()):
        own.sort(key=lambda row: (-quality(row), row["id"]))
        share = settings["best_share"]
        best = len(own) if share is None else math.ceil(share * len(own))
        for place, row in enumerate(own):
            evidence = {"source": row["source"], "score": quality(row)}
            seed_row = {**row, "id": row["provenance"]["seed"]}
            if settings["min_score"] is not None and quality(row) < settings["min_score"]:
                rejections.add(seed_row, "low_judgement", evidence | {"min_score": settings["min_score"]})
            elif place >= best:
                rejections.add(seed_row, "outside_best_share", evidence | {"rank": place + 1, "of": len(own)})
            else:
                kept.append(row)
    return kept, rejections


def summary(rows: list[Conversation]) -> Row:
    """Means of the measures, and of the judge's scores by criterion, of all conversations."""
    found: Row = {"measures": _means([row["provenance"]["measures"] for row in rows])}
    judgements = [row["provenance"]["judgement"] for row in rows if "judgement" in row["provenance"]]
    if judgements:
        found["scores"] = _means([judgement["scores"] | {"mean": judgement["mean"]} for judgement in judgements])
    return found


def _means(values: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in values for name in row)
    return {name: round(mean(row[name] for row in values if name in row), 3) for name in names}


def main(argv: list[str] | None = None) -> None:
    """Write the stage's `data.jsonl`, `rejected.jsonl` and `stats.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of collect_synthesis")
    parser.add_argument("--earlier", required=True, type=Path, help="JSONL file of its rejected rows")
    parser.add_argument("--collected", required=True, type=Path, help="JSON file of its statistics")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="by, sampling, min_score and best_share, as JSON"
    )
    parser.add_argument(
        "--judge", required=True, type=complete_settings, help="keys of the judge's server, as JSON; {} for none"
    )
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of a judge that runs in this job")
    parser.add_argument("--teacher-folder", required=True, type=Path, help="folder of stored answers and server logs")
    parser.add_argument("--data", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    rows = list(read_rows(args.conversations, Conversation))
    rejections = Rejections(list(read_rows(args.earlier, Rejected)))
    judged: dict[str, Row] = {}
    errors: dict[str, str] = {}
    usage: Row = {}
    model = ""
    if args.settings["by"] == "model" and rows:
        with serve(args.judge, args.threads, args.teacher_folder / "servers" / "judge_conversations.log") as server:
            model = server.model
            judged, errors, usage = asyncio.run(
                judge_all(rows, server, args.judge, args.settings["sampling"], args.teacher_folder / "cache")
            )
    measured = [scored(row, judged.get(row["id"]), model) for row in rows]
    for row in measured:
        if row["id"] in errors:
            seed_row = {**row, "id": row["provenance"]["seed"]}
            rejections.add(seed_row, "unjudged", {"source": row["source"], "error": errors[row["id"]]})
    kept, removed = select([row for row in measured if row["id"] not in errors], args.settings)
    rejections.rows += removed.rows
    collected = read_json(args.collected)
    metrics = {name: value for name, value in collected.items() if name not in ("in", "out", "rejected")}
    metrics["judge"] = summary(measured) | ({"model": model} | usage if model else {})
    write_stage(args.data, args.rejected, args.stats, kept, rejections, collected["in"], **metrics)
    logging.info("%d conversations, rejected %s", len(kept), rejections.by_reason())


if __name__ == "__main__":
    run(main)

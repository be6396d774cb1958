"""Judge the answers of each trained model against the base model's: by the teacher, pairwise, in both orders."""

import argparse
import asyncio
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.common.types import Rejected, Row
from workflow_scripts.evaluation import judge
from workflow_scripts.evaluation.prompts import PROMPTS
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.servers import Teacher, serve
from workflow_scripts.teacher.structured import InvalidReply

REFERENCE = "base"


def pairs(answers: dict[str, list[Row]]) -> list[Row]:
    """The judgements to make: {model, id, category, turn, base, tuned, reference}, conversations up to that turn."""
    base = {row["id"]: row for row in answers[REFERENCE]}
    return [
        {
            "model": model,
            **{key: row[key] for key in ("id", "category")},
            "turn": turn,
            "base": base[row["id"]]["conversation"][:turn],
            "tuned": row["conversation"][:turn],
            "reference": row["references"][turn - 1] if len(row["references"]) >= turn else "",
        }
        for model, rows in answers.items()
        if model != REFERENCE
        for row in rows
        for turn in range(1, len(row["conversation"]) + 1)
    ]


def unjudged(pair: Row, error: str) -> Rejected:
    """The row of rejected.jsonl of a pair without a judgement: the tuned model's answers."""
    provenance = {key: pair[key] for key in ("model", "category", "turn")}
    row = {"id": pair["id"], "source": pair["model"], "conversation": pair["tuned"], "provenance": provenance}
    return rejected_row(row, "no_judgement", error)


async def judge_all(
    todo: list[Row], teacher: Teacher, args: argparse.Namespace
) -> tuple[list[Row], list[Rejected], Row]:
    """Judgements, rejected answers, and the usage of the teacher. UserError above `teacher.max_failure_rate`."""
    client = TeacherClient(
        teacher.base_url,
        teacher.model,
        args.teacher,
        RequestCache(args.teacher_folder / "cache"),
        identity=teacher.identity,
        key=teacher.key,
    )
    slots = asyncio.Semaphore(args.teacher["concurrency"])
    judged: list[Row] = []
    rejected: list[Rejected] = []
    sampling = args.settings["judge_sampling"] or judge.SAMPLING
    failures = 0  # without those that a content filter refused

    async def judge_pair(pair: Row) -> None:
        nonlocal failures
        row = {key: pair[key] for key in ("model", "id", "category", "turn")}
        async with slots:
            try:
                tuned_first = await judge.judge(client.ask, pair["tuned"], pair["base"], pair["reference"], sampling)
                base_first = await judge.judge(client.ask, pair["base"], pair["tuned"], pair["reference"], sampling)
            except Refused as error:
                rejected.append(unjudged(pair, str(error)))
                return
            except (InvalidReply, TeacherError) as error:
                rejected.append(unjudged(pair, str(error)))
                failures += 1
                if failures > args.teacher["max_failure_rate"] * len(todo):
                    raise UserError(
                        f"the teacher at {teacher.base_url} gave no judgement for {failures} of {len(todo)} answers (last "
                        f"error: {error}), more than `teacher.max_failure_rate` allows. Use a stronger teacher or raise "
                        "`max_tokens` of `evaluation.two_turn.judge_sampling`, and run again: finished requests are kept."
                    ) from error
                return
            finally:
                bar.set_postfix_str(client.usage.line(args.teacher["price"]["currency"]), refresh=False)
                bar.update()
        verdicts = {"tuned_first": tuned_first["verdict"], "base_first": base_first["verdict"]}
        reasons = {"reasons": [tuned_first["reason"], base_first["reason"]]}
        judged.append({**row, **verdicts, "outcome": judge.outcome(**verdicts), **reasons})

    try:
        with progress(len(todo), "judging", "answer") as bar:
            await asyncio.gather(*(judge_pair(pair) for pair in todo))
    finally:
        await client.close()
    usage = {key: getattr(client.usage, key) for key in ("requests", "cached", "prompt_tokens", "completion_tokens")}
    return judged, rejected, usage


def main(argv: list[str] | None = None) -> None:
    """Write judgements.jsonl, rejected.jsonl and stats.json; the answers are in files <model>/<any>.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", required=True, type=Path, nargs="+", help="JSONL files of answer_questions")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation.two_turn` as JSON")
    add_teacher_arguments(parser)
    parser.add_argument("--judgements", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    answers = {path.parent.name: list(read_jsonl(path)) for path in args.answers}
    todo = pairs(answers)
    with serve(args.teacher, args.threads, args.teacher_folder / "servers" / "judge_answers.log") as teacher:
        judged, rejected, usage = asyncio.run(judge_all(todo, teacher, args))
    order = ("model", "id", "turn")
    judged.sort(key=lambda row: [row[key] for key in order])
    models = [model for model in answers if model != REFERENCE]
    stats = {
        "in": len(todo),
        "out": len(judged),
        "rejected": {"no_judgement": len(rejected)} if rejected else {},
        "judge": args.teacher["model"],
        "prompts": PROMPTS.hashes(),
        "models": {
            model: {
                "both": judge.summary([row for row in judged if row["model"] == model]),
                **{
                    f"turn_{turn}": judge.summary(
                        [row for row in judged if (row["model"], row["turn"]) == (model, turn)]
                    )
                    for turn in (1, 2)
                },
            }
            for model in models
        },
        **usage,
    }
    write_jsonl(args.judgements, judged)
    write_jsonl(args.rejected, sorted(rejected, key=lambda row: [row["source"], row["id"], row["provenance"]["turn"]]))
    write_json(args.stats, stats)
    logging.info("%s", stats["models"])


if __name__ == "__main__":
    run(main)

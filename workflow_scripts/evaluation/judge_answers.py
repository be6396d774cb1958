"""Judge the models' answers: every trained model against the base model and the peers, and a grade for every answer."""

import argparse
import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.stage import rejected_row
from workflow_scripts.common.types import Config, Rejected, Row
from workflow_scripts.evaluation import judge
from workflow_scripts.evaluation.prompts import PROMPTS
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.servers import Teacher, serve
from workflow_scripts.teacher.structured import Ask, InvalidReply

REFERENCE = "base"
ORDER = ("model", "reference", "id", "turn")


def answers_to_grade(answers: dict[str, list[Row]]) -> list[Row]:
    """{model, id, category, turn, conversation, correct}: every answer with its conversation up to that turn."""
    return [
        {
            "model": model,
            **{key: row[key] for key in ("id", "category")},
            "turn": turn,
            "conversation": row["conversation"][:turn],
            "correct": row["references"][turn - 1] if len(row["references"]) >= turn else "",
        }
        for model, rows in answers.items()
        for row in rows
        for turn in range(1, len(row["conversation"]) + 1)
    ]


def pairs(answers: dict[str, list[Row]], peers: list[str]) -> list[Row]:
    """The answers of the trained models, each with a `reference` and its conversation `other`: the base model or a peer."""
    found = answers_to_grade(answers)
    by_key = {(row["model"], row["id"], row["turn"]): row["conversation"] for row in found}
    return [
        {**row, "reference": reference, "other": by_key[reference, row["id"], row["turn"]]}
        for row in found
        if row["model"] not in (REFERENCE, *peers)
        for reference in (REFERENCE, *peers)
    ]


def unjudged(row: Row, error: str) -> Rejected:
    """The row of rejected.jsonl of an answer without a judgement."""
    provenance = {key: row[key] for key in (*ORDER[:2], "category", "turn") if key in row}
    answer = {
        "id": row["id"],
        "source": row["model"],
        "conversation": row["conversation"],
        "provenance": provenance,
    }
    return rejected_row(answer, "no_judgement", error)


async def compare(ask: Ask, row: Row, sampling: Config) -> Row:
    """The verdicts on a row of `pairs` in both orders, the outcome, and the reasons."""
    tuned_first = await judge.judge(ask, row["conversation"], row["other"], row["correct"], sampling)
    reference_first = await judge.judge(ask, row["other"], row["conversation"], row["correct"], sampling)
    verdicts = {"tuned_first": tuned_first["verdict"], "reference_first": reference_first["verdict"]}
    reasons = {"reasons": [tuned_first["reason"], reference_first["reason"]]}
    return {**verdicts, "outcome": judge.outcome(**verdicts), **reasons}


async def grade(ask: Ask, row: Row, sampling: Config) -> Row:
    """The grade of a row of `answers_to_grade`, and its reason."""
    return await judge.grade(ask, row["conversation"], row["correct"], sampling)


async def judge_all(
    todo: list[Row], to_grade: list[Row], teacher: Teacher, args: argparse.Namespace
) -> tuple[list[Row], list[Row], list[Rejected], Row]:
    """Judgements, grades, rejected answers, and the usage of the teacher. UserError above `teacher.max_failure_rate`."""
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
    grades: list[Row] = []
    rejected: list[Rejected] = []
    sampling = args.settings["judge_sampling"] or judge.SAMPLING
    total = len(todo) + len(to_grade)
    failures = 0  # without those that a content filter refused

    async def judge_one(row: Row, ask: Callable[[Ask, Row, Config], Awaitable[Row]], found: list[Row]) -> None:
        nonlocal failures
        async with slots:
            try:
                result = await ask(client.ask, row, sampling)
            except Refused as error:
                rejected.append(unjudged(row, str(error)))
                return
            except (InvalidReply, TeacherError) as error:
                rejected.append(unjudged(row, str(error)))
                failures += 1
                if failures > args.teacher["max_failure_rate"] * total:
                    raise UserError(
                        f"the teacher at {teacher.base_url} gave no judgement for {failures} of {total} answers (last "
                        f"error: {error}), more than `teacher.max_failure_rate` allows. Use a stronger teacher or raise "
                        "`max_tokens` of `evaluation.multi_turn.judge_sampling`, and run again: finished requests are kept."
                    ) from error
                return
            finally:
                bar.set_postfix_str(client.usage.line(args.teacher["price"]["currency"]), refresh=False)
                bar.update()
        found.append({key: row[key] for key in (*ORDER, "category") if key in row} | result)

    try:
        with progress(total, "judging", "answer") as bar:
            await asyncio.gather(
                *(judge_one(row, compare, judged) for row in todo), *(judge_one(row, grade, grades) for row in to_grade)
            )
    finally:
        await client.close()
    usage = {key: getattr(client.usage, key) for key in ("requests", "cached", "prompt_tokens", "completion_tokens")}
    return judged, grades, rejected, usage


def by_turns(rows: list[Row], summary: Callable[[list[Row]], Row]) -> Row:
    """A summary of all turns, of the first turns, and of the later ones."""
    parts = {
        "all": rows,
        "first": [row for row in rows if row["turn"] == 1],
        "later": [row for row in rows if row["turn"] > 1],
    }
    return {name: summary(part) for name, part in parts.items()}


def main(argv: list[str] | None = None) -> None:
    """Write judgements, grades, rejected answers and statistics; the answers are in files <model>/<any>.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", required=True, type=Path, nargs="+", help="JSONL files of answer_questions")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="judge_sampling, grades and names of the peers, as JSON"
    )
    add_teacher_arguments(parser)
    parser.add_argument("--judgements", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--grades", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--stats", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    answers = {path.parent.name: list(read_jsonl(path)) for path in args.answers}
    todo = pairs(answers, args.settings["peers"])
    to_grade = answers_to_grade(answers) if args.settings["grades"] else []
    with serve(args.teacher, args.threads, args.teacher_folder / "servers" / "judge_answers.log") as teacher:
        judged, grades, rejected, usage = asyncio.run(judge_all(todo, to_grade, teacher, args))
    for rows in (judged, grades):
        rows.sort(key=lambda row: [row[key] for key in ORDER if key in row])
    compared = list(dict.fromkeys((row["model"], row["reference"]) for row in todo))
    categories = sorted({row["category"] for row in to_grade})
    stats = {
        "in": len(todo) + len(to_grade),
        "out": len(judged) + len(grades),
        "rejected": {"no_judgement": len(rejected)} if rejected else {},
        "judge": args.teacher["model"],
        "prompts": PROMPTS.hashes(),
        "pairs": [
            {
                "model": model,
                "reference": reference,
                **by_turns(
                    [row for row in judged if (row["model"], row["reference"]) == (model, reference)], judge.summary
                ),
            }
            for model, reference in compared
        ],
        "grades": {
            model: {
                **by_turns(own, judge.grade_summary),
                "by_category": {
                    category: judge.grade_summary([row for row in own if row["category"] == category])
                    for category in categories
                },
            }
            for model in answers
            if (own := [row for row in grades if row["model"] == model])
        },
        "agreement_with_grades": judge.agreement_with_grades(judged, grades),
        **usage,
    }
    write_jsonl(args.judgements, judged)
    write_jsonl(args.grades, grades)
    write_jsonl(args.rejected, sorted(rejected, key=lambda row: [row["source"], row["id"], str(row["provenance"])]))
    write_json(args.stats, stats)
    logging.info("%s", stats["pairs"])


if __name__ == "__main__":
    run(main)

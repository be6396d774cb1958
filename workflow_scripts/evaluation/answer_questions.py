"""Generate a model's answers to all turns of each question, with greedy decoding."""

import argparse
import json
import logging
from itertools import groupby
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_jsonl, write_jsonl
from workflow_scripts.common.types import Exchange, Row
from workflow_scripts.evaluation.chat import Chat
from workflow_scripts.evaluation.checks import CHECKS, is_valid

MIN_TURNS = 2


def read_questions(path: Path) -> list[Row]:
    """The rows of a file as {id, category, turns, references, checks}; MT-Bench's own column names are accepted.

    `references` has at most one text per turn, `checks` a list per turn (evaluation/checks.py). UserError for a row without
    two turns, references that are not texts, unknown checks, repeated ids, or an empty file.
    """
    rows = []
    for number, row in enumerate(read_jsonl(path), 1):
        turns = row.get("turns")
        if (
            not isinstance(turns, list)
            or len(turns) < MIN_TURNS
            or not all(isinstance(turn, str) and turn.strip() for turn in turns)
        ):
            raise UserError(f"{path}, row {number}: `turns` must be a list of at least {MIN_TURNS} texts. Fix the row.")
        references = row.get("reference") or []
        if (
            not isinstance(references, list)
            or len(references) > len(turns)
            or not all(isinstance(text, str) for text in references)
        ):
            raise UserError(f"{path}, row {number}: `reference` must be a list of texts, one per turn. Fix the row.")
        checks = row.get("checks") or [[] for _ in turns]
        if (
            not isinstance(checks, list)
            or len(checks) != len(turns)
            or not all(isinstance(some, list) and all(map(is_valid, some)) for some in checks)
        ):
            raise UserError(
                f"{path}, row {number}: `checks` must be a list of checks per turn, each with one key of {', '.join(CHECKS)}. "
                "Fix the row."
            )
        rows.append(
            {
                "id": str(row.get("id", row.get("question_id", content_id(turns)))),
                "category": str(row.get("category", "")),
                "turns": turns,
                "references": references,
                "checks": checks,
            }
        )
    if not rows:
        raise UserError(
            f"{path}: the file contains no questions. Set `evaluation.multi_turn.questions` to another file."
        )
    if len({row["id"] for row in rows}) < len(rows):
        raise UserError(f"{path}: two questions have the same id. Give each question its own id.")
    return rows


def main(argv: list[str] | None = None) -> None:
    """Write one row per question: id, category, references, checks, conversation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", required=True, type=Path, help="JSONL file of questions")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="dtype, batch_size, answer_tokens, template as JSON"
    )
    parser.add_argument("--threads", required=True, type=int, help="CPU threads")
    parser.add_argument("--answers", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    import torch

    torch.set_num_threads(args.threads)
    questions = read_questions(args.questions)
    settings = args.settings
    chat = Chat(args.model, settings["dtype"], settings["template"])
    size = settings["batch_size"] if isinstance(settings["batch_size"], int) else 1
    rows = []
    # A batch answers questions with the same number of turns.
    questions.sort(key=lambda question: len(question["turns"]))
    groups = [list(group) for _, group in groupby(questions, key=lambda question: len(question["turns"]))]
    batches = [group[start : start + size] for group in groups for start in range(0, len(group), size)]
    with progress(sum(len(question["turns"]) for question in questions), "answering", "turn") as bar:
        for batch in batches:
            conversations: list[list[Exchange]] = [[] for _ in batch]
            for turn in range(len(batch[0]["turns"])):
                texts = [question["turns"][turn] for question in batch]
                requests = list(zip(conversations, texts, strict=True))
                answers = chat.answers(requests, settings["answer_tokens"])
                for conversation, text, answer in zip(conversations, texts, answers, strict=True):
                    conversation.append({"input": text, "output": answer})
                bar.update(len(batch))
            rows += [
                {key: question[key] for key in ("id", "category", "references", "checks")}
                | {"conversation": conversation}
                for question, conversation in zip(batch, conversations, strict=True)
            ]
    write_jsonl(args.answers, sorted(rows, key=lambda row: row["id"]))
    logging.info("%d questions answered", len(rows))


if __name__ == "__main__":
    run(main)

"""The relation of a passage to a benchmark item: verbatim by comparison of the texts, any other by a judge.

After Yang et al. 2023, Rethinking Benchmark and Contamination for Language Models with Rephrased Samples (arXiv
2311.04850): embeddings propose pairs, a language model decides. The relations, their wording and the prompt are ours.
"""

import asyncio
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.progress import progress
from workflow_scripts.common.prompts import Prompts
from workflow_scripts.common.types import Config, Row
from workflow_scripts.decontamination.relation_kinds import RELATIONS
from workflow_scripts.decontamination.text import normalise
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.servers import Teacher
from workflow_scripts.teacher.structured import Ask, InvalidReply, ask_structured

PROMPTS = Prompts(package_file("decontamination/prompts"))
ATTEMPTS = 3
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "relation": {"type": "string", "enum": list(RELATIONS)}},
    "required": ["reason", "relation"],
    "additionalProperties": False,
}


def is_verbatim(item: str, passage: str) -> bool:
    """Whether a passage contains the whole text of an item; case, punctuation and line breaks are ignored."""
    return f" {normalise(item)} " in f" {normalise(passage)} "


def compared(candidate: Row) -> Row:
    """A candidate with `relation`: verbatim, or None if that is for a judge to say; `reason` is then None, too."""
    verbatim = is_verbatim(candidate["item_text"], candidate["found_text"])
    return {**candidate, "relation": "verbatim" if verbatim else None, "reason": None}


async def judge_relation(ask: Ask, item: str, passage: str, sampling: Config) -> Row:
    """{reason, relation} of a passage to an item. Raises InvalidReply if no attempt gives a valid judgement."""
    prompt = PROMPTS.render("relation", item=item, passage=passage, relations=RELATIONS)
    messages = [{"role": "user", "content": prompt}]
    judgement: Row = await ask_structured(ask, messages, sampling, "relation", SCHEMA, ATTEMPTS)
    return judgement


async def judge_candidates(
    candidates: list[Row], server: Teacher, settings: Config, sampling: Config, cache: Path
) -> tuple[list[Row], Row]:
    """The candidates with relation and reason, in order, and the usage of the judge.

    Where the judge gave no valid judgement, the relation is None and the reason is the error. UserError if that happens
    more often than `teacher.max_failure_rate` allows.
    """
    client = TeacherClient(
        server.base_url, server.model, settings, RequestCache(cache), identity=server.identity, key=server.key
    )
    slots = asyncio.Semaphore(settings["concurrency"])
    judged = [compared(candidate) for candidate in candidates]
    # The same passage in several conversations is one request.
    todo: dict[tuple[str, str], list[Row]] = {}
    for row in judged:
        if row["relation"] is None:
            todo.setdefault((row["item_text"], row["found_text"]), []).append(row)
    failures = 0

    async def judge_one(texts: tuple[str, str], rows: list[Row]) -> None:
        nonlocal failures
        async with slots:
            try:
                found = await judge_relation(client.ask, *texts, sampling)
            except (Refused, InvalidReply, TeacherError) as error:
                found = {"relation": None, "reason": str(error)}
                failures += not isinstance(error, Refused)  # by the server's content filter
                if failures > settings["max_failure_rate"] * len(todo):
                    raise UserError(
                        f"the judge at {server.base_url} gave no judgement of {failures} of {len(todo)} passages (last error: "
                        f"{error}), more than `teacher.max_failure_rate` allows. Set another model in `judge.teacher`, or "
                        "`decontamination.rephrased.by: similarity`, and run again: stored answers are reused."
                    ) from error
            finally:
                bar.update()
            for row in rows:
                row.update(found)

    with progress(len(todo), "judging passages", "passage") as bar:
        try:
            async with asyncio.TaskGroup() as tasks:
                for texts, rows in todo.items():
                    tasks.create_task(judge_one(texts, rows))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            await client.close()
    return judged, {"requests": client.usage.requests, "cached": client.usage.cached}

"""Generate conversations from stored answers alone: which seeds are finished, and which answers each of them uses."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row, Seed
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.recipe import generate_conversation, sample_path
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import request_for, stored_form
from workflow_scripts.teacher.errors import TeacherError
from workflow_scripts.teacher.replies import Answer, complete
from workflow_scripts.teacher.runtime_settings import answer_settings
from workflow_scripts.teacher.servers import identity, served_name
from workflow_scripts.teacher.structured import Messages


@dataclass
class Replayed:
    """What the stored answers give for one seed.

    `reasons` are those for which it is rejected, or its conversation ended early: `bad_turn`, `answer:url` and `url` of a
    rejected seed; `teacher_error` of a seed that needs further requests. `answers` are by the hash of their requests.
    """

    seed: Seed
    techniques: list[str]
    finished: bool = True
    reasons: set[str] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)


def replay(seeds: list[Seed], config: Config, cache: RequestCache) -> Iterator[Replayed]:
    """The result of each seed. `seeds` are all seeds of the run, sorted by id as the stage has them."""
    settings, teacher = config["synthesis"], answer_settings(config["teacher"])
    model, teacher_identity = served_name(teacher), identity(teacher)

    def stored(*request: Any) -> tuple[str, Answer]:
        """The hash and the stored answer of a request. TeacherError if there is none."""
        stored_as = stored_form(request_for(model, *request, teacher["structured"]), teacher_identity)
        answer = cache.get(stored_as)
        if answer is None:
            raise TeacherError("not in the cache")
        return content_id(stored_as), answer

    with progress(len(seeds), "reading the cache", "seed") as bar, asyncio.Runner() as runner:
        for seed in seeds:
            path = sample_path(begin_draft(seed, settings["random_seed"]), settings["recipe"])
            replayed = Replayed(seed, [technique.name for technique in path])
            runner.run(_replay(replayed, seeds, settings, teacher["prefill"], stored))
            yield replayed
            bar.update()


async def _replay(
    replayed: Replayed, seeds: list[Seed], settings: Config, prefill: bool, stored: Callable[..., tuple[str, Answer]]
) -> None:
    async def ask(messages: Messages, sampling: Config, number: int, response_format: Row | None = None) -> Answer:
        key, answer = stored(messages, sampling, number, response_format)
        replayed.answers[key] = answer
        return complete(answer)

    generator = Generator(ask, settings, prefill, seeds)
    try:
        conversation = await generate_conversation(replayed.seed, generator, {})
        fault = conversation["provenance"]["stopped"]
    except BadTurn as error:
        fault = str(error)
        replayed.reasons.add("bad_turn")
    except TeacherError:
        fault = None
        replayed.finished = False
        replayed.reasons.add("teacher_error")
    if fault:
        replayed.reasons |= {fault, fault.rpartition(":")[2]}

"""Generate conversations from stored answers alone: which seeds are finished, and which answers each of them uses."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row, Seed
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.judging.settings import independent_endpoint
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

    `reasons` are those for which it is rejected, its conversation ended early, or a technique was left out: `bad_turn`,
    `answer:url` and `url` of a rejected seed; `teacher_error` of a seed that needs further requests. `answers` are by the
    hash of their requests.
    """

    seed: Seed
    techniques: list[str]
    finished: bool = True
    reasons: set[str] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)


def replay(seeds: list[Seed], config: Config, cache: RequestCache, topics: list[str]) -> Iterator[Replayed]:
    """The result of each seed.

    `seeds` are rows of shard_seeds; `topics` are the run's.
    """
    settings, teacher = config["synthesis"], answer_settings(config["teacher"])
    ask_teacher = _stored_answers(teacher, cache)
    ask_judge = _stored_answers(independent_endpoint(config) or teacher, cache)
    with progress(len(seeds), "reading the cache", "seed") as bar, asyncio.Runner() as runner:
        for seed in seeds:
            path = sample_path(begin_draft(seed, settings["random_seed"]), settings["recipe"])
            replayed = Replayed(seed, [technique.name for technique in path])
            generator = Generator(
                functools.partial(ask_teacher, replayed.answers),
                settings,
                teacher["prefill"],
                topics,
                ask_judge=functools.partial(ask_judge, replayed.answers),
                labels_openings=config["seeds"]["labels"]["by"] == "teacher",
            )
            runner.run(_generate(replayed, generator))
            yield replayed
            bar.update()


def _stored_answers(settings: Config, cache: RequestCache) -> Callable[..., Awaitable[Answer]]:
    """`TeacherClient.ask` of a model, from the cache; the first argument receives the answer by the hash of its request."""
    model, model_identity = served_name(settings), identity(settings)

    async def ask(
        answers: dict[str, Answer],
        messages: Messages,
        sampling: Config,
        number: int,
        response_format: Row | None = None,
    ) -> Answer:
        request = request_for(model, messages, sampling, number, response_format, settings["structured"])
        stored_as = stored_form(request, model_identity)
        answer = cache.get(stored_as)
        if answer is None:
            raise TeacherError("not in the cache")
        answers[content_id(stored_as)] = answer
        return complete(answer)

    return ask


async def _generate(replayed: Replayed, generator: Generator) -> None:
    try:
        provenance = (await generate_conversation(replayed.seed, generator, {}))["provenance"]
        faults = [provenance["stopped"], *(row["reason"] for row in provenance["fallbacks"])]
    except BadTurn as error:
        faults = [str(error)]
        replayed.reasons.add("bad_turn")
    except TeacherError:
        faults = []
        replayed.finished = False
        replayed.reasons.add("teacher_error")
    for fault in filter(None, faults):
        replayed.reasons |= {fault, fault.rpartition(":")[2]}

"""Fixtures that apply a technique to a seed with a real HTTP teacher."""

import asyncio
import json
from dataclasses import dataclass

import pytest

from tests.support.examples import with_examples
from workflow_scripts.synthesis.draft import Draft, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient

SAMPLING = {
    kind: {"temperature": 0.5, "top_p": 0.9, "max_tokens": tokens}
    for kind, tokens in {"instruction": 101, "follow_up": 102, "answer": 103, "judge": 104}.items()
}
KINDS = {sampling["max_tokens"]: kind for kind, sampling in SAMPLING.items()}
SETTINGS = {
    "random_seed": 0,
    "attempts": 2,
    "on_length": "retry",
    "sampling": SAMPLING,
    "moves": {},
    "follow_ups": {"min_chars": 10, "max_chars": 260, "replacements": 0, "judge": False},
    "answers": {"target_chars": None},
    "judge": {"min_mean": None, "references": False, "endpoint": None},
}


@dataclass
class Work:
    """The changed draft, the requests sent for it, and the error that ended it."""

    draft: Draft
    requests: list[dict]
    faults: dict[str, int]
    error: Exception | None = None

    @property
    def kinds(self):
        return [KINDS[request["max_tokens"]] for request in self.requests]

    @property
    def prompts(self):
        """All messages of each request, as one text."""
        return ["\n".join(message["content"] for message in request["messages"]) for request in self.requests]

    @property
    def step(self):
        (step,) = self.draft.steps
        return step


@pytest.fixture
def with_generator(teacher, tmp_path):
    """A function that awaits `use(generator)`, whose teacher sends these replies (a dict as JSON): (value, faults).

    `http=False` calls no server, for tests of many draws.
    """

    def run(use, *replies, topics=(), prefill=False, http=True, ask_judge=None, **settings):
        teacher.queue.clear()
        teacher.requests.clear()
        for reply in replies:
            teacher.says(json.dumps(reply) if isinstance(reply, dict) else reply)
        options = {"concurrency": 2, "timeout": 10, "retries": 0}

        async def main():
            cache = RequestCache(tmp_path / f"cache{len(list(tmp_path.iterdir()))}")
            client = TeacherClient(teacher.base_url, "m", options, cache)
            queue = list(replies)

            async def ask(messages, sampling, seed, response_format=None):
                teacher.requests.append({"messages": messages, "seed": seed, **sampling})
                reply = queue.pop(0)
                return {"text": json.dumps(reply) if isinstance(reply, dict) else reply, "finish_reason": "stop"}

            generator = Generator(
                client.ask if http else ask,
                SETTINGS | settings,
                prefill,
                list(topics),
                ask_judge=ask_judge,
            )
            try:
                return await use(generator), generator.faults
            finally:
                await client.close()

        return asyncio.run(main())

    return run


@pytest.fixture
def apply(with_generator, teacher):
    """A function that applies a technique to a seed, or a draft, with these replies; every reply must be requested."""

    def run(technique, seed, *replies, draft=None, settings=None, random_seed=0, seeds=(), **options):
        draft = draft or begin_draft(with_examples(seed, seeds), random_seed)

        async def use(generator):
            try:
                await technique.apply(draft, generator)
            except Exception as error:
                return error

        techniques = {technique.name: settings or {}}
        error, faults = with_generator(use, *(replies or ("",)), techniques=techniques, **options)
        assert len(teacher.requests) == len(replies)
        return Work(draft, list(teacher.requests), dict(faults), error)

    return run

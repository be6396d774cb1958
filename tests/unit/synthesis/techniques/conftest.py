"""Techniques at work: a seed, a technique, and what a real HTTP teacher says to it."""

import asyncio
import json
from dataclasses import dataclass

import pytest

from workflow_scripts.synthesis.draft import Draft, begin
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient

SAMPLING = {
    kind: {"temperature": 0.5, "top_p": 0.9, "max_tokens": tokens}
    for kind, tokens in {"instruction": 101, "follow_up": 102, "answer": 103, "judge": 104}.items()
}
KINDS = {sampling["max_tokens"]: kind for kind, sampling in SAMPLING.items()}
SETTINGS = {"random_seed": 0, "attempts": 2, "on_length": "retry", "sampling": SAMPLING}


@dataclass
class Work:
    """What became of a draft, what was asked for it, and the error that ended it."""

    draft: Draft
    requests: list[dict]
    faults: dict[str, int]
    error: Exception | None = None

    @property
    def kinds(self):
        return [KINDS[request["max_tokens"]] for request in self.requests]

    @property
    def asked(self):
        """All that each request says, as one text."""
        return ["\n".join(message["content"] for message in request["messages"]) for request in self.requests]

    @property
    def step(self):
        (step,) = self.draft.steps
        return step


@pytest.fixture
def scribe(teacher, tmp_path):
    """A function: `use(scribe)` awaited with a Scribe whose teacher says these replies (a dict as JSON).

    `near` leaves out HTTP, for tests of many draws.
    """

    def run(use, *replies, seeds=(), prefill=False, near=False, **settings):
        teacher.script.clear()
        teacher.requests.clear()
        for reply in replies:
            teacher.says(json.dumps(reply) if isinstance(reply, dict) else reply)
        told = {"concurrency": 2, "timeout": 10, "retries": 0}

        async def whole():
            cache = RequestCache(tmp_path / f"cache{len(list(tmp_path.iterdir()))}")
            client = TeacherClient(teacher.base_url, "m", told, cache)
            left = list(replies)

            async def ask(messages, sampling, seed, response_format=None):
                teacher.requests.append({"messages": messages, "seed": seed, **sampling})
                reply = left.pop(0)
                return {"text": json.dumps(reply) if isinstance(reply, dict) else reply, "finish_reason": "stop"}

            made = Scribe(
                ask if near else client.ask, SETTINGS | settings, prefill, sorted(seeds, key=lambda seed: seed["id"])
            )
            try:
                return await use(made), made.faults
            finally:
                await client.close()

        return asyncio.run(whole())

    return run


@pytest.fixture
def apply(scribe, teacher):
    """A function: a technique applied to a seed, or to a draft, with these replies; every one of them must be asked for."""

    def run(technique, seed, *replies, draft=None, settings=None, random_seed=0, **more):
        draft = draft or begin(seed, random_seed)

        async def use(made):
            try:
                await technique.apply(draft, made)
            except Exception as error:
                return error

        own = {technique.name: settings or {}}
        error, faults = scribe(use, *(replies or ("",)), techniques=own, **more)
        assert len(teacher.requests) == len(replies)
        return Work(draft, list(teacher.requests), dict(faults), error)

    return run

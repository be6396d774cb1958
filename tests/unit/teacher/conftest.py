"""Fixtures that send requests through one client to a teacher with queued replies."""

import asyncio

import pytest

from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient

MESSAGES = [{"role": "user", "content": "Why?"}]
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 8}


@pytest.fixture
def ask_all(teacher, tmp_path):
    """A function that sends requests concurrently through one client: (answers or errors, usage)."""

    def run(*requests, identity="", **settings):
        settings = {"concurrency": 4, "timeout": 5, "retries": 1, **settings}

        async def gather():
            cache = RequestCache(tmp_path / "cache")
            client = TeacherClient(teacher.base_url, "m", settings, cache, identity=identity)
            try:
                answers = await asyncio.gather(*(client.ask(*request) for request in requests), return_exceptions=True)
            finally:
                await client.close()
            return answers, client.usage

        return asyncio.run(gather())

    return run


@pytest.fixture
def ask(ask_all):
    """A function that sends one request: (answer, usage). An error is raised."""

    def run(messages=MESSAGES, seed=1, **settings):
        (answer,), usage = ask_all((messages, SAMPLING, seed), **settings)
        if isinstance(answer, BaseException):
            raise answer
        return answer, usage

    return run

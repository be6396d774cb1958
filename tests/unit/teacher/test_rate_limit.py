"""Rate limits and the time-out of complete responses, by the clock."""

import time

import pytest

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.teacher.errors import TeacherError


def test_the_time_out_applies_to_the_complete_response(teacher, ask):
    """Each single read is in time; without a time-out of the complete response this would take a minute."""
    teacher.byte_seconds = 0.05
    teacher.says("So.")
    start = time.monotonic()
    with pytest.raises(TeacherError, match="no answer within the time-out"):
        ask(timeout=0.4, retries=1)
    assert time.monotonic() - start < 4
    assert len(teacher.requests) == 2  # a late response is retried


def test_requests_per_minute(teacher, ask_all):
    teacher.says("So.")
    start = time.monotonic()
    ask_all(*((MESSAGES, SAMPLING, seed) for seed in range(8)), rate={"requests_per_minute": 300})
    assert 0.55 < time.monotonic() - start < 3  # a burst of five, then one every 0.2 s
    assert len(teacher.requests) == 8


def test_retries_are_rate_limited(teacher, ask):
    teacher.sends({}, status=429, Retry_After_Ms="1").sends({}, status=429, Retry_After_Ms="1").says("So.")
    start = time.monotonic()
    ask(retries=2, rate={"requests_per_minute": 120})
    assert len(teacher.requests) == 3
    assert time.monotonic() - start > 0.4


def test_tokens_per_minute(teacher, ask_all):
    """The maximum tokens of a request are reserved; unused ones, here nearly all, are credited to the next request."""
    teacher.says("So.")
    sampling = {**SAMPLING, "max_tokens": 1000}
    start = time.monotonic()
    ask_all((MESSAGES, sampling, 1), rate={"tokens_per_minute": 60_000})
    assert time.monotonic() - start < 1
    start = time.monotonic()
    ask_all(*((MESSAGES, sampling, seed) for seed in range(2, 4)), rate={"tokens_per_minute": 60_000})
    assert 0.9 < time.monotonic() - start < 3
    start = time.monotonic()
    requests = [(MESSAGES, sampling, seed) for seed in range(4, 9)]
    ask_all(*requests, rate={"tokens_per_minute": 60_000}, concurrency=1)
    assert time.monotonic() - start < 1.5  # five reservations in a row would take four seconds

"""Structured replies: the request, validation, retries, and errors that do not quote the reply."""

import asyncio
import json

import pytest

from tests.unit.teacher.conftest import MESSAGES, SAMPLING
from workflow_scripts.teacher.structured import (
    InvalidReply,
    ask_structured,
    parse_reply,
    response_format,
    strip_reasoning,
)

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}
VALID = '{"score": 4}'
INVALID = [
    ("", "not JSON"),
    ("Four.", "not JSON"),
    ('{"score": 4', "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("9" * 5000, "not JSON"),
    ("<think>" + VALID, "not JSON"),
    ("null", "$ breaks `type`"),
    ("{}", "$ breaks `required`"),
    ('{"score": 6}', "$.score breaks `maximum`"),
    ('{"score": "4"}', "$.score breaks `type`"),
    ('{"score": 4, "canary": "canary"}', "$ breaks `additionalProperties`"),
]


def odd(value):
    return "the score is odd" if value["score"] % 2 else None


def ask_for_score(*replies, attempts=3, **options):
    """Send these replies: (value or InvalidReply, requests, faults)."""
    queue, requests, faults = list(replies), [], []

    async def ask(messages, sampling, seed, response_format=None):
        requests.append((messages, sampling, seed, response_format))
        return {"text": queue.pop(0)}

    try:
        value = asyncio.run(
            ask_structured(ask, MESSAGES, SAMPLING, "score", SCHEMA, attempts, on_fault=faults.append, **options)
        )
    except InvalidReply as error:
        value = error
    assert not queue
    return value, requests, faults


def test_the_request_has_the_schema():
    value, requests, faults = ask_for_score(VALID)
    json_schema = {"name": "score", "strict": True, "schema": SCHEMA}
    assert (value, faults) == ({"score": 4}, [])
    assert requests == [(MESSAGES, SAMPLING, 0, {"type": "json_schema", "json_schema": json_schema})]
    assert response_format("score", SCHEMA) == requests[0][3]


@pytest.mark.parametrize(("reply", "reason"), INVALID, ids=lambda text: text[:20])
def test_an_invalid_reply_is_retried_with_another_seed(reply, reason):
    value, requests, faults = ask_for_score(reply, reply, VALID, seed=lambda attempt: 70 + attempt)
    assert (value, faults) == ({"score": 4}, [reason, reason])
    assert [seed for _, _, seed, _ in requests] == [70, 71, 72]
    assert all(request[:2] == (MESSAGES, SAMPLING) for request in requests)


@pytest.mark.parametrize(("attempts", "counted"), [(1, "1 attempt"), (2, "2 attempts")])
def test_attempts_are_bounded(attempts, counted):
    error, requests, faults = ask_for_score(*["Four."] * attempts, attempts=attempts)
    assert str(error) == f"no valid score in {counted}: {'; '.join(['not JSON'] * attempts)}"
    assert error.faults == faults == ["not JSON"] * attempts
    assert len(requests) == attempts


def test_an_extra_check_rejects_replies_that_fit_the_schema():
    value, _, faults = ask_for_score('{"score": 3}', "{}", VALID, check=odd)
    assert (value, faults) == ({"score": 4}, ["the score is odd", "$ breaks `required`"])


def test_errors_do_not_quote_the_reply():
    replies = ["canary", '{"score": "canary"}', '{"canary": 1, "score": 4}', '{"score": ["canary"]}']
    error, _, _ = ask_for_score(*replies, attempts=len(replies))
    assert "canary" not in str(error)


def test_errors_of_the_teacher_are_not_caught():
    async def ask(*_, **__):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(ask_structured(ask, MESSAGES, SAMPLING, "score", SCHEMA, 3))


@pytest.mark.parametrize("reply", [f"<think>Four? Five?</think>\n{VALID}", f"Four?</think>{VALID}", f" {VALID}\n"])
def test_a_reply_is_parsed_without_reasoning(reply):
    assert parse_reply(reply, SCHEMA) == json.loads(VALID)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>\nThe user asks.</think>\n\nRivers carry sand.", "Rivers carry sand."),
        ("The user asks.</think>Rivers carry sand.", "Rivers carry sand."),  # the chat template wrote the first mark
        ("<think>The user asks", ""),
        ("Rivers carry sand.", "Rivers carry sand."),
    ],
)
def test_reasoning_is_stripped(reply, expected):
    assert strip_reasoning(reply) == expected

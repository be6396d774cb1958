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
        reply = queue.pop(0)
        text, finish_reason = reply if isinstance(reply, tuple) else (reply, "stop")
        return {"text": text, "finish_reason": finish_reason}

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
    assert error.text == "Four."
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


@pytest.mark.parametrize(
    "reply", [f" {VALID}\n", f"```json\n{VALID}\n```", f"Here it is:\n```\n{VALID}\n```\nGood luck!"]
)
def test_a_reply_may_be_in_one_fenced_block(reply):
    assert parse_reply(reply, SCHEMA) == json.loads(VALID)


def test_of_two_fenced_blocks_none_is_taken():
    with pytest.raises(ValueError, match="not JSON"):
        parse_reply(f"```json\n{VALID}\n```\nor\n```json\n{VALID}\n```", SCHEMA)


def test_a_reply_that_reached_max_tokens_is_invalid():
    value, _, faults = ask_for_score((VALID, "length"), VALID)
    assert (value, faults) == ({"score": 4}, ["reached max_tokens"])


@pytest.mark.parametrize("structured", ["json_schema", "json_object", "prompt"])
def test_the_schema_is_enforced_by_the_server_or_part_of_the_prompt(ask_all, teacher, structured):
    """With every setting the same validation decides."""
    teacher.says("Four.").says(f"```json\n{VALID}\n```")
    requests = [(MESSAGES, SAMPLING, seed, response_format("score", SCHEMA)) for seed in range(2)]
    answers, _ = ask_all(*requests, structured=structured, concurrency=1)
    assert parse_reply(answers[1]["text"], SCHEMA) == {"score": 4}
    sent = teacher.requests[0]
    form = sent.get("response_format", {}).get("type")
    assert form == {"json_schema": "json_schema", "json_object": "json_object", "prompt": None}[structured]
    (message,) = sent["messages"]
    assert (json.dumps(SCHEMA) in message["content"]) == (structured != "json_schema")
    assert message["content"].startswith(MESSAGES[0]["content"])
    assert ("JSON" in message["content"]) == (structured != "json_schema")  # OpenAI's json_object needs the word


@pytest.mark.parametrize("depth", [50, 300, 600, 900, 980, 992, 993, 2000, 100_000])
@pytest.mark.parametrize(
    "form", ["{}", '{{"labels": [{0}, {0}]}}', '{{"labels": {}}}', '{{"labels": {{"x": {}}}, "a": 1}}']
)
def test_a_nested_reply_is_an_invalid_reply(form, depth):
    schema = {
        "type": "object",
        "properties": {"labels": {"type": "array", "items": {"type": "string", "enum": ["a"]}, "uniqueItems": True}},
        "required": ["labels"],
        "additionalProperties": False,
    }
    for closed in ("]" * depth, ""):
        for text in (reply := form.format("[" * depth + closed), f"```json\n{reply}\n```"):
            with pytest.raises(ValueError, match=r"not JSON|breaks|nested"):
                parse_reply(text, schema)

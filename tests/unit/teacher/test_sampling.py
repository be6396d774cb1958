"""Parameters of requests: passed through, part of the cache key, checked where that is possible."""

import pytest

from tests.unit.teacher.conftest import MESSAGES
from workflow_scripts.teacher.sampling import max_tokens, sampling_mistakes

REASONING = {
    **dict.fromkeys(("temperature", "top_p", "max_tokens")),
    "max_completion_tokens": 4000,
    "reasoning_effort": "low",
    "frequency_penalty": 0.5,
    "presence_penalty": 0,
    "extra_body": {"top_k": 40, "chat_template_kwargs": {"enable_thinking": False}},
}


def test_every_parameter_is_sent_and_null_is_left_out(teacher, ask_all):
    teacher.says("So.")
    ask_all((MESSAGES, REASONING, 1))
    assert teacher.requests == [
        {
            "model": "m",
            "messages": MESSAGES,
            "seed": 1,
            "max_completion_tokens": 4000,
            "reasoning_effort": "low",
            "frequency_penalty": 0.5,
            "presence_penalty": 0,
            "top_k": 40,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


def test_every_parameter_is_part_of_the_cache_key(teacher, ask_all):
    for number in range(20):
        teacher.says(f"{number}")
    changes = [
        *({}, {"max_completion_tokens": 1}, {"reasoning_effort": "high"}, {"frequency_penalty": 0.6}),
        *({"presence_penalty": 1}, {"extra_body": {"top_k": 41}}, {"extra_body": None}, {"temperature": 1}),
    ]
    requests = [(MESSAGES, REASONING | change, 1) for change in changes]
    first, _ = ask_all(*requests, concurrency=1)
    again, usage = ask_all(*requests, concurrency=1)
    assert first == again and len({answer["text"] for answer in first}) == len(changes)
    assert (usage.requests, len(teacher.requests)) == (0, len(changes))


@pytest.mark.parametrize("name", ["seed", "random_seed", None])
def test_the_sampling_seed_has_the_name_of_the_server(teacher, ask_all, name):
    teacher.says("So.").says("No.")
    requests = [(MESSAGES, {"max_tokens": 8}, seed) for seed in (5, 6)]
    first, _ = ask_all(*requests, seed_parameter=name, concurrency=1)
    assert [answer["text"] for answer in first] == ["So.", "No."]  # two attempts, even if the server sees no seed
    assert teacher.requests[0] == {"model": "m", "messages": MESSAGES, "max_tokens": 8} | ({name: 5} if name else {})
    _, usage = ask_all(*requests, concurrency=1)
    assert usage.requests == 0  # the name does not affect answers


def test_the_rate_limit_reserves_the_tokens_of_either_limit():
    assert [max_tokens(sampling) for sampling in ({"max_tokens": 5}, REASONING, {})] == [5, 4000, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"max_tokens": 5}, "x: set exactly one of max_tokens and max_completion_tokens; the other is null or absent."),
        ({"max_completion_tokens": None}, "x: set exactly one of"),
        ({"extra_body": {"messages": []}}, "x.extra_body.messages: set by the workflow. Delete it."),
        ({"extra_body": {"a": [{"Api_Key": "k"}]}}, "x.extra_body: Api_Key may hold a key, and requests are stored."),
    ],
)
def test_mistakes_that_the_schema_cannot_find(change, message):
    found = list(sampling_mistakes(REASONING | change, "x"))
    assert not found if message is None else len(found) == 1 and found[0].startswith(message)

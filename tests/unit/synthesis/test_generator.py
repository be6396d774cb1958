"""Texts and judgements: validation, retries and their limits; with a real HTTP teacher."""

import asyncio
import json

import pytest

from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError

SAMPLING = {
    kind: {"temperature": 0.25, "top_p": 0.5, "max_tokens": tokens}
    for kind, tokens in {"instruction": 101, "follow_up": 102, "answer": 103, "judge": 104}.items()
}
SETTINGS = {"random_seed": 0, "attempts": 3, "on_length": "retry", "sampling": SAMPLING}
MESSAGES = [{"role": "user", "content": "Why does granite last?"}]
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.fixture
def with_generator(teacher, tmp_path):
    """A function that awaits `use(generator)` and returns (its value or error, the faults)."""

    def run(use, **settings):
        async def main():
            options = {"concurrency": 2, "timeout": 10, "retries": 0}
            client = TeacherClient(teacher.base_url, "m", options, RequestCache(tmp_path / "cache"))
            generator = Generator(client.ask, SETTINGS | settings)
            try:
                return await use(generator), dict(generator.faults)
            except (BadTurn, TeacherError) as error:
                return error, dict(generator.faults)
            finally:
                await client.close()

        return asyncio.run(main())

    return run


@pytest.fixture
def write(with_generator, make_seed):
    """A function that generates a text; texts that contain "dull" have the fault `dull`, empty ones `empty`."""

    def run(messages=MESSAGES, kind="answer", check=None, seed=None, **options):
        draft = begin_draft(seed or make_seed(), 0)
        settings = {name: options.pop(name) for name in ("attempts", "on_length") if name in options}
        check = check or (lambda text: "dull" if "dull" in text else "empty" if not text else None)
        return with_generator(lambda generator: generator.write(draft, kind, messages, check, **options), **settings)

    return run


@pytest.fixture
def judge(with_generator, make_seed):
    """A function that requests a judgement with `SCHEMA`."""

    def run(seed=None, **settings):
        return with_generator(
            lambda generator: generator.judge(begin_draft(seed or make_seed(), 0), MESSAGES, SCHEMA), **settings
        )

    return run


@pytest.mark.parametrize("kind", SAMPLING)
def test_a_valid_text_takes_one_request_with_the_sampling_of_its_kind(write, teacher, kind):
    teacher.says("  Its crystals interlock.\n")
    assert write(kind=kind) == ("Its crystals interlock.", {})
    (request,) = teacher.requests
    assert {name: request[name] for name in SAMPLING[kind]} == SAMPLING[kind]
    assert request["messages"] == MESSAGES
    assert "response_format" not in request


def test_an_invalid_text_is_retried_with_another_sampling_seed(write, teacher):
    for text in ("dull", "", "Its crystals interlock."):
        teacher.says(text)
    assert write() == ("Its crystals interlock.", {"answer:dull": 1, "answer:empty": 1})
    assert len({request.pop("seed") for request in teacher.requests}) == 3
    assert teacher.requests[0] == teacher.requests[1] == teacher.requests[2]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded_and_the_last_fault_is_reported(write, teacher, attempts):
    for _ in range(attempts - 1):
        teacher.says("")
    teacher.says("dull")
    error, faults = write(attempts=attempts)
    assert isinstance(error, BadTurn) and str(error) == "answer:dull" and error.text == "dull"
    assert len(teacher.requests) == len({request["seed"] for request in teacher.requests}) == attempts
    assert faults == {"answer:dull": 1} | ({"answer:empty": attempts - 1} if attempts > 1 else {})


def test_a_sampling_seed_depends_only_on_seed_kind_number_of_messages_and_attempt(write, teacher, make_seed):
    def numbers(**options):
        teacher.requests.clear()
        write(attempts=2, **options)
        return tuple(request["seed"] for request in teacher.requests)

    teacher.says("dull")
    first = numbers()
    assert all(0 <= number < 2**31 for number in first)
    assert first == numbers(messages=[{"role": "user", "content": "Why?"}])
    others = [
        numbers(kind="follow_up"),
        numbers(messages=[*MESSAGES, *MESSAGES]),
        numbers(seed=make_seed("Why does basalt last?")),
    ]
    assert len({*first, *(number for pair in others for number in pair)}) == 8


def test_a_stored_text_is_not_requested_again(write, teacher):
    teacher.says("dull").says("Good.")
    assert write() == write() == ("Good.", {"answer:dull": 1})
    assert len(teacher.requests) == 2


def test_the_extracted_text_is_checked_and_returned(write, teacher):
    seen = []

    def check(text):
        seen.append(text)
        return None if text == "granite" else "other"

    teacher.says("Basalt it is.").says("  Granite it is.")
    text, faults = write(check=check, extract=lambda text: text.split()[0].lower())
    assert (text, seen, faults) == ("granite", ["basalt", "granite"], {"answer:other": 1})


@pytest.mark.parametrize(
    ("on_length", "text", "finish_reason", "expected"),
    [
        ("trim", 'It lasts. It "wins." And then qua', "length", 'It lasts. It "wins."'),
        ("trim", "No sentence ends h", "length", ""),
        ("retry", "It lasts. And then qua", "length", ""),
        ("retry", "It lasts.", "length", ""),
        ("trim", "It lasts. And then qua", "stop", "It lasts. And then qua"),
        ("retry", "It lasts. And then qua", "stop", "It lasts. And then qua"),
    ],
)
def test_a_truncated_reply(write, teacher, on_length, text, finish_reason, expected):
    teacher.says(text, finish_reason=finish_reason).says("Complete.")
    assert write(on_length=on_length) == ((expected, {}) if expected else ("Complete.", {"answer:max_tokens": 1}))


def test_a_bad_turn_has_the_last_reply_as_it_was_written(write, teacher):
    teacher.says("It lasts. And then qua", finish_reason="length")
    error, faults = write(on_length="retry")
    assert (str(error), error.text, faults) == ("answer:max_tokens", "It lasts. And then qua", {"answer:max_tokens": 3})


def test_a_refusal_by_a_content_filter_is_retried_and_then_a_bad_turn(write, judge, teacher):
    teacher.says("It", finish_reason="content_filter").says("Good.")
    assert write() == ("Good.", {"answer:content_filter": 1})
    teacher.queue.clear()
    teacher.sends({"error": {"code": "content_filter", "message": "Filtered."}}, status=400)
    error, faults = write(kind="instruction")
    assert (str(error), error.text) == ("instruction:content_filter", "content_filter: Filtered.")
    assert faults == {"instruction:content_filter": 3}
    error, faults = judge()
    assert (str(error), faults) == ("judge:content_filter", {"judge:content_filter": 1})


def test_replies_that_are_only_reasoning_are_an_error_of_the_teacher(write, teacher):
    """No other sampling seed helps; the run has to stop and name the limit."""
    teacher.says("<think>The user", finish_reason="length")
    error, _ = write()
    assert isinstance(error, TeacherError)
    assert (
        "every reply reached its maximum of 103 tokens within the reasoning. Raise it in `synthesis.sampling.answer`"
        in str(error)
    )


def test_extract_receives_the_trimmed_reply(write, teacher):
    teacher.says("It lasts. And then qua", finish_reason="length")
    assert write(on_length="trim", extract=str.upper)[0] == "IT LASTS."


def test_a_judgement_is_requested_with_its_schema(judge, teacher):
    teacher.says(json.dumps({"score": 4}))
    assert judge() == ({"score": 4}, {})
    (request,) = teacher.requests
    json_schema = {"name": "judgement", "strict": True, "schema": SCHEMA}
    assert request["response_format"] == {"type": "json_schema", "json_schema": json_schema}
    assert {name: request[name] for name in SAMPLING["judge"]} == SAMPLING["judge"]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Four.",
        '{"score": 4',
        "4",
        '{"score": 6}',
        '{"score": "4"}',
        '{"score": true}',
        '{"score": 4, "why": "It is good."}',
        "{}",
        "null",
        "9" * 5000,
        "[" * 100_000,
    ],
    ids=lambda reply: reply[:12],
)
def test_a_malformed_judgement_is_retried(judge, teacher, reply):
    teacher.says(reply).says('{"score": 2}')
    assert judge() == ({"score": 2}, {"judge:malformed": 1})
    assert teacher.requests[0]["seed"] != teacher.requests[1]["seed"]
    assert teacher.requests[0]["messages"] == teacher.requests[1]["messages"]


def test_a_judgement_that_stays_malformed_is_a_bad_turn(judge, teacher):
    teacher.says("Five of five!")
    error, faults = judge(attempts=4)
    assert isinstance(error, BadTurn) and str(error) == "judge:malformed" and error.text == "Five of five!"
    assert faults == {"judge:malformed": 4}
    assert len({request["seed"] for request in teacher.requests}) == len(teacher.requests) == 4


def test_an_error_of_the_teacher_is_not_a_fault_of_a_text(write, judge, teacher):
    """Otherwise an outage would silently lower the quality of the data."""
    teacher.sends({"error": "no"}, status=500)
    for request in (write, judge):
        error, faults = request()
        assert isinstance(error, TeacherError) and faults == {}
    assert len(teacher.requests) == 2


def test_a_draft_records_the_names_of_its_prompts(make_seed):
    generator, draft, other = Generator(None, SETTINGS), begin_draft(make_seed(), 0), begin_draft(make_seed(), 0)
    text = generator.prompt(draft, "known_result", known="quartz")
    assert text == prompts.render("known_result", known="quartz")
    generator.prompt(draft, "expert")
    generator.prompt(draft, "expert")
    assert (draft.prompts, other.prompts) == ({"known_result", "expert"}, set())

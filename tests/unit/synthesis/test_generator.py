"""Texts and judgements, asked for until they may stand; through a real HTTP teacher."""

import asyncio
import json

import pytest

from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, begin
from workflow_scripts.synthesis.generator import Scribe, _said
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient, TeacherError

SAMPLING = {
    kind: {"temperature": 0.25, "top_p": 0.5, "max_tokens": tokens}
    for kind, tokens in {"instruction": 101, "follow_up": 102, "answer": 103, "judge": 104}.items()
}
SETTINGS = {"random_seed": 0, "attempts": 3, "on_length": "retry", "sampling": SAMPLING}
ASKED = [{"role": "user", "content": "Why does granite last?"}]
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.fixture
def scribe(teacher, tmp_path):
    """A function: `use(scribe)` awaited with a Scribe of the scripted teacher; its value, or its error, and the faults."""

    def run(use, **settings):
        async def whole():
            told = {"concurrency": 2, "timeout": 10, "retries": 0}
            client = TeacherClient(teacher.base_url, "m", told, RequestCache(tmp_path / "cache"))
            made = Scribe(client.ask, SETTINGS | settings)
            try:
                return await use(made), dict(made.faults)
            except (BadTurn, TeacherError) as error:
                return error, dict(made.faults)
            finally:
                await client.close()

        return asyncio.run(whole())

    return run


@pytest.fixture
def write(scribe, make_seed):
    """A function that has a text written; `dull` is what is wrong with texts that say so."""

    def written(messages=ASKED, kind="answer", fault=None, seed=None, **more):
        draft = begin(seed or make_seed(), 0)
        settings = {name: more.pop(name) for name in ("attempts", "on_length") if name in more}
        check = fault or (lambda text: "dull" if "dull" in text else "empty" if not text else None)
        return scribe(lambda made: made.write(draft, kind, messages, check, **more), **settings)

    return written


@pytest.fixture
def judge(scribe, make_seed):
    def judged(seed=None, **settings):
        return scribe(lambda made: made.judge(begin(seed or make_seed(), 0), ASKED, SCHEMA), **settings)

    return judged


@pytest.mark.parametrize("kind", SAMPLING)
def test_a_good_text_is_asked_for_once_with_the_sampling_of_its_kind(write, teacher, kind):
    teacher.says("  Its crystals interlock.\n")
    assert write(kind=kind) == ("Its crystals interlock.", {})
    (request,) = teacher.requests
    assert {name: request[name] for name in SAMPLING[kind]} == SAMPLING[kind]
    assert request["messages"] == ASKED
    assert "response_format" not in request


def test_a_bad_text_is_asked_for_again_with_another_sampling_seed(write, teacher):
    for text in ("dull", "", "Its crystals interlock."):
        teacher.says(text)
    assert write() == ("Its crystals interlock.", {"answer:dull": 1, "answer:empty": 1})
    assert len({request.pop("seed") for request in teacher.requests}) == 3
    assert teacher.requests[0] == teacher.requests[1] == teacher.requests[2]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded_and_the_last_fault_is_told(write, teacher, attempts):
    for _ in range(attempts - 1):
        teacher.says("")
    teacher.says("dull")
    error, faults = write(attempts=attempts)
    assert isinstance(error, BadTurn) and str(error) == "answer:dull"
    assert len(teacher.requests) == len({request["seed"] for request in teacher.requests}) == attempts
    assert faults == {"answer:dull": 1} | ({"answer:empty": attempts - 1} if attempts > 1 else {})


def test_a_sampling_seed_hangs_on_seed_kind_length_and_attempt_alone(write, teacher, make_seed):
    def numbers(**more):
        teacher.requests.clear()
        write(attempts=2, **more)
        return tuple(request["seed"] for request in teacher.requests)

    teacher.says("dull")
    first = numbers()
    assert all(0 <= number < 2**31 for number in first)
    assert first == numbers(messages=[{"role": "user", "content": "Why?"}])
    others = [
        numbers(kind="follow_up"),
        numbers(messages=[*ASKED, *ASKED]),
        numbers(seed=make_seed("Why does basalt last?")),
    ]
    assert len({*first, *(number for pair in others for number in pair)}) == 8


def test_the_same_text_costs_nothing_the_second_time(write, teacher):
    teacher.says("dull").says("Good.")
    assert write() == write() == ("Good.", {"answer:dull": 1})
    assert len(teacher.requests) == 2


def test_what_is_checked_and_kept_is_the_shaped_text(write, teacher):
    seen = []

    def fault(text):
        seen.append(text)
        return None if text == "granite" else "other"

    teacher.says("Basalt it is.").says("  Granite it is.")
    text, faults = write(fault=fault, shape=lambda text: text.split()[0].lower())
    assert (text, seen, faults) == ("granite", ["basalt", "granite"], {"answer:other": 1})


@pytest.mark.parametrize(
    ("on_length", "text", "reason", "left"),
    [
        ("trim", 'It lasts. It "wins." And then qua', "length", 'It lasts. It "wins."'),
        ("trim", "No sentence ends h", "length", ""),
        ("retry", "It lasts. And then qua", "length", ""),
        ("retry", "It lasts.", "length", ""),
        ("trim", "It lasts. And then qua", "stop", "It lasts. And then qua"),
        ("retry", "It lasts. And then qua", "stop", "It lasts. And then qua"),
    ],
)
def test_a_reply_that_was_cut_off(write, teacher, on_length, text, reason, left):
    teacher.says(text, finish_reason=reason).says("Whole.")
    expected = (left, {}) if left else ("Whole.", {"answer:empty": 1})
    assert write(on_length=on_length) == expected


def test_shape_is_handed_what_was_trimmed(write, teacher):
    teacher.says("It lasts. And then qua", finish_reason="length")
    assert write(on_length="trim", shape=str.upper)[0] == "IT LASTS."


def test_a_judgement_has_its_schema(judge, teacher):
    teacher.says(json.dumps({"score": 4}))
    assert judge() == ({"score": 4}, {})
    (request,) = teacher.requests
    form = request["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == SCHEMA
    assert form["json_schema"]["strict"] is True and form["json_schema"]["name"]
    assert {name: request[name] for name in SAMPLING["judge"]} == SAMPLING["judge"]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Four.",
        '{"score": 4',
        '```json\n{"score": 4}\n```',
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
def test_a_malformed_judgement_is_asked_for_again(judge, teacher, reply):
    teacher.says(reply).says('{"score": 2}')
    assert judge() == ({"score": 2}, {"judge:malformed": 1})
    assert teacher.requests[0]["seed"] != teacher.requests[1]["seed"]
    assert teacher.requests[0]["messages"] == teacher.requests[1]["messages"]


def test_permanent_garbage_is_no_judgement(judge, teacher):
    teacher.says("Five of five!")
    error, faults = judge(attempts=4)
    assert isinstance(error, BadTurn) and str(error) == "judge:malformed"
    assert faults == {"judge:malformed": 4}
    assert len({request["seed"] for request in teacher.requests}) == len(teacher.requests) == 4


def test_a_failing_teacher_is_no_fault_of_a_text(write, judge, teacher):
    """Else an outage would make the data poorer in silence."""
    teacher.sends({"error": "no"}, status=500)
    for ask in (write, judge):
        error, faults = ask()
        assert isinstance(error, TeacherError) and faults == {}
    assert len(teacher.requests) == 2


def test_a_draft_remembers_the_prompts_that_made_it(make_seed):
    made, draft, other = Scribe(None, SETTINGS), begin(make_seed(), 0), begin(make_seed(), 0)
    text = made.prompt(draft, "follow_up", request="about why", opening="Why does")
    assert text == prompts.render("follow_up", request="about why", opening="Why does")
    made.prompt(draft, "expert")
    made.prompt(draft, "expert")
    assert (draft.prompts, other.prompts) == ({"follow_up", "expert"}, set())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("<think>\nThe user asks.</think>\n\nRivers carry sand.", "Rivers carry sand."),
        ("The user asks.</think>Rivers carry sand.", "Rivers carry sand."),  # the chat template wrote the first mark
        ("<think>The user asks", ""),
        ("Rivers carry sand.", "Rivers carry sand."),
    ],
)
def test_thoughts_before_a_reply_are_no_part_of_it(reply, said):
    assert _said(reply) == said

"""Amplify-Instruct with a scripted teacher: the plan, what is asked, what is kept, what is recorded."""

import asyncio
import hashlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.rows import content_id
from workflow_scripts.synthesis import amplify, prompts
from workflow_scripts.synthesis.amplify import MOVES, Amplifier, BadTurn, plan
from workflow_scripts.synthesis.client import TeacherError

SAMPLING = {
    "follow_up": {"temperature": 0.8, "top_p": 0.95, "max_tokens": 64},
    "answer": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 112},
}
TEACHER = {"model": "m", "kind": "endpoint"}
FIRST = "Its crystals interlock, and water finds few ways in."
ANSWERS = [
    "Feldspar weathers first, quartz last.",
    "Deserts keep granite domes for ages.",
    "Ice splits what rain spares.",
]
REST = ["granite last longer there?", "crystals of feldspar fail?", "domes of granite in deserts split?"]


def settings_for(count=3, **more):
    exchanges = [{"count": count, "weight": 1}]
    return {"exchanges": exchanges, "random_seed": 0, "attempts": 2, "cut_off": "trim", "sampling": SAMPLING, **more}


class Script:
    """Answers in order with texts, (text, finish_reason) pairs, or errors to raise; keeps what it was asked."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.asked = []

    async def __call__(self, messages, sampling, seed):
        self.asked.append((messages, sampling, seed))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        text, reason = reply if isinstance(reply, tuple) else (reply, "stop")
        return {"text": text, "finish_reason": reason, "prompt_tokens": 1, "completion_tokens": 1}


@pytest.fixture
def seed(make_seed):
    return make_seed(response=FIRST, domain="Geology")


def grow(seed, *replies, prefill=False, **options):
    script = Script(*replies)
    amplifier = Amplifier(script, settings_for(**options), TEACHER, prefill)
    row = asyncio.run(amplifier.grow(seed))
    assert not script.replies  # nothing was asked for in vain
    return row, script, amplifier


def questions(seed, count=3):
    """Good follow-ups: the words that the plan drew, and a rest that refers to the conversation."""
    return [f"{step.opening} {rest}" for step, rest in zip(plan(seed["id"], settings_for(count)), REST, strict=False)]


@given(st.text(), st.integers(2, 8), st.integers())
def test_a_plan_repeats_no_move_and_comes_from_the_seed_alone(seed_id, count, random_seed):
    settings = settings_for(count, random_seed=random_seed)
    steps = plan(seed_id, settings)
    assert len({step.move for step in steps}) == len(steps) == count - 1
    assert all(step.opening in MOVES[step.move]["openings"] for step in steps)
    assert plan(seed_id, settings) == steps


def test_plans_differ_between_seeds_and_use_every_move():
    steps = [step for n in range(300) for step in plan(f"{n:016x}", settings_for(3))]
    assert set(MOVES) == {step.move for step in steps}
    assert min(Counter(step.move for step in steps).values()) > 600 / len(MOVES) / 2
    assert {step.opening for step in steps} == {words for move in MOVES.values() for words in move["openings"]}
    assert plan("a", settings_for(8)) != plan("a", settings_for(8, random_seed=1))


def test_numbers_of_exchanges_follow_their_weights():
    settings = settings_for() | {"exchanges": [{"count": 3, "weight": 0.62}, {"count": 4, "weight": 0.38}]}
    counts = Counter(len(plan(f"{n:016x}", settings)) + 1 for n in range(2000))
    assert set(counts) == {3, 4}
    assert counts[3] / 2000 == pytest.approx(0.62, abs=0.04)


def test_the_longest_conversation_that_the_config_allows_can_be_planned(config):
    from workflow_scripts.config.check import mistakes

    config["synthesis"]["exchanges"] = [{"count": 8, "weight": 1}]
    assert mistakes(config, ["config.yaml"]) == []
    assert len(plan("a", settings_for(8))) == 7


def test_a_seed_grows_as_planned(seed):
    first, second = questions(seed)
    row, script, _ = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    assert row["conversation"] == [
        {"input": seed["instruction"], "output": FIRST},
        {"input": first, "output": ANSWERS[0]},
        {"input": second, "output": ANSWERS[1]},
    ]
    assert row["id"] == content_id(row["conversation"])
    assert [sampling for _, sampling, _ in script.asked] == [SAMPLING["follow_up"], SAMPLING["answer"]] * 2


def test_what_the_teacher_is_asked(seed):
    first, second = questions(seed)
    _, script, _ = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    follow_up, answer = script.asked[2][0], script.asked[3][0]
    step = plan(seed["id"], settings_for())[1]
    talk = [seed["instruction"], FIRST, first, ANSWERS[0]]
    assert [message["content"] for message in follow_up[:-1]] == talk
    assert [message["role"] for message in follow_up] == ["user", "assistant", "user", "assistant", "user"]
    assert MOVES[step.move]["request"] in follow_up[-1]["content"]
    assert step.opening in follow_up[-1]["content"]
    assert answer[0] == {"role": "system", "content": prompts.render("expert")}
    assert [message["content"] for message in answer[1:]] == [*talk, second]


def test_every_request_has_its_own_random_seed_and_always_the_same(seed, make_seed):
    first, second = questions(seed)
    numbers = [[seed for _, _, seed in grow(seed, first, ANSWERS[0], second, ANSWERS[1])[1].asked] for _ in range(2)]
    assert numbers[0] == numbers[1]
    assert len(set(numbers[0])) == 4
    assert all(0 <= number < 2**31 for number in numbers[0])


def test_a_seed_without_an_answer_gets_the_teachers(make_seed):
    seed = make_seed("Summarise it.", context="A long essay about granite.", kind="post")
    (question,) = questions(seed, 2)
    row, script, _ = grow(seed, FIRST, question, ANSWERS[0], count=2)
    assert row["conversation"][0] == {"input": "Summarise it.\n\nA long essay about granite.", "output": FIRST}
    assert row["provenance"]["first_answer"] == "teacher"
    assert script.asked[0][1] == SAMPLING["answer"]


def test_a_bad_turn_is_tried_again_with_another_random_seed(seed):
    (question,) = questions(seed, 2)
    bad = question.replace("?", ".")
    row, script, amplifier = grow(seed, bad, question, "I'm sorry, but I can't.", ANSWERS[0], count=2)
    assert row["conversation"][1] == {"input": question, "output": ANSWERS[0]}
    (messages, _, number), (messages_again, _, number_again) = script.asked[:2]
    assert messages == messages_again
    assert number != number_again
    assert amplifier.faults == {"follow_up:no_question": 1, "answer:refusal": 1}
    assert row["provenance"]["stopped"] is None


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["Hm.", "Hm."], "follow_up:off_move"),
        (["{second}", "", ""], "answer:empty"),
    ],
)
def test_what_is_good_stays_and_the_row_tells_why_it_ends(seed, replies, reason):
    first, second = questions(seed)
    replies = [reply.format(second=second) if isinstance(reply, str) else reply for reply in replies]
    row, _, _ = grow(seed, first, ANSWERS[0], *replies)
    assert [exchange["output"] for exchange in row["conversation"]] == [FIRST, ANSWERS[0]]
    assert row["provenance"]["stopped"] == reason
    assert row["provenance"]["moves"] == [plan(seed["id"], settings_for())[0].move]


def test_fewer_than_two_exchanges_are_no_conversation(seed, make_seed):
    with pytest.raises(BadTurn, match=r"^follow_up:off_move$"):
        grow(seed, "Hm.", "Hm.")
    with pytest.raises(BadTurn, match=r"^answer:refusal$"):
        grow(make_seed(), *["I cannot help with it."] * 2)
    with pytest.raises(TeacherError, match="no connection"):
        grow(seed, TeacherError("no connection"))


@pytest.mark.parametrize("whole", [True, False], ids=["whole message", "continuation"])
def test_a_begun_follow_up_is_put_together(seed, whole):
    """vLLM and llama.cpp give what they added to the begun message, other servers the whole of it."""
    step = plan(seed["id"], settings_for(2))[0]
    reply = f"{step.opening} {REST[0]}" if whole else f" {REST[0]}"
    row, script, _ = grow(seed, f"{reply} And why does it matter?", ANSWERS[0], prefill=True, count=2)
    assert row["conversation"][1]["input"] == f"{step.opening} {REST[0]}"
    assert script.asked[0][0][-1] == {"role": "assistant", "content": step.opening}
    assert script.asked[1][0][-1]["role"] == "user"


def test_without_prefill_nothing_is_put_into_the_teachers_mouth(seed):
    (question,) = questions(seed, 2)
    row, script, _ = grow(seed, f'"{question}"', ANSWERS[0], count=2)
    assert row["conversation"][1]["input"] == question
    assert script.asked[0][0][-1]["role"] == "user"


def test_an_answer_that_was_cut_off_keeps_its_whole_sentences(seed):
    (question,) = questions(seed, 2)
    row, _, _ = grow(seed, question, (f"{ANSWERS[0]} And then qua", "length"), count=2)
    assert row["conversation"][1]["output"] == ANSWERS[0]
    row, _, _ = grow(seed, question, ("No sentence ends here", "length"), ANSWERS[1], count=2)
    assert row["conversation"][1]["output"] == ANSWERS[1]


def test_or_is_asked_for_again(seed):
    (question,) = questions(seed, 2)
    cut_off = (f"{ANSWERS[0]} And then qua", "length")
    row, _, amplifier = grow(seed, question, cut_off, ANSWERS[1], count=2, cut_off="retry")
    assert row["conversation"][1]["output"] == ANSWERS[1]
    assert amplifier.faults == {"answer:empty": 1}


def test_provenance_is_complete(seed):
    first, second = questions(seed)
    row, _, _ = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    folder = Path(prompts.__file__).parent
    assert row["source"] == "Airoboros"
    assert row["provenance"] == {
        "seed": seed["id"],
        "dataset": "a/b",
        "revision": "c0ffee",
        "license": "MIT",
        "kind": "instruction",
        "domain": "Geology",
        "techniques": [amplify.TECHNIQUE],
        "moves": [step.move for step in plan(seed["id"], settings_for())],
        "first_answer": "seed",
        "stopped": None,
        "teacher": TEACHER,
        "prompts": {
            name: hashlib.sha256((folder / f"{name}.jinja").read_bytes()).hexdigest()[:16]
            for name in ("expert", "follow_up")
        },
        "sampling": SAMPLING,
    }


def good_exchange(seed):
    """A follow-up as drawn for the seed, and its answer."""
    return f"{plan(seed['id'], settings_for())[0].opening} {REST[0]}", ANSWERS[0]


def test_an_outage_is_no_short_conversation(seed):
    """Else the data would depend on when the teacher failed."""
    with pytest.raises(TeacherError, match="no connection"):
        grow(seed, *good_exchange(seed), TeacherError("no connection"))

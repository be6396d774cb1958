"""Amplify-Instruct: the plan, the requests, the turns kept, and when a conversation ends."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.quality import follow_up_fault
from workflow_scripts.synthesis.techniques.amplify import MOVES, Amplify, sample_moves
from workflow_scripts.teacher.errors import TeacherError

BY_NAME = {move["name"]: move for move in MOVES}
SYNTHESIS = yaml.safe_load(Path("rules/schemas/config.schema.yaml").read_text())["properties"]["synthesis"]
FIRST = "Its crystals interlock, and water finds few ways in."
ANSWERS = [
    "Feldspar weathers first, quartz last.",
    "Deserts keep granite domes for ages.",
    "Ice splits what rain spares.",
]
REST = ["granite last longer there?", "crystals of feldspar fail?", "domes of granite in deserts split?"]
POST = {"instruction": "Summarise it.", "context": "A long essay about granite.", "kind": "post"}


def just(count):
    return [{"count": count, "weight": 1}]


def drawn(seed_id, count=3, places=(), random_seed=0):
    draft = begin_draft({"id": seed_id, "instruction": "", "context": "", "response": ""}, random_seed)
    return sample_moves(draft, count if isinstance(count, list) else just(count), list(places))


def many(number, *args):
    return [drawn(f"{n:016x}", *args) for n in range(number)]


@pytest.fixture
def seed(make_seed):
    return make_seed(response=FIRST, domain="Geology")


@pytest.fixture
def grow(apply):
    """A function that amplifies a seed to `count` exchanges with these replies."""

    def run(seed, *replies, count=3, moves=(), **options):
        return apply(Amplify(), seed, *replies, exchanges=just(count), moves=list(moves), **options)

    return run


def questions(seed, count=3):
    """Valid follow-ups: the drawn openings, continued with a reference to the conversation."""
    return [f"{move.opening} {rest}" for move, rest in zip(drawn(seed["id"], count), REST, strict=False)]


# The plan.


@given(st.text(), st.integers(2, 10), st.integers())
def test_a_plan_repeats_no_move_and_depends_only_on_the_seeds_id(seed_id, count, random_seed):
    moves = drawn(seed_id, count, (), random_seed)
    assert len({move.name for move in moves}) == len(moves) == count - 1
    for move in moves:
        assert move.opening in BY_NAME[move.name]["openings"]
        assert move.request == BY_NAME[move.name]["request"]
    assert drawn(seed_id, count, (), random_seed) == moves


def test_a_plan_does_not_depend_on_other_fields_or_other_seeds(make_seed):
    seed = make_seed()
    alone = sample_moves(begin_draft(seed, 0), just(8), [])
    other = {**seed, "instruction": "What?", "context": "Text.", "response": "So.", "license": "CC0-1.0", "skills": []}
    both = [begin_draft(other, 0), begin_draft(make_seed("Why does basalt crack?"), 0)]
    plans = [sample_moves(draft, just(8), []) for draft in reversed(both)]
    assert plans[1] == alone != plans[0]
    assert sample_moves(begin_draft(seed, 1), just(8), []) != alone


def test_moves_and_openings_are_drawn_uniformly():
    moves = [move for moves in many(600) for move in moves]
    assert set(BY_NAME) == {move.name for move in moves}
    counts = Counter(move.name for move in moves)
    assert min(counts.values()) > len(moves) / len(MOVES) * 0.7
    assert {move.opening for move in moves} == {opening for move in MOVES for opening in move["openings"]}


def test_numbers_of_exchanges_follow_their_weights():
    exchanges = [{"count": 3, "weight": 6.2}, {"count": 4, "weight": 3.8}]
    counts = Counter(len(moves) + 1 for moves in many(2000, exchanges))
    assert set(counts) == {3, 4}
    assert counts[3] / 2000 == pytest.approx(0.62, abs=0.04)


def test_moves_follow_the_weights_of_their_place():
    places = [{"from": 1, "weights": {"deepen": 4, "compare": 0.25}}, {"from": 3, "weights": {"challenge": 10}}]
    plans = many(3000, 5, places)
    at = [Counter(moves[place].name for moves in plans) for place in range(4)]
    assert at[0]["deepen"] / 3000 == pytest.approx(4 / 12.25, abs=0.03)
    assert at[0]["compare"] / 3000 == pytest.approx(0.25 / 12.25, abs=0.01)
    assert at[0]["challenge"] / 3000 == pytest.approx(1 / 12.25, abs=0.02)
    late = [moves for moves in plans if "challenge" not in {move.name for move in moves[:2]}]
    # Two others were drawn before: challenge weighs 10 among seven that weigh 1.
    assert sum(moves[2].name == "challenge" for moves in late) / len(late) == pytest.approx(10 / 17, abs=0.04)
    later = [moves for moves in late if moves[2].name != "challenge"]
    assert sum(moves[3].name == "challenge" for moves in later) / len(later) == pytest.approx(10 / 16, abs=0.05)


def test_before_the_first_entry_all_moves_weigh_the_same():
    plans = many(500, 3, [{"from": 2, "weights": {"connect": 1e9}}])
    assert {moves[1].name for moves in plans if moves[0].name != "connect"} == {"connect"}
    assert {moves[0].name for moves in plans} == set(BY_NAME)


def test_the_longest_conversation_of_the_schema_can_be_planned():
    maximum = SYNTHESIS["properties"]["exchanges"]["items"]["properties"]["count"]["maximum"]
    assert len({move.name for move in drawn("a", maximum)}) == maximum - 1


def test_a_plan_does_not_depend_on_replies(grow, seed):
    first, second = questions(seed)
    smooth = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    rough = grow(seed, "Hm.", first, "", ANSWERS[0], second, ANSWERS[1])
    assert rough.draft.exchanges == smooth.draft.exchanges and rough.step == smooth.step


# The moves.


def test_the_schema_lists_all_moves():
    names = [move["name"] for move in MOVES]
    known = SYNTHESIS["properties"]["moves"]["items"]["properties"]["weights"]["propertyNames"]["enum"]
    assert names == known and len(set(names)) == len(names)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move["name"])
def test_a_move_is_well_formed(move):
    assert set(move) == {"name", "request", "openings"}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", move["name"])
    assert re.match(r"(about|that) [a-z]", move["request"])  # "one short follow-up question ..."
    assert move["request"][-1].isalpha() and "\n" not in move["request"]
    assert len(move["openings"]) >= 2


@pytest.mark.parametrize("opening", [opening for move in MOVES for opening in move["openings"]])
def test_a_question_can_follow_every_opening(opening):
    assert sum(opening in move["openings"] for move in MOVES) == 1
    assert re.fullmatch(r"[A-Z][\w' ,-]*[\w,]", opening)  # no sentence end, no quotation marks, no outer spaces
    assert 2 <= len(opening.split()) <= 7
    # The next token of a model begins with a space.
    conversation = [{"input": "Why does granite erode?", "output": FIRST}]
    assert follow_up_fault(f"{opening} granite in the desert lasts?", conversation, opening) is None
    assert opening in prompts.render("follow_up", request="about why", opening=opening)


# The conversation.


def test_it_fits_every_seed(make_seed):
    assert Amplify().fits(make_seed()) and Amplify().fits(make_seed(**POST))


def test_a_seed_is_amplified_as_planned(grow, seed):
    first, second = questions(seed)
    work = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    assert work.draft.exchanges == [
        {"input": seed["instruction"], "output": FIRST},
        {"input": first, "output": ANSWERS[0]},
        {"input": second, "output": ANSWERS[1]},
    ]
    assert work.kinds == ["follow_up", "answer"] * 2
    assert work.step == {"name": "amplify", "planned": 3, "moves": [move.name for move in drawn(seed["id"])]}
    assert work.draft.stopped is None and work.faults == {}
    assert work.draft.prompts == {"expert", "follow_up"}


def test_the_messages_of_requests(grow, seed):
    first, second = questions(seed)
    work = grow(seed, first, ANSWERS[0], second, ANSWERS[1])
    follow_up, answer = (work.requests[place]["messages"] for place in (2, 3))
    talk = [seed["instruction"], FIRST, first, ANSWERS[0]]
    assert [message["content"] for message in follow_up[:-1]] == talk
    assert [message["role"] for message in follow_up] == ["user", "assistant", "user", "assistant", "user"]
    move = drawn(seed["id"])[1]
    assert move.request in follow_up[-1]["content"] and move.opening in follow_up[-1]["content"]
    assert answer[0] == {"role": "system", "content": prompts.render("expert")}
    assert [message["content"] for message in answer[1:]] == [*talk, second]


def test_every_request_has_a_reproducible_sampling_seed_of_its_own(grow, seed):
    first, second = questions(seed)
    numbers = [
        [request["seed"] for request in grow(seed, first, ANSWERS[0], second, ANSWERS[1]).requests] for _ in range(2)
    ]
    assert numbers[0] == numbers[1] and len(set(numbers[0])) == 4


def test_a_seeds_answer_is_kept_unchanged(grow, make_seed):
    """It has passed the cleaning; the checks of generated answers do not apply to it."""
    seed = make_seed(response="I cannot say, see https://example.org/granite.")
    work = grow(seed, f"{drawn(seed['id'])[0].opening} granite last?", ANSWERS[0], count=2)
    assert work.draft.exchanges[0]["output"] == seed["response"]


def test_a_posts_first_answer_is_generated(grow, make_seed):
    seed = make_seed(**POST)
    (question,) = questions(seed, 2)
    work = grow(seed, "I'm sorry, but I can't.", FIRST, question, ANSWERS[0], count=2)
    assert work.draft.exchanges[0] == {"input": "Summarise it.\n\nA long essay about granite.", "output": FIRST}
    assert work.kinds == ["answer", "answer", "follow_up", "answer"]
    assert work.requests[0]["messages"] == [
        {"role": "system", "content": prompts.render("expert")},
        {"role": "user", "content": "Summarise it.\n\nA long essay about granite."},
    ]
    assert work.faults == {"answer:refusal": 1}


def test_the_opening_is_that_of_earlier_techniques(grow, seed):
    draft = begin_draft(seed, 0)
    draft.instruction, draft.context, draft.answer = "Why does basalt crack?", "A map.", ""
    draft.system = "You teach geology to children."
    question = f"{drawn(seed['id'])[0].opening} crystals interlock there?"
    work = grow(seed, FIRST, question, ANSWERS[0], count=2, draft=draft)
    assert work.draft.exchanges[0] == {"input": "Why does basalt crack?\n\nA map.", "output": FIRST}
    for place in (0, 2):
        assert work.requests[place]["messages"][0] == {"role": "system", "content": draft.system}
    assert work.draft.prompts == {"follow_up"}
    assert all(draft.system not in message for exchange in draft.exchanges for message in exchange.values())


def test_an_answer_that_copies_the_question_is_retried(grow, make_seed):
    seed = make_seed("Why does granite erode so slowly in the desert?")
    work = grow(seed, seed["instruction"], FIRST, questions(seed, 2)[0], questions(seed, 2)[0], ANSWERS[0], count=2)
    assert [exchange["output"] for exchange in work.draft.exchanges] == [FIRST, ANSWERS[0]]
    assert work.faults == {"answer:near_copy": 2}


def test_an_invalid_turn_is_retried(grow, seed):
    (question,) = questions(seed, 2)
    work = grow(seed, question.replace("?", "."), question, "I'm sorry, but I can't.", ANSWERS[0], count=2)
    assert work.draft.exchanges[1] == {"input": question, "output": ANSWERS[0]}
    assert work.requests[0]["messages"] == work.requests[1]["messages"]
    assert work.requests[0]["seed"] != work.requests[1]["seed"]
    assert work.faults == {"follow_up:no_question": 1, "answer:refusal": 1}
    assert work.draft.stopped is None


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["Hm.", "Hm."], "follow_up:off_move"),
        (["Great point! Why?", "Hm."], "follow_up:off_move"),
        (["Hm.", "Great point! Why?"], "follow_up:praise"),
        (["{second}", "", ""], "answer:empty"),
    ],
)
def test_valid_exchanges_are_kept_and_the_draft_states_why_it_ended(grow, seed, replies, reason):
    first, second = questions(seed, 3)
    work = grow(seed, first, ANSWERS[0], *(reply.format(second=second) for reply in replies), count=4)
    assert work.error is None
    assert [exchange["output"] for exchange in work.draft.exchanges] == [FIRST, ANSWERS[0]]
    assert work.draft.stopped == reason
    assert work.step == {"name": "amplify", "planned": 4, "moves": [drawn(seed["id"], 4)[0].name]}


def test_fewer_than_two_exchanges_are_a_bad_turn(grow, seed, make_seed):
    for work, reason in [
        (grow(seed, "Hm.", "Hm."), "follow_up:off_move"),
        (grow(seed, questions(seed)[0], "", ""), "answer:empty"),
        (grow(make_seed(), *["I cannot help with it."] * 2), "answer:refusal"),
    ]:
        assert isinstance(work.error, BadTurn) and str(work.error) == reason
        assert work.draft.steps == []


@pytest.mark.parametrize("good", range(4))
def test_an_outage_does_not_shorten_a_conversation(with_generator, teacher, seed, good):
    """Otherwise the data would depend on when the teacher failed."""
    first, second = questions(seed)
    replies = [first, ANSWERS[0], second, ANSWERS[1]][:good]
    draft = begin_draft(seed, 0)

    async def use(generator):
        teacher.sends({"error": "no"}, status=500)
        await Amplify().apply(draft, generator)

    with pytest.raises(TeacherError):
        with_generator(use, *replies, exchanges=just(3), moves=[])
    assert len(teacher.requests) == good + 1
    assert draft.stopped is None and draft.steps == []


# Follow-ups begun with their opening (prefill).


@pytest.mark.parametrize("complete", [True, False], ids=["complete message", "continuation"])
def test_a_prefilled_follow_up_is_assembled(grow, seed, complete):
    """vLLM and llama.cpp return the continuation of the message, other servers the complete message."""
    move = drawn(seed["id"], 2)[0]
    reply = f"{move.opening} {REST[0]}" if complete else f" {REST[0]}"
    work = grow(seed, f"{reply} And why does it matter?", ANSWERS[0], prefill=True, count=2)
    assert work.draft.exchanges[1]["input"] == f"{move.opening} {REST[0]}"
    begun, answer = work.requests
    assert begun["messages"][-1] == {"role": "assistant", "content": move.opening}
    assert begun["continue_final_message"] is True and begun["add_generation_prompt"] is False
    assert answer["messages"][-1]["role"] == "user" and "continue_final_message" not in answer


def test_an_opening_without_continuation_is_empty(grow, seed):
    work = grow(seed, "", f" {REST[0]}", ANSWERS[0], prefill=True, count=2)
    assert work.faults == {"follow_up:empty": 1}


def test_without_prefill_the_last_message_is_the_users(grow, seed):
    (question,) = questions(seed, 2)
    work = grow(seed, f'"{question}"', ANSWERS[0], count=2)
    assert work.draft.exchanges[1]["input"] == question
    assert work.requests[0]["messages"][-1]["role"] == "user"
    assert "continue_final_message" not in work.requests[0]

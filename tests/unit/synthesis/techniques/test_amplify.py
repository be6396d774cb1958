"""Amplify-Instruct: the requests, the turns kept, the moves replaced, and when a conversation ends."""

import pytest

from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.plan import MOVES, Draws
from workflow_scripts.synthesis.request_kinds import KINDS
from workflow_scripts.synthesis.techniques.amplify import Amplify, opening_words, terms_of
from workflow_scripts.teacher.errors import TeacherError

FIRST = "Its crystals interlock, and water finds few ways in."
ANSWERS = [
    "Feldspar weathers first, quartz last.",
    "Deserts keep granite domes for ages.",
    "Ice splits what rain spares.",
]
QUESTIONS = [
    "How do interlocking crystals keep the water out?",
    "Explain why feldspar weathers before quartz.",
    "Describe a desert in which crystals of granite split.",
]
POST = {"instruction": "Summarise it.", "context": "A long essay about granite.", "kind": "post"}
LENGTHS = {"min_chars": 10, "max_chars": 260}
TURNS = [text for pair in zip(QUESTIONS, ANSWERS, strict=True) for text in pair]


def just(count):
    return [{"count": count, "weight": 1}]


def planned(seed, count=3, **options):
    """The follow-ups of a seed whose moves all succeed."""
    used, plans = [], []
    for number in range(1, count):
        plans.append(Draws(seed["id"], 0).follow_up(number, count - 1, 0, "explanation", None, used, options))
        used.append(plans[-1].move)
    return plans


@pytest.fixture
def seed(make_seed):
    return make_seed(response=FIRST)


@pytest.fixture
def grow(apply):
    """A function that amplifies a seed to `count` exchanges with these replies."""

    def run(seed, *replies, count=3, replacements=0, judge=False, target_chars=None, **options):
        follow_ups = {**LENGTHS, "replacements": replacements, "judge": judge}
        answers = {"target_chars": target_chars}
        return apply(
            Amplify(), seed, *replies, exchanges=just(count), follow_ups=follow_ups, answers=answers, **options
        )

    return run


def test_it_fits_every_seed(make_seed):
    assert Amplify().fits(make_seed()) and Amplify().fits(make_seed(**POST))


def test_a_seed_is_amplified_as_planned(grow, seed):
    work = grow(seed, *TURNS[:4])
    assert work.draft.exchanges == [
        {"input": seed["instruction"], "output": FIRST},
        {"input": QUESTIONS[0], "output": ANSWERS[0]},
        {"input": QUESTIONS[1], "output": ANSWERS[1]},
    ]
    assert work.kinds == ["follow_up", "answer"] * 2
    plans = planned(seed)
    assert work.step == {
        "name": "amplify",
        "planned": 3,
        "kind": "explanation",
        "moves": [plan.move for plan in plans],
        "forms": [f"recap {plan.form}" if plan.recap else plan.form for plan in plans],
        "replaced": [],
    }
    assert work.draft.stopped is None and work.faults == {}
    assert work.draft.prompts == {"expert", "follow_up"}


@pytest.mark.parametrize("seed_id", range(12))
def test_the_messages_of_requests(grow, make_seed, seed_id):
    seed = {**make_seed(response=FIRST), "id": f"{seed_id:016x}"}
    work = grow(seed, *TURNS[:4])
    follow_up, answer = (work.requests[place]["messages"] for place in (2, 3))
    talk = [seed["instruction"], FIRST, QUESTIONS[0], ANSWERS[0]]
    assert [message["content"] for message in follow_up[:-1]] == talk
    assert [message["role"] for message in follow_up] == ["user", "assistant", "user", "assistant", "user"]
    plan, prompt = planned(seed)[1], follow_up[-1]["content"]
    assert plan.request in prompt and Draws(seed["id"], 0).persona() in prompt and "It is the last follow-up" in prompt
    assert (f'introduced by "{plan.recap}"' in prompt) == (plan.recap is not None)
    assert ("an instruction" in prompt) == (plan.form != "question")
    assert not any(opening in prompt for opening in plan.openings)
    assert answer[0] == {"role": "system", "content": prompts.render("expert", kind=plan.answer or "explanation")}
    assert [message["content"] for message in answer[1:]] == [*talk, QUESTIONS[1]]


def test_nothing_is_cut_from_a_follow_up(grow, seed):
    text = "How do crystals keep the water out? Explain it for feldspar and for quartz."
    assert grow(seed, text, ANSWERS[0], count=2).draft.exchanges[1]["input"] == text


def test_every_request_has_a_reproducible_sampling_seed_of_its_own(grow, seed):
    numbers = [[request["seed"] for request in grow(seed, *TURNS[:4]).requests] for _ in range(2)]
    assert numbers[0] == numbers[1] and len(set(numbers[0])) == 4


@pytest.mark.parametrize("response", ["46", "I cannot say, see https://example.org/granite."])
def test_a_seeds_answer_is_kept_unchanged(grow, make_seed, response):
    """It has passed the cleaning; the checks of generated answers do not apply to it."""
    question = "How does granite erode in a wet climate, and how in a desert?"
    work = grow(make_seed(response=response), question, ANSWERS[0], count=2)
    assert work.draft.exchanges[0]["output"] == response


def test_a_posts_first_answer_is_generated(grow, make_seed):
    seed = make_seed(**POST)
    work = grow(seed, "I'm sorry, but I can't help with that request.", FIRST, QUESTIONS[0], ANSWERS[0], count=2)
    assert work.draft.exchanges[0] == {"input": "A long essay about granite.\n\nSummarise it.", "output": FIRST}
    assert work.kinds == ["answer", "answer", "follow_up", "answer"]
    assert work.requests[0]["messages"] == [
        {"role": "system", "content": prompts.render("expert", kind="summary")},
        {"role": "user", "content": "A long essay about granite.\n\nSummarise it."},
    ]
    assert work.faults == {"answer:refusal": 1}


def test_a_known_result_is_explained(grow, make_seed):
    work = grow(make_seed(meta={"reference": "quartz"}), FIRST, QUESTIONS[0], ANSWERS[0], count=2)
    systems = [work.requests[place]["messages"][0]["content"] for place in (0, 2)]
    assert "known to be: quartz" in systems[0] and "quartz" not in systems[1]


def test_the_opening_is_that_of_earlier_techniques(grow, seed):
    draft = begin_draft(seed, 0)
    draft.instruction, draft.context, draft.answer = "Why does basalt crack?", "A map.", ""
    draft.opening, draft.preface = "evol_instruct", "Explain it to children."
    work = grow(seed, FIRST, QUESTIONS[0], ANSWERS[0], count=2, draft=draft)
    asked = "Explain it to children.\n\nWhy does basalt crack?\n\nA map."
    assert work.draft.exchanges[0] == {"input": asked, "output": FIRST}
    assert work.draft.prompts == {"expert", "follow_up"}


def test_a_technique_s_opening_aims_at_the_mean_of_all_and_a_preface_at_no_layout(grow, seed):
    draft = begin_draft({**seed, "source": "EverythingLM"}, 0)
    draft.answer, draft.opening, draft.preface = "", "evol_instruct", "Explain it to children."
    work = grow(seed, FIRST, QUESTIONS[0], ANSWERS[0], count=2, draft=draft, target_chars="source")
    assert f"Write about {Draws(seed['id'], 0).answer_shape(1, 1520)['words']} words" in work.prompts[0]
    assert "prose and no list" not in work.prompts[0] and "numbered list" not in work.prompts[0]


# Answers by kind, with a target length.


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("Write a Python function that sorts crystals.", "code"),
        ("Calculate how many crystals of 2 mm fit into 10 mm.", "mathematics"),
        ("Write a poem about crystals.", "creative"),
        ("You are a geologist. Answer in character: what is granite?", "role_play"),
    ],
)
def test_the_first_answer_is_asked_for_by_kind(grow, make_seed, instruction, kind):
    work = grow(make_seed(instruction), FIRST, QUESTIONS[0], ANSWERS[0], count=2)
    assert work.requests[0]["messages"][0]["content"] == prompts.render("expert", kind=kind)
    assert work.step["kind"] == kind


def test_the_words_of_a_follow_up_decide_the_kind_of_its_answer(grow, seed):
    question = "Write a poem about the crystals of granite and the water around them."
    work = grow(seed, question, ANSWERS[0], count=2)
    expected = planned(seed, 2)[0].answer or "creative"
    assert work.requests[1]["messages"][0]["content"] == prompts.render("expert", kind=expected)


@pytest.mark.parametrize(("source", "mean"), [("EverythingLM", 1921), ("GPT4LLM", 1338), ("Mine", 1520)])
def test_answers_aim_at_the_length_of_the_source(grow, make_seed, source, mean):
    seed = make_seed(response=FIRST, source=source)
    work = grow(seed, *TURNS[:2], count=2, target_chars="source")
    shape = Draws(seed["id"], 0).answer_shape(2, mean)
    assert f"Write about {shape['words']} words and finish within {shape['limit']} words." in work.prompts[1]
    assert ("numbered list" in work.prompts[1]) == (shape["layout"] == "list")
    assert work.draft.prompts == {"expert", "follow_up", "answer_shape"}


# Invalid turns.


def test_an_answer_that_copies_the_question_is_retried(grow, make_seed):
    seed = make_seed("Why does granite erode so slowly in the desert?")
    work = grow(seed, seed["instruction"], FIRST, QUESTIONS[0], QUESTIONS[0], ANSWERS[0], count=2)
    assert [exchange["output"] for exchange in work.draft.exchanges] == [FIRST, ANSWERS[0]]
    assert work.faults == {"answer:near_copy": 2}


def test_an_invalid_turn_is_retried(grow, seed):
    work = grow(
        seed, f'"{QUESTIONS[0]}"', QUESTIONS[0], "I'm sorry, but I can't help with that request.", ANSWERS[0], count=2
    )
    assert work.draft.exchanges[1] == {"input": QUESTIONS[0], "output": ANSWERS[0]}
    assert work.requests[0]["messages"] == work.requests[1]["messages"]
    assert work.requests[0]["seed"] != work.requests[1]["seed"]
    assert work.faults == {"follow_up:quoted": 1, "answer:refusal": 1}
    assert work.draft.stopped is None and work.step["replaced"] == []


def test_a_failed_move_is_replaced_before_the_conversation_ends(grow, seed):
    work = grow(seed, "Hm.", "Hm.", *TURNS[:2], count=2, replacements=1)
    assert [exchange["output"] for exchange in work.draft.exchanges] == [FIRST, ANSWERS[0]]
    (failed,) = work.step["replaced"]
    (move,) = work.step["moves"]
    assert failed == {"move": planned(seed, 2)[0].move, "fault": "follow_up:too_short"} and move != failed["move"]
    assert work.requests[0]["messages"][-1] != work.requests[2]["messages"][-1]
    assert work.draft.stopped is None


def test_a_move_whose_answer_fails_is_replaced(grow, seed):
    work = grow(seed, QUESTIONS[0], "", "", QUESTIONS[2], ANSWERS[0], count=2, replacements=2)
    assert work.draft.exchanges[1] == {"input": QUESTIONS[2], "output": ANSWERS[0]}
    assert [row["fault"] for row in work.step["replaced"]] == ["answer:empty"]


def test_replacements_are_limited(grow, seed):
    work = grow(seed, *["Hm."] * 6, count=2, replacements=2)
    assert isinstance(work.error, BadTurn) and work.faults == {"follow_up:too_short": 6}


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["Hm.", "Hm."], "follow_up:too_short"),
        (["Hm.", "Great point! Why do they?"], "follow_up:praise"),
        ([QUESTIONS[1], "", ""], "answer:empty"),
    ],
)
def test_valid_exchanges_are_kept_and_the_draft_states_why_it_ended(grow, seed, replies, reason):
    work = grow(seed, *TURNS[:2], *replies, count=4)
    assert work.error is None
    assert [exchange["output"] for exchange in work.draft.exchanges] == [FIRST, ANSWERS[0]]
    assert work.draft.stopped == reason
    assert (work.step["planned"], work.step["moves"]) == (4, [planned(seed, 4)[0].move])


def test_fewer_than_two_exchanges_are_a_bad_turn(grow, seed, make_seed):
    for work, reason in [
        (grow(seed, "Hm.", "Hm."), "follow_up:too_short"),
        (grow(seed, QUESTIONS[0], "", ""), "answer:empty"),
        (grow(make_seed(), *["I cannot help with that request."] * 2), "answer:refusal"),
    ]:
        assert isinstance(work.error, BadTurn) and str(work.error) == reason
        assert work.draft.steps == []


@pytest.mark.parametrize("good", range(4))
def test_an_outage_does_not_shorten_a_conversation(with_generator, teacher, seed, good):
    """Otherwise the data would depend on when the teacher failed."""
    draft = begin_draft(seed, 0)

    async def use(generator):
        teacher.sends({"error": "no"}, status=500)
        await Amplify().apply(draft, generator)

    with pytest.raises(TeacherError):
        with_generator(use, *TURNS[:good], exchanges=just(3))
    assert len(teacher.requests) == good + 1
    assert draft.stopped is None and draft.steps == []


# The optional judge of follow-ups.


def test_a_follow_up_that_the_judge_rejects_is_replaced(grow, seed):
    fits = {"fits_move": True, "asks_something_new": True}
    replies = [QUESTIONS[0], fits | {"asks_something_new": False}, QUESTIONS[1], fits, ANSWERS[0]]
    seed["response"] = f"{FIRST} {ANSWERS[0]}"
    replies[-1] = ANSWERS[1]
    work = grow(seed, *replies, count=2, replacements=1, judge=True)
    assert work.draft.exchanges[1] == {"input": QUESTIONS[1], "output": ANSWERS[1]}
    assert work.kinds == ["follow_up", "judge", "follow_up", "judge", "answer"]
    assert work.faults == {"follow_up:nothing_new": 1} and work.step["replaced"][0]["fault"] == "follow_up:nothing_new"
    assert QUESTIONS[0] in work.prompts[1] and planned(seed, 2)[0].request in work.prompts[1]


# Opening words for small teachers (prefill).


def test_opening_words_name_a_term_of_the_last_answer():
    answer = "Rain attacks the feldspar of the rock, and the white clay is soft. This is an idea."
    assert terms_of(answer) == ["feldspar", "rock", "white clay"]
    draws, exchange = Draws("a", 0), {"input": "Why?", "output": answer}
    plan = draws.follow_up(1, 2, 0, "explanation", None, [], {})
    opening = opening_words(plan, exchange, draws, 1)
    assert opening.startswith(plan.openings[0].removesuffix(" the")) and opening.endswith(tuple(terms_of(answer)))
    assert opening_words(plan, {"input": "Why?", "output": "46"}, draws, 1) == plan.openings[0]


@pytest.mark.parametrize("complete", [True, False], ids=["complete message", "continuation"])
def test_a_prefilled_follow_up_is_assembled(grow, seed, complete):
    """vLLM and llama.cpp return the continuation of the message, other servers the complete message."""
    plan = planned(seed, 2)[0]
    opening = opening_words(plan, {"input": seed["instruction"], "output": FIRST}, Draws(seed["id"], 0), 1)
    end = "keep the water from the crystals?"
    reply = f"{opening} {end}" if complete else f" {end}"
    work = grow(seed, f"{reply} And why does it matter?\nIt does.", ANSWERS[0], prefill=True, count=2)
    assert work.draft.exchanges[1]["input"] == f"{opening} {end}"
    begun, answer = work.requests
    assert begun["messages"][-1] == {"role": "assistant", "content": opening}
    assert f'Begin it with the words "{opening}"' in begun["messages"][-2]["content"]
    assert begun["continue_final_message"] is True and begun["add_generation_prompt"] is False
    assert answer["messages"][-1]["role"] == "user" and "continue_final_message" not in answer


def test_an_opening_without_continuation_is_empty(grow, seed):
    work = grow(seed, "", " keep the water from the crystals?", ANSWERS[0], prefill=True, count=2)
    assert work.faults == {"follow_up:empty": 1}


def test_without_prefill_the_last_message_is_the_users(grow, seed):
    work = grow(seed, *TURNS[:2], count=2)
    assert work.requests[0]["messages"][-1]["role"] == "user"
    assert "continue_final_message" not in work.requests[0]


# The prompts.


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_render_for_every_kind(kind):
    for words in (None, 240):
        expert = prompts.render("expert", kind=kind)
        assert "\n" not in expert and "{" not in expert and "  " not in expert
        if words:
            for layout in ("list", "prose", None):
                shape = prompts.render("answer_shape", words=words, limit=310, layout=layout)
                assert "about 240 words" in shape and "  " not in shape


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move["name"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_follow_up_is_requested_in_every_place_and_form(move, place):
    for form in ("question", "imperative", "mixed"):
        for structure in ("plain", "two_requests", "narrowing"):
            values = {
                "place": place, "form": form, "recap": None, "structure": structure, "request": move["request"], "persona": "a lawyer",
                "role_play": False, "opening": "",
            }  # fmt: skip
            prompt = prompts.render("follow_up", **values)
            assert f"{move['request']}." in prompt and "a lawyer." in prompt and "\n\n\n" not in prompt
            opened = prompts.render("follow_up", **values | {"opening": "What about"})
            assert (
                opened.startswith("Now write one short follow-up") and '"What about"' in opened and "\n" not in opened
            )

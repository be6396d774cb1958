"""Airoboros: topics, categories, and the judge's threshold."""

from collections import Counter

import pytest

from workflow_scripts.synthesis.techniques.airoboros import CATEGORIES, Airoboros

LIST = "1. Kelp forests\n2. Tidal mills"
NEW = "Which tidal mill on the Rance is the oldest?"
ANSWER = "The mill of Beauchet is first named in a charter of 1181."
GOOD = dict.fromkeys(("followed", "factual", "correct", "complete", "interesting", "no_disclaimer"), True)


def only(*categories):
    return {"categories": dict.fromkeys(categories, 1), "topics": 2, "cull_threshold": 80}


def verdict(score, **checks):
    return GOOD | {"score": score} | checks


def test_every_category_has_a_request():
    assert len(CATEGORIES) >= 10
    assert all(set(category) == {"scored", "request"} and category["request"] for category in CATEGORIES.values())
    # Categories that airoboros does not judge.
    assert {name for name in CATEGORIES if not CATEGORIES[name]["scored"]} == {
        "counterfactual_contextual",
        "plan",
        "wordgame",
    }


def test_topic_request_answer_and_judgement(apply, make_seed):
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.", domain="Natural Science")
    work = apply(Airoboros(), seed, LIST, f"Question: {NEW}", ANSWER, verdict(80), settings=only("trivia"))
    assert work.kinds == ["instruction", "instruction", "answer", "judge"]
    assert "Natural Science" in work.prompts[0] and "2" in work.prompts[0]
    assert work.step["topic"] in work.prompts[1] and CATEGORIES["trivia"]["request"] in work.prompts[1]
    assert work.requests[2]["messages"][-1]["content"] == NEW
    assert NEW in work.prompts[3] and ANSWER in work.prompts[3]
    assert not any("A wall" in prompt or "Old answer" in prompt for prompt in work.prompts)
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "", ANSWER)
    assert work.step == {"name": "airoboros", "category": "trivia", "topic": work.step["topic"], "score": 80}
    schema = work.requests[3]["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == {*GOOD, "score"}


@pytest.mark.parametrize("judged", [verdict(79), verdict(100, no_disclaimer=False)])
def test_an_opening_below_the_threshold_is_discarded(apply, make_seed, judged):
    seed = make_seed(response="Old answer.")
    work = apply(Airoboros(), seed, LIST, NEW, ANSWER, judged, settings=only("trivia"))
    assert str(work.error) == "airoboros:culled"
    assert work.draft.instruction == seed["instruction"] and not work.draft.steps


def test_a_score_beyond_the_scale_is_malformed(apply, make_seed):
    work = apply(Airoboros(), make_seed(), LIST, NEW, ANSWER, verdict(101), verdict(95), settings=only("trivia"))
    assert work.step["score"] == 95 and work.faults == {"judge:malformed": 1}


@pytest.mark.parametrize("name", ["plan", "wordgame", "counterfactual_contextual"])
def test_some_categories_are_not_judged(apply, make_seed, name):
    work = apply(Airoboros(), make_seed(), LIST, NEW, ANSWER, settings=only(name))
    assert work.step["score"] is None and work.draft.answer == ANSWER


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (("Kelp", "Mills"), "instruction:no_list"),
        ((LIST, "Sure, kelp grows fast.", "Kelp grows fast."), "instruction:answers"),
        ((LIST, NEW, "As an AI language model, I know little.", "See https://a.b"), "answer:url"),
    ],
)
def test_invalid_texts_end_the_draft(apply, make_seed, replies, reason):
    work = apply(Airoboros(), make_seed(), *replies, settings=only("trivia"))
    assert str(work.error) == reason and not work.draft.steps


def test_draws_depend_only_on_weights_and_seed(apply, make_seed):
    settings = only() | {"categories": {"trivia": 6, "plan": 3, "riddle": 0}}
    reversed_ = settings | {"categories": dict(reversed(settings["categories"].items()))}
    drawn = Counter()
    for n in range(30):
        seed = make_seed(f"Why does granite of kind {n} last?")
        replies = (LIST, NEW, ANSWER)
        first, again = (_apply_any(apply, seed, replies, order) for order in (settings, reversed_))
        assert first.prompts == again.prompts and first.step == again.step
        drawn[first.step["category"]] += 1
    assert set(drawn) == {"trivia", "plan"} and drawn["trivia"] > drawn["plan"]


def _apply_any(apply, seed, replies, settings):
    """With or without a judgement, depending on the drawn category."""
    try:
        return apply(Airoboros(), seed, *replies, verdict(90), settings=settings, http=False)
    except AssertionError:  # the judgement was not requested
        return apply(Airoboros(), seed, *replies, settings=settings, http=False)

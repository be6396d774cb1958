"""Airoboros: topics, categories, and the judge's threshold."""

from collections import Counter

import pytest

from workflow_scripts.seeds.labels.grid import load_grid, names
from workflow_scripts.synthesis.techniques.airoboros import CATEGORIES, CHECKS, Airoboros
from workflow_scripts.synthesis.techniques.instruction import instruction_fault

GRID = load_grid()

TOPICS = ["Kelp forests", "Tidal mills"]
NEW = "Which tidal mill on the Rance is the oldest?"
ANSWER = "The mill of Beauchet is first named in a charter of 1181."
GOOD = dict.fromkeys(CHECKS, True)


def only(*categories):
    return {"categories": dict.fromkeys(categories, 1), "cull_threshold": 80}


def verdict(score, **checks):
    return GOOD | {"score": score} | checks


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_category_has_criteria_examples_and_labels(name):
    category = CATEGORIES[name]
    assert len(category["criteria"]) >= 3 and len(category["examples"]) >= 2 and category["judge"]
    assert all(instruction_fault(example) is None for example in category["examples"])
    assert category["kind"] in ("instruction", "problem")
    assert category["domain"] in (None, *names(GRID.domains))
    assert len(set(category["skills"])) == 3 and set(category["skills"]) <= set(names(GRID.skills))


def test_categories():
    assert len(CATEGORIES) == 13
    # Documented: tasks of these categories come in grades of difficulty.
    assert {name for name in CATEGORIES if CATEGORIES[name]["grades"]} == {"coding", "general"}
    # Categories that airoboros does not judge.
    assert {name for name in CATEGORIES if not CATEGORIES[name]["scored"]} == {
        "counterfactual_contextual",
        "plan",
        "wordgame",
    }


def test_topic_request_answer_and_judgement(apply, make_seed):
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.", domain="Math", difficulty="major level")
    replies = (f"Question: {NEW}", ANSWER, verdict(80))
    work = apply(Airoboros(), seed, *replies, settings=only("trivia"), topics=TOPICS)
    assert work.kinds == ["instruction", "answer", "judge"]
    trivia = CATEGORIES["trivia"]
    assert work.step["topic"] in TOPICS and work.step["topic"] in work.prompts[0]
    assert all(text in work.prompts[0] for text in (trivia["request"], *trivia["criteria"], *trivia["examples"]))
    assert work.requests[1]["messages"][-1]["content"] == NEW
    assert NEW in work.prompts[2] and ANSWER in work.prompts[2] and trivia["judge"] in work.prompts[2]
    assert not any("A wall" in prompt or "Old answer" in prompt for prompt in work.prompts)
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "", ANSWER)
    assert work.step == {"name": "airoboros", "category": "trivia", "topic": work.step["topic"], "score": 80}
    labels = work.draft.kind, work.draft.domain, work.draft.skills, work.draft.difficulty
    assert labels == ("instruction", None, trivia["skills"], None) and work.draft.opening == "airoboros"
    schema = work.requests[2]["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == {*GOOD, "score"}


@pytest.mark.parametrize("judged", [verdict(79), verdict(100, no_disclaimer=False)])
def test_an_opening_below_the_threshold_is_discarded(apply, make_seed, judged):
    seed = make_seed(response="Old answer.")
    work = apply(Airoboros(), seed, NEW, ANSWER, judged, settings=only("trivia"), topics=TOPICS)
    assert str(work.error) == "airoboros:culled"
    assert work.draft.instruction == seed["instruction"] and not work.draft.steps


def test_a_score_beyond_the_scale_is_malformed(apply, make_seed):
    work = apply(
        Airoboros(), make_seed(), NEW, ANSWER, verdict(101), verdict(95), settings=only("trivia"), topics=TOPICS
    )
    assert work.step["score"] == 95 and work.faults == {"judge:malformed": 1}


@pytest.mark.parametrize("name", ["plan", "wordgame", "counterfactual_contextual"])
def test_some_categories_are_not_judged(apply, make_seed, name):
    work = apply(Airoboros(), make_seed(), NEW, ANSWER, settings=only(name), topics=TOPICS)
    assert work.step["score"] is None and work.draft.answer == ANSWER


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (("Sure, kelp grows fast.", "Kelp grows fast."), "instruction:answers"),
        ((NEW, "As an AI language model, I know little.", "See https://a.b"), "answer:url"),
    ],
)
def test_invalid_texts_end_the_draft(apply, make_seed, replies, reason):
    work = apply(Airoboros(), make_seed(), *replies, settings=only("trivia"), topics=TOPICS)
    assert str(work.error) == reason and not work.draft.steps


def test_draws_depend_only_on_weights_and_seed(apply, make_seed):
    settings = only() | {"categories": {"trivia": 6, "plan": 3, "riddle": 0}}
    reversed_ = settings | {"categories": dict(reversed(settings["categories"].items()))}
    drawn = Counter()
    for n in range(30):
        seed = make_seed(f"Why does granite of kind {n} last?")
        replies = (NEW, ANSWER)
        first, again = (_apply_any(apply, seed, replies, order) for order in (settings, reversed_))
        assert first.prompts == again.prompts and first.step == again.step
        drawn[first.step["category"]] += 1
    assert set(drawn) == {"trivia", "plan"} and drawn["trivia"] > drawn["plan"]


def _apply_any(apply, seed, replies, settings):
    """With or without a judgement, depending on the drawn category."""
    try:
        return apply(Airoboros(), seed, *replies, verdict(90), settings=settings, topics=TOPICS, http=False)
    except AssertionError:  # the judgement was not requested
        return apply(Airoboros(), seed, *replies, settings=settings, topics=TOPICS, http=False)


def test_one_grade_of_a_category_is_drawn(apply, make_seed):
    drawn = set()
    for n in range(40):
        work = apply(
            Airoboros(),
            make_seed(f"{n}. Why?"),
            NEW,
            ANSWER,
            verdict(90),
            settings=only("coding"),
            topics=TOPICS,
            http=False,
        )
        (grade,) = [grade for grade in CATEGORIES["coding"]["grades"] if grade in work.prompts[0]]
        drawn.add(grade)
    assert drawn == set(CATEGORIES["coding"]["grades"])


def test_every_topic_can_be_drawn_and_none_is_a_bad_turn(apply, make_seed):
    works = [
        apply(
            Airoboros(),
            make_seed(f"{n}. Why?"),
            NEW,
            ANSWER,
            verdict(90),
            settings=only("trivia"),
            topics=TOPICS,
            http=False,
        )
        for n in range(20)
    ]
    assert {work.step["topic"] for work in works} == set(TOPICS)
    assert str(apply(Airoboros(), make_seed(), settings=only("trivia")).error) == "airoboros:no_topics"


def test_a_copy_of_an_example_is_retried(apply, make_seed):
    copy = CATEGORIES["trivia"]["examples"][0]
    work = apply(Airoboros(), make_seed(), copy, NEW, ANSWER, verdict(90), settings=only("trivia"), topics=TOPICS)
    assert work.draft.instruction == NEW and work.faults == {"instruction:near_copy": 1}

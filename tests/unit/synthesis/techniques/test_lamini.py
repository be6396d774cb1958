"""LaMini: instructions from examples, and from a topic."""

import pytest

from workflow_scripts.seeds.labels.grid import load_grid, names
from workflow_scripts.synthesis.techniques.lamini import TOPICS, LaminiExample, LaminiTopic

NEW = "Describe how a lighthouse lens gathers light."


@pytest.fixture
def others(make_seed):
    """(eight usable seeds of the same source, seeds that are not used as examples)."""
    usable = [make_seed(f"Name a bird that lives on island {n}.", response=f"Secret {n}.") for n in range(8)]
    return usable, [
        make_seed("Summarise this essay.", "A very long essay.", kind="post"),
        make_seed("Hello.", kind="conversation"),
        make_seed("Sum up the text.", "The text."),
        make_seed("Explain " + "and explain " * 200),
        make_seed("Count the islands of lake 9.", source="Other"),
    ]


def test_examples_are_the_instructions_of_other_seeds(apply, make_seed, others):
    usable, unusable = others
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.")
    work = apply(LaminiExample(), seed, NEW, seeds=[seed, *usable, *unusable], settings={"examples": 3})
    shown = [other for other in usable if other["instruction"] in work.prompts[0]]
    assert len(shown) == 3 and sorted(work.step["examples"]) == sorted(other["id"] for other in shown)
    assert not any(text in work.prompts[0] for text in ("Secret", "granite", "A wall", "essay", "lake 9"))
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "", "")
    assert work.kinds == ["instruction"] and work.draft.prompts == {"lamini_example"}


def test_other_sources_are_used_if_the_own_source_has_too_few(apply, make_seed, others):
    usable, unusable = others
    work = apply(LaminiExample(), make_seed("Why?"), NEW, seeds=[*usable[:1], *unusable], settings={"examples": 3})
    assert len(work.step["examples"]) == 2 and "lake 9" in work.prompts[0]


def test_examples_do_not_depend_on_the_order_of_seeds(apply, make_seed, others):
    seeds = others[0]
    drawn = [
        apply(LaminiExample(), make_seed("Why?"), NEW, seeds=order, settings={"examples": 3}).requests
        for order in (seeds, seeds[::-1])
    ]
    assert drawn[0] == drawn[1]
    other = apply(LaminiExample(), make_seed("Whence?"), NEW, seeds=seeds, settings={"examples": 3})
    assert other.prompts != [drawn[0][0]["messages"][0]["content"]]


def test_no_examples_is_a_bad_turn(apply, make_seed):
    seed = make_seed()
    work = apply(LaminiExample(), seed, seeds=[seed], settings={"examples": 3})
    assert str(work.error) == "lamini_example:no_examples"


def test_copies_of_an_example_are_retried(apply, make_seed, others):
    seeds = others[0][:1]
    copy = seeds[0]["instruction"]
    work = apply(LaminiExample(), make_seed("Why?"), copy, f"Instruction: {NEW}", seeds=seeds, settings={"examples": 3})
    assert work.draft.instruction == NEW and work.faults == {"instruction:near_copy": 1}
    work = apply(LaminiExample(), make_seed("Why?"), copy, copy, seeds=seeds, settings={"examples": 3})
    assert str(work.error) == "instruction:near_copy" and not work.draft.steps


def test_examples_have_the_licence_of_the_seed(apply, make_seed, others):
    """A conversation has one licence, which has to cover the texts that it derives from."""
    stricter = [{**seed, "license": "CC-BY-NC-4.0"} for seed in others[0]]
    work = apply(LaminiExample(), make_seed("Why?"), seeds=stricter, settings={"examples": 3})
    assert str(work.error) == "lamini_example:no_examples"
    work = apply(LaminiTopic(), make_seed("Why?"), NEW, seeds=stricter, settings={"examples": 3})
    assert work.step["examples"] == []


def test_the_opening_has_no_label_of_the_seed(apply, make_seed, others):
    labels = {"kind": "problem", "domain": "Math", "skills": ["Factuality"], "difficulty": "major level"}
    draft = apply(LaminiExample(), make_seed(**labels), NEW, seeds=others[0], settings={"examples": 1}).draft
    assert (draft.opening, draft.kind, draft.domain) == ("lamini_example", "instruction", None)
    assert (draft.skills, draft.difficulty) == (None, None)


def test_topics():
    grid, all_topics = load_grid(), [topic for topics in TOPICS.values() for topic in topics]
    assert list(TOPICS) == names(grid.domains)
    assert len(all_topics) > 500 and len({topic.casefold() for topic in all_topics}) == len(all_topics)
    assert all(isinstance(topic, str) and len(topic.split()) <= 3 for topic in all_topics)  # as the paper's categories


def test_a_topic_of_the_list_is_drawn(apply, make_seed, others):
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.")
    work = apply(LaminiTopic(), seed, f'"{NEW}"', seeds=others[0], settings={"examples": 3})
    assert work.step["topic"] in TOPICS[work.draft.domain] and work.step["topic"] in work.prompts[0]
    shown = [other for other in others[0] if other["instruction"] in work.prompts[0]]
    assert sorted(work.step["examples"]) == sorted(other["id"] for other in shown) and len(shown) == 3
    assert not any(text in work.prompts[0] for text in ("granite", "A wall", "Secret"))
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "", "")
    assert work.kinds == ["instruction"] and work.draft.prompts == {"lamini_topic"}
    assert work.draft.opening == "lamini_topic"
    assert apply(LaminiTopic(), seed, NEW, seeds=others[0], settings={"examples": 3}).step == work.step


def test_topics_vary_and_need_no_examples(apply, make_seed):
    seeds = [make_seed(f"Why is granite {n} grey?") for n in range(25)]
    works = [apply(LaminiTopic(), seed, NEW, settings={"examples": 0}, http=False) for seed in seeds]
    assert len({work.step["topic"] for work in works}) > 20
    assert all("<example>" not in work.prompts[0] for work in works)


def test_no_request_is_a_bad_turn(apply, make_seed):
    work = apply(LaminiTopic(), make_seed(), "Kelp!", "1. Kelp", settings={"examples": 0})
    assert str(work.error) == "instruction:too_short" and work.draft.instruction == make_seed()["instruction"]

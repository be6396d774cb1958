"""LaMini: instructions from examples, and from a topic."""

import pytest

from workflow_scripts.synthesis.techniques.lamini import LaminiExample, LaminiTopic

NEW = "Describe how a lighthouse lens gathers light."
LIST = "1. Kelp forests\n2. Tidal mills\n3. Salt marshes"


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


def test_a_topic_related_to_the_seed_is_drawn(apply, make_seed, others):
    seed = make_seed("Why does granite last?", "A wall.", "Old answer.", domain="Natural Science")
    work = apply(LaminiTopic(), seed, LIST, f'"{NEW}"', seeds=others[0], settings={"topics": 3})
    assert "granite" in work.prompts[0] and "Natural Science" in work.prompts[0] and "3" in work.prompts[0]
    assert work.step["topic"] in LIST and work.step["topic"] in work.prompts[1] and "granite" not in work.prompts[1]
    assert not any("island" in prompt or "A wall" in prompt for prompt in work.prompts)
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "", "")
    assert work.draft.prompts == {"lamini_topics", "lamini_topic"}
    assert apply(LaminiTopic(), seed, LIST, NEW, settings={"topics": 3}).step == work.step


def test_every_topic_can_be_drawn(apply, make_seed):
    seeds = [make_seed(f"Why is granite {n} grey?") for n in range(25)]
    drawn = {apply(LaminiTopic(), seed, LIST, NEW, settings={"topics": 3}, http=False).step["topic"] for seed in seeds}
    assert drawn == {"Kelp forests", "Tidal mills", "Salt marshes"}


def test_no_list_is_a_bad_turn(apply, make_seed):
    work = apply(LaminiTopic(), make_seed(), "Kelp!", "1. Kelp", settings={"topics": 4})
    assert str(work.error) == "instruction:no_list" and work.draft.instruction == make_seed()["instruction"]

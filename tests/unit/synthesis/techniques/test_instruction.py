"""Texts extracted from replies, and the faults of instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import with_examples
from workflow_scripts.config.sources import registry
from workflow_scripts.synthesis.draft import begin_draft
from workflow_scripts.synthesis.recipe import TECHNIQUES
from workflow_scripts.synthesis.techniques.instruction import (
    generate_answer,
    instruction_fault,
    replace_opening,
    strip_wrapping,
)

INSTRUCTION = "Explain how tides shape the coast of Brittany."


@pytest.mark.parametrize(
    "reply",
    [
        INSTRUCTION,
        f'"{INSTRUCTION}"',
        f"“{INSTRUCTION}”",
        f"Instruction: {INSTRUCTION}",
        f"**New Instruction:** {INSTRUCTION}",
        f"### Rewritten prompt\n{INSTRUCTION}",
        f"#Rewritten Prompt#:\n{INSTRUCTION}",
        f'Sure! Here is the rewritten prompt:\n\n"{INSTRUCTION}"',
        f"Here's a harder version of the request: {INSTRUCTION}",
        f"```\n{INSTRUCTION}\n```",
        f"```text\nQuestion: {INSTRUCTION}\n```",
    ],
)
def test_the_wrapping_of_a_text_is_removed(reply):
    assert strip_wrapping(reply) == INSTRUCTION


@pytest.mark.parametrize(
    "text",
    [
        'Who said "I came, I saw"?',
        '"Stay" and "go" are verbs. Which is irregular in German, "bleiben" or "gehen"?',
        "Here is a list: 3, 5, 8. What comes next?",
        "Fix this:\n```python\nprint(1\n```",
        "```python\na\n```\nand\n```python\nb\n```",
        "'Tis the season: explain the phrase.",
    ],
)
def test_the_text_itself_is_kept(text):
    assert strip_wrapping(text) == text


@given(st.text(alphabet=st.sampled_from(list("\"'`#*:\n aInstruction")), max_size=40))
def test_stripping_is_idempotent(text):
    assert strip_wrapping(strip_wrapping(text)) == strip_wrapping(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (INSTRUCTION, None),
        ("Why is the sea salty?", None),
        ("A farmer has 40 m of fence. Find the largest pen he can build.", None),
        ("In Python, write a function that adds two numbers.", None),
        ("", "empty"),
        ("Tides?", "too_short"),
        ("Explain " + " ".join(map(str, range(500))), "too_long"),
        ("Explain the given prompt about tides.", "prompt_words"),
        ("Rewritten prompt: explain the tides.", "prompt_words"),
        ("<request>Explain the tides of Brittany.</request>", "prompt_words"),
        ("Yes, the tides are strong there.", "answers"),
        ("The answer is that the moon pulls at the sea.", "answers"),
        ("Tides are the rise and fall of sea levels.", "answers"),
        ("I'm sorry, but I cannot help with that.", "refusal"),
        ("As an AI language model, I have no opinion. What do you think of tides?", "self_reference"),
    ],
)
def test_faults(text, fault):
    assert instruction_fault(text) == fault


def test_an_original_may_mention_prompts():
    old = "How do I rate the given prompt?"
    assert (
        instruction_fault("How would a teacher of small children rate the given prompt, and by which measure?", [old])
        is None
    )


def test_near_copies_are_found_by_their_number_of_new_words():
    old = INSTRUCTION[:-1] + " and of Cornwall, of Normandy and of Kent, where soft chalk meets a wild and restless sea"
    assert instruction_fault(f"{old}.", [old]) == "near_copy"
    assert instruction_fault(f"Please {old}!", [old]) == "near_copy"
    assert instruction_fault(f"{old}, with one dated example for each.", [old]) is None


def test_first_answers_use_the_expert_prompt(with_generator, make_seed, teacher):
    draft = begin_draft(make_seed(), 0)
    with_generator(lambda generator: generate_answer(draft, generator, "Why?"), "Because granite interlocks.")
    assert "expert" in teacher.requests[0]["messages"][0]["content"] and draft.prompts == {"expert"}


def test_a_new_opening_has_none_of_the_seeds_texts_and_labels(make_seed):
    draft = begin_draft(make_seed("Old?", "Old.", "Old!", kind="problem", domain="Math", skills=["Factuality"]), 0)
    replace_opening(draft, "lamini_topic", "New?", domain="Culture")
    assert (draft.question, draft.answer, draft.opening, draft.kind) == ("New?", "", "lamini_topic", "instruction")
    assert (draft.domain, draft.skills, draft.difficulty, draft.reference) == ("Culture", None, None, "")


def test_every_technique_has_a_name_a_citation_and_a_source_if_it_writes_openings():
    assert all(technique.name == name and technique.citation.strip() for name, technique in TECHNIQUES.items())
    assert {name for name, technique in TECHNIQUES.items() if not technique.source} == {"amplify", "orca"}
    # A source of the registry would claim that the opening is one of its rows.
    labels = {entry["label"] for entry in registry().values()}
    assert not labels & {technique.source for technique in TECHNIQUES.values()}


def test_which_techniques_fit_which_seeds(make_seed):
    def fitting(**fields):
        return {name for name, technique in TECHNIQUES.items() if technique.fits(make_seed(**fields))}

    all_techniques = set(TECHNIQUES)
    assert fitting(skills=["Factuality"]) == all_techniques
    assert fitting() == fitting(skills=[]) == fitting(kind="problem") == all_techniques - {"flask"}
    assert fitting(kind="post", skills=["Factuality"]) == {"amplify", "orca"}
    assert fitting(kind="conversation", skills=["Factuality"]) == {"amplify"}


def test_an_outage_is_not_a_bad_turn(with_generator, make_seed, teacher):
    from workflow_scripts.teacher.errors import TeacherError

    settings = {
        "evol_instruct": {"rounds": 1, "operations": {"deepen": 1}},
        "know_logic": {"attempts": 2},
        "airoboros": {"categories": {"trivia": 1}, "cull_threshold": 80},
        "lamini_example": {"examples": 1},
        "lamini_topic": {"examples": 1},
    }
    others = [make_seed("Name three birds that swim well.")]
    for name in set(TECHNIQUES) - {"amplify"}:

        async def use(generator, name=name):
            teacher.queue.clear()
            teacher.sends({"error": "no"}, status=400)
            with pytest.raises(TeacherError):
                seed = with_examples(make_seed(skills=["Factuality"]), others)
                await TECHNIQUES[name].apply(begin_draft(seed, 0), generator)

        with_generator(use, "", techniques=settings, topics=["Tides"])

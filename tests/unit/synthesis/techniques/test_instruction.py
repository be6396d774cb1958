"""Bare texts, and what is wrong with an instruction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.synthesis.draft import begin
from workflow_scripts.synthesis.recipe import TECHNIQUES
from workflow_scripts.synthesis.techniques.instruction import answer, bare, fault, numbered, topics

ASKED = "Explain how tides shape the coast of Brittany."


@pytest.mark.parametrize(
    "reply",
    [
        ASKED,
        f'"{ASKED}"',
        f"“{ASKED}”",
        f"Instruction: {ASKED}",
        f"**New Instruction:** {ASKED}",
        f"### Rewritten prompt\n{ASKED}",
        f"#Rewritten Prompt#:\n{ASKED}",
        f'Sure! Here is the rewritten prompt:\n\n"{ASKED}"',
        f"Here's a harder version of the request: {ASKED}",
        f"```\n{ASKED}\n```",
        f"```text\nQuestion: {ASKED}\n```",
    ],
)
def test_what_teachers_put_around_a_text_goes(reply):
    assert bare(reply) == ASKED


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
def test_what_belongs_to_a_text_stays(text):
    assert bare(text) == text


@given(st.text(alphabet=st.sampled_from(list("\"'`#*:\n aInstruction")), max_size=40))
def test_bare_texts_stay_bare(text):
    assert bare(bare(text)) == bare(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ASKED, None),
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
        ("As an AI language model, what do you think of tides?", "self_reference"),
    ],
)
def test_faults(text, found):
    assert fault(text) == found


def test_an_original_may_speak_of_prompts_itself():
    old = "How do I rate the given prompt?"
    assert fault("How would a teacher of small children rate the given prompt, and by which measure?", [old]) is None


def test_near_copies_are_told_by_what_is_new():
    old = ASKED[:-1] + " and of Cornwall, of Normandy and of Kent, where soft chalk meets a wild and restless sea"
    assert fault(f"{old}.", [old]) == "near_copy"
    assert fault(f"Please {old}!", [old]) == "near_copy"
    assert fault(f"{old}, with one dated example for each.", [old]) is None


@pytest.mark.parametrize(
    ("reply", "items"),
    [
        ("1. Kelp\n2. Tidal power", ["Kelp", "Tidal power"]),
        ("Topics:\n\n1) **Kelp**\n2) Tidal power.\n", ["Kelp", "Tidal power"]),
        ("1. Kelp\n2. Tidal power\n3.", ["Kelp", "Tidal power"]),
        ("1. **Kelp:** a large alga\n2. Tidal power - old and new", ["Kelp", "Tidal power"]),
        ("1. Kelp\n3. Tidal power", []),
        ("Kelp\nTidal power", []),
        ("1. Kelp\n- Tidal power\n2. Eels", []),
        ("", []),
    ],
)
def test_numbered_lists_are_read_strictly(reply, items):
    assert numbered(reply) == items


def test_topics_are_asked_for_until_half_of_them_come(scribe, make_seed, teacher):
    draft = begin(make_seed(), 0)
    found, faults = scribe(
        lambda made: topics(draft, made, "List.", 4), "Kelp, eels", "1. Kelp\n2. Eels\n3. Mud\n4. Sand\n5. Salt"
    )
    assert found == ["Kelp", "Eels", "Mud", "Sand"]
    assert faults == {"instruction:no_list": 1}


def test_first_answers_are_given_by_the_expert_or_under_the_drafts_own_message(scribe, make_seed, teacher):
    draft = begin(make_seed(), 0)
    scribe(lambda made: answer(draft, made, "Why?"), "Because granite interlocks.")
    assert "expert" in teacher.requests[0]["messages"][0]["content"] and draft.prompts == {"expert"}
    draft.system = "Speak as to a child."
    scribe(lambda made: answer(draft, made, "Why?"), "Because granite interlocks.")
    assert [message["content"] for message in teacher.requests[0]["messages"]] == ["Speak as to a child.", "Why?"]


def test_every_technique_has_a_name_and_a_citation():
    assert all(technique.name == name and technique.citation.strip() for name, technique in TECHNIQUES.items())


def test_what_fits_which_seed(make_seed):
    def fitting(**fields):
        return {name for name, technique in TECHNIQUES.items() if technique.fits(make_seed(**fields))}

    every = set(TECHNIQUES)
    assert fitting(skills=["Factuality"]) == every
    assert fitting() == fitting(skills=[]) == fitting(kind="problem") == every - {"flask"}
    assert fitting(kind="post", skills=["Factuality"]) == {"amplify", "orca"}
    assert fitting(kind="conversation", skills=["Factuality"]) == {"amplify"}


def test_an_outage_is_no_bad_turn(scribe, make_seed, teacher):
    from workflow_scripts.teacher.client import TeacherError

    settings = {
        "evol_instruct": {"rounds": 1, "operations": {"deepen": 1}},
        "know_logic": {"attempts": 2},
        "airoboros": {"categories": {"trivia": 1}, "topics": 2, "cull_threshold": 80},
        "lamini_example": {"examples": 1},
        "lamini_topic": {"topics": 2},
    }
    others = [make_seed("Name three birds that swim well.")]
    for name in set(TECHNIQUES) - {"amplify"}:

        async def use(made, name=name):
            teacher.script.clear()
            teacher.sends({"error": "no"}, status=400)
            with pytest.raises(TeacherError):
                await TECHNIQUES[name].apply(begin(make_seed(skills=["Factuality"]), 0), made)

        scribe(use, "", techniques=settings, seeds=others)

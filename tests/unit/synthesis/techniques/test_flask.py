"""FLASK: instructions for skills, and scores by skills."""

import pytest

from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.synthesis.draft import BadTurn, begin
from workflow_scripts.synthesis.techniques.flask import Flask, scores

GRID = load_grid()
SKILLS = ["Factuality", "Insightfulness", "Logical Correctness"]
NEW = "Estimate how many years a granite step of 20 cm lasts under 400 feet a day, and say what you assume."


@pytest.fixture
def seed(make_seed):
    return make_seed(
        context="A step of 1820.",
        response="Old answer.",
        skills=SKILLS,
        domain="Natural Science",
        difficulty="formal education",
    )


def test_the_request_is_rewritten_for_the_seeds_skills(apply, seed):
    work = apply(Flask(), seed, f"**Request:** {NEW}")
    (asked,) = work.asked
    for label in (*GRID.skills, *GRID.domains, *GRID.difficulties):
        wanted = label.name in (*SKILLS, "Natural Science", "formal education")
        assert (label.meaning in asked) == wanted
    assert seed["instruction"] in asked and "A step of 1820." in asked and "Old answer." not in asked
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "A step of 1820.", "")
    assert work.step == {"name": "flask", "skills": SKILLS}
    assert work.kinds == ["instruction"] and apply(Flask(), seed, NEW).requests == work.requests


def test_a_domain_of_a_sources_own_is_left_out(apply, make_seed):
    work = apply(Flask(), make_seed(skills=SKILLS, domain="Physics"), NEW)
    assert work.error is None and "It belongs to" not in work.asked[0] and "difficulty" not in work.asked[0]


def test_a_bad_request_ends_the_draft(apply, seed):
    work = apply(Flask(), seed, seed["instruction"], "Granite lasts for ages.")
    assert str(work.error) == "instruction:answers" and work.faults["instruction:near_copy"] == 1
    assert work.draft.answer == "Old answer." and not work.draft.steps


def test_each_answer_is_scored_on_each_skill(scribe, teacher, seed):
    draft = begin(seed, 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}, {"input": "How long?", "output": "Ages."}]
    judged = [dict.fromkeys(SKILLS, 4), dict.fromkeys(SKILLS, 6), dict.fromkeys(SKILLS, 2)]
    rows, faults = scribe(lambda made: scores(draft, made), *judged)
    assert rows == [{"exchange": 1, "scores": judged[0]}, {"exchange": 2, "scores": judged[2]}]
    assert faults == {"judge:malformed": 1}
    first, last = (teacher.requests[place]["messages"][0]["content"] for place in (0, -1))
    assert "Interlocking." in first and "Ages." not in first
    assert "Interlocking." in last and "Ages." in last
    schema = teacher.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == SKILLS and schema["additionalProperties"] is False
    assert draft.prompts == {"flask_scores"}


def test_no_skills_no_scores_and_no_judgement_no_conversation(scribe, teacher, seed, make_seed):
    draft = begin(make_seed(), 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}]
    assert scribe(lambda made: scores(draft, made), "")[0] == [] and not teacher.requests
    draft = begin(seed, 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}]
    with pytest.raises(BadTurn, match="judge:malformed"):
        scribe(lambda made: scores(draft, made), "5 of 5")

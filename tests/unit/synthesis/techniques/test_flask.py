"""FLASK: instructions written for skills, and scores by skill."""

import pytest

from workflow_scripts.seeds.labels.grid import load_grid, names
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.techniques.flask import RUBRICS, Flask, score_answers

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


def test_the_instruction_is_rewritten_for_the_seeds_skills(apply, seed):
    work = apply(Flask(), seed, f"**Request:** {NEW}")
    (prompt,) = work.prompts
    for label in (*GRID.skills, *GRID.domains, *GRID.difficulties):
        expected = label.name in (*SKILLS, "Natural Science", "formal education")
        assert (label.meaning in prompt) == expected
    assert seed["instruction"] in prompt and "A step of 1820." in prompt and "Old answer." not in prompt
    assert (work.draft.instruction, work.draft.context, work.draft.answer) == (NEW, "A step of 1820.", "")
    assert work.step == {"name": "flask", "skills": SKILLS} and work.draft.opening == "flask"
    kept = work.draft.kind, work.draft.domain, work.draft.skills, work.draft.difficulty
    assert kept == ("instruction", "Natural Science", SKILLS, "formal education")
    assert work.kinds == ["instruction"] and apply(Flask(), seed, NEW).requests == work.requests


def test_a_domain_that_is_not_flasks_is_omitted(apply, make_seed):
    work = apply(Flask(), make_seed(skills=SKILLS, domain="Physics"), NEW)
    assert work.error is None and "It belongs to" not in work.prompts[0] and "difficulty" not in work.prompts[0]


def test_an_invalid_instruction_ends_the_draft(apply, seed):
    work = apply(Flask(), seed, seed["instruction"], "Granite lasts for ages.")
    assert str(work.error) == "instruction:answers" and work.faults["instruction:near_copy"] == 1
    assert work.draft.answer == "Old answer." and not work.draft.steps


def test_each_answer_is_scored_on_each_skill(with_generator, teacher, seed):
    draft = begin_draft(seed, 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}, {"input": "How long?", "output": "Ages."}]
    judgements = [dict.fromkeys(SKILLS, 4), dict.fromkeys(SKILLS, 6), dict.fromkeys(SKILLS, 2)]
    rows, faults = with_generator(lambda generator: score_answers(draft, generator), *judgements)
    assert rows == [{"exchange": 1, "scores": judgements[0]}, {"exchange": 2, "scores": judgements[2]}]
    assert faults == {"judge:malformed": 1}
    first, last = (teacher.requests[place]["messages"][0]["content"] for place in (0, -1))
    assert "Interlocking." in first and "Ages." not in first
    assert "Interlocking." in last and "Ages." in last
    schema = teacher.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == SKILLS and schema["additionalProperties"] is False
    assert draft.prompts == {"flask_scores"}


def test_without_skills_there_are_no_scores_and_a_malformed_judgement_is_a_bad_turn(
    with_generator, teacher, seed, make_seed
):
    draft = begin_draft(make_seed(), 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}]
    assert with_generator(lambda generator: score_answers(draft, generator), "")[0] == [] and not teacher.requests
    draft = begin_draft(seed, 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}]
    with pytest.raises(BadTurn, match="judge:malformed"):
        with_generator(lambda generator: score_answers(draft, generator), "5 of 5")


def test_every_skill_has_a_criterion_and_five_levels():
    assert list(RUBRICS) == names(GRID.skills)
    for rubric in RUBRICS.values():
        assert rubric["criterion"].endswith("?") and len(set(rubric["levels"])) == 5


def scored(with_generator, draft, *replies, **judge):
    """The first prompt of the judge about this draft, and the number of requests."""
    settings = {"judge": {"min_mean": 3, "references": True, "endpoint": None} | judge}
    judgements = [dict.fromkeys(SKILLS, 4)] * len(draft.exchanges)
    rows, _ = with_generator(lambda generator: score_answers(draft, generator), *replies, *judgements, **settings)
    assert len(rows) == len(draft.exchanges)


def test_the_judge_reads_the_rubrics_of_the_skills_and_the_seeds_answer_as_reference(with_generator, teacher, seed):
    draft = begin_draft(seed, 0)
    draft.exchanges = [{"input": draft.question, "output": "Interlocking."}]
    scored(with_generator, draft)
    (request,) = teacher.requests
    prompt = request["messages"][0]["content"]
    for name, rubric in RUBRICS.items():
        texts = [rubric["criterion"], *(f"{at}. {level}" for at, level in enumerate(rubric["levels"], 1))]
        assert [text in prompt for text in texts] == [name in SKILLS] * 6
    assert "<reference>\nOld answer.\n</reference>" in prompt


@pytest.mark.parametrize(
    ("fields", "opening", "answer"),
    [
        ({"response": "Interlocking."}, "seed", "Interlocking."),  # it is the answer that is judged
        ({"response": ""}, "seed", "Interlocking."),
        ({"response": "Old answer."}, "lamini_topic", "Interlocking."),  # it answers another request
    ],
)
def test_without_one_the_judge_writes_a_reference(with_generator, teacher, make_seed, fields, opening, answer):
    draft = begin_draft(make_seed(skills=SKILLS, **fields), 0)
    draft.exchanges, draft.opening = [{"input": "Why?", "output": answer}], opening
    scored(with_generator, draft, "Its crystals interlock.")
    reference, judgement = teacher.requests
    assert reference["messages"][-1]["content"] == "Why?" and "reference" in reference["messages"][0]["content"]
    assert "Its crystals interlock." in judgement["messages"][0]["content"]
    assert "Old answer." not in judgement["messages"][0]["content"]
    assert draft.prompts == {"flask_reference", "flask_scores"}
    scored(with_generator, draft, references=False)
    assert len(teacher.requests) == 1 and "<reference>" not in teacher.requests[0]["messages"][0]["content"]


def test_scores_do_not_need_a_valid_reference(with_generator, teacher, make_seed):
    draft = begin_draft(make_seed(skills=SKILLS), 0)
    draft.exchanges = [{"input": "Why?", "output": "Interlocking."}]
    scored(with_generator, draft, "", "")
    assert len(teacher.requests) == 3 and "<reference>" not in teacher.requests[2]["messages"][0]["content"]

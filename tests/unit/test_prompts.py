"""Every prompt is documented, is rendered for every kind of seed, and its documented replies are judged as documented."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.support.examples import with_examples
from tests.support.scripted_replies import reply_text
from workflow_scripts.common.package_files import PACKAGE
from workflow_scripts.decontamination.relations import SCHEMA as RELATION
from workflow_scripts.evaluation.judge import GRADE_SCHEMA
from workflow_scripts.evaluation.judge import SCHEMA as PAIR
from workflow_scripts.seeds import posts
from workflow_scripts.seeds.labels import teacher as labels
from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.seeds.scores import teacher as scores
from workflow_scripts.synthesis import generator as generator_module
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.judging.rubric import SCHEMA as RUBRIC
from workflow_scripts.synthesis.quality import answer_fault, follow_up_fault
from workflow_scripts.synthesis.recipe import TECHNIQUES, follow
from workflow_scripts.synthesis.techniques import airoboros, amplify, evol_instruct, know_logic
from workflow_scripts.synthesis.techniques.instruction import instruction_fault, strip_wrapping
from workflow_scripts.synthesis.topics import listed_topics

PAGE = Path("docs/prompts.md").read_text(encoding="utf-8")
PROMPTS = {path.stem: path for path in sorted(PACKAGE.glob("*/**/prompts/*.jinja"))}
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
REPLY = r"```text\n(.*?)\n?```"
SECTIONS = dict(SECTION.findall(PAGE))

SKILLS = ["Factuality", "Insightfulness", "Logical Correctness"]
SCORES = {
    "type": "object",
    "properties": {skill: {"type": "integer", "minimum": 1, "maximum": 5} for skill in SKILLS},
    "required": SKILLS,
}
LAST = {
    "input": "Why does granite erode so slowly?",
    "output": "Granite erodes slowly because its crystals interlock and water finds few ways in.",
}
SCHEMAS = {
    "follow_up_judge": amplify.VERDICT,
    "airoboros_cull": airoboros.VERDICT,
    "evol_gain": evol_instruct.GAIN_SCHEMA,
    "flask_scores": SCORES,
    "know_logic_judge": know_logic.WRONG_STEP_SCHEMA,
    "label": labels.schema(load_grid()),
    "judge_pair": PAIR,
    "judge_grade": GRADE_SCHEMA,
    "score": scores.SCHEMA,
    "judge": RUBRIC,
    "relation": RELATION,
}


def judgement_fault(schema):
    def fault(text):
        return None if jsonschema.Draft202012Validator(schema).is_valid(json.loads(text)) else "malformed"

    return fault


def instruction(text):
    return instruction_fault(strip_wrapping(text), ["Why does granite erode so slowly?"])


def solution(text):
    return answer_fault(text, []) or (None if know_logic.final_answer(text) else "no_final_answer")


CHECKS = {
    **{name: judgement_fault(schema) for name, schema in SCHEMAS.items()},
    **dict.fromkeys(
        ("airoboros_instruct", "evol_complicate_input", "evol_in_breadth", "evol_in_depth", "flask_instruction"),
        instruction,
    ),
    **dict.fromkeys(("know_logic_problem", "lamini_example", "lamini_topic"), instruction),
    **dict.fromkeys(("know_logic_solve", "know_logic_again"), solution),
    **dict.fromkeys(
        ("expert", "answer_shape", "known_result", "orca_answer", "flask_reference"),
        lambda text: answer_fault(text, []),
    ),
    "follow_up": lambda text: follow_up_fault(text, [LAST], min_chars=50, max_chars=260),
    "airoboros_topics": lambda text: None if listed_topics(text) else "no_list",
}


def test_every_prompt_has_a_section_and_every_section_a_prompt():
    assert sorted(SECTIONS) == sorted(PROMPTS)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_section_has_purpose_good_and_bad_reply(name):
    section = SECTIONS[name]
    assert re.search(r"^Purpose: \w.*\.$", section, re.MULTILINE)
    assert re.search(rf"^Good reply(?: \(.*\))?:\n\n{REPLY}", section, re.MULTILINE | re.DOTALL)
    assert re.search(rf"^Bad reply \(`\w+`.*?\): .*\n\n{REPLY}", section, re.MULTILINE | re.DOTALL)
    assert len(re.findall(REPLY, section, re.DOTALL)) == 2


@pytest.mark.parametrize("name", CHECKS)
def test_documented_replies_are_judged_as_documented(name):
    good, bad = re.findall(REPLY, SECTIONS[name], re.DOTALL)
    fault = re.search(r"^Bad reply \(`(\w+)`", SECTIONS[name], re.MULTILINE)[1]
    assert CHECKS[name](good) is None
    assert CHECKS[name](bad) == fault


LABELS = {"skills": SKILLS, "domain": "Natural Science", "difficulty": "formal education"}
ESSAY = " ".join(["Plans fail where nobody looks."] * 40)
KINDS = {
    "instruction": {"instruction": "Explain why granite erodes so slowly.", "response": "Its crystals interlock."},
    "with context": {"instruction": "Sum up the report on erosion.", "context": "Granite steps lose 1 mm a year."},
    "unlabelled": {"instruction": "Which rocks are igneous?", "skills": None, "domain": None, "difficulty": None},
    "problem": {"instruction": "A step of 20 cm loses 1 mm a year. How long does it last?", "kind": "problem",
                "response": "200 years."},
    "question": {"instruction": "How old is a step that lost 3 cm?", "kind": "problem", "meta": {"reference": "30"}},
    "post": {"instruction": posts.tasks_for("a", ["argument"], True)[0][1], "kind": "post",
             "context": posts.introduce("On plans", ESSAY, True), "meta": {"task": "argument", "excerpt": False}},
    "excerpt": {"instruction": posts.tasks_for("a", ["complex_summary"], False)[0][1], "kind": "post",
                "context": posts.introduce("On plans", ESSAY, False), "meta": {"excerpt": True}},
}  # fmt: skip
TEMPLATE_RESIDUE = re.compile(r"\{\{|\}\}|\{%|%\}|\bNone\b|\bUndefined\b|\n{4}| \n")


def rendered_prompts(seed, others, config, monkeypatch):
    """{prompt: its renderings} of all techniques that fit a seed, each on its own path; replies are scripted."""
    found = {}
    render = generator_module.prompts.render

    def record(name, **values):
        found.setdefault(name, []).append(render(name, **values))
        return found[name][-1]

    monkeypatch.setattr(generator_module.prompts, "render", record)
    settings = config["synthesis"] | {
        "judge": {"min_mean": 1, "references": True, "endpoint": None},
        "follow_ups": config["synthesis"]["follow_ups"] | {"judge": True},
        "answers": {"target_chars": "source"},
    }
    settings["techniques"]["evol_instruct"]["rounds"] = 4

    async def ask(messages, sampling, number, response_format=None):
        body = {"messages": messages, "response_format": response_format, "seed": number}
        return {"text": reply_text(body, f"{number:x}"), "finish_reason": "stop"}

    for random_seed in range(4):
        generator = Generator(ask, settings | {"random_seed": random_seed}, False, ["Tidal mills"])
        for technique in TECHNIQUES.values():
            if technique.fits(seed):
                path = list(dict.fromkeys((technique, TECHNIQUES["amplify"])))
                draft = begin_draft(with_examples(seed, others), random_seed)
                with contextlib.suppress(BadTurn):  # the scripted replies need not be valid: prompts have been rendered
                    asyncio.run(follow(draft, path, generator))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_prompt_is_rendered_for_every_kind_of_seed(make_seed, config, monkeypatch, kind):
    seed = make_seed(**LABELS | KINDS[kind])
    others = [make_seed(f"Name a bird of island {number}.") for number in range(4)]
    found = rendered_prompts(seed, others, config, monkeypatch)
    for name, texts in found.items():
        for text in texts:
            assert text == text.strip() and not TEMPLATE_RESIDUE.search(text), (name, text)
    expected = {name for name in PROMPTS if PROMPTS[name].parent == PACKAGE / "synthesis" / "prompts"}
    expected.remove("airoboros_topics")  # of the run: it shows no seed
    if kind != "question":
        expected.discard("known_result")
    if kind in ("post", "excerpt"):  # neither evolved nor replaced
        expected = {name for name in expected if name.split("_")[0] not in ("airoboros", "evol", "know", "lamini")}
        expected.remove("flask_instruction")
    if kind == "unlabelled":
        expected.remove("flask_instruction")
    if kind == "with context":
        expected.discard("evol_complicate_input")  # unless a round in breadth removes the context
        found.pop("evol_complicate_input", None)
    assert set(found) == expected

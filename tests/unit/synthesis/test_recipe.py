"""The path of a seed, and the row that results from it; with a real HTTP teacher."""

import asyncio
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from workflow_scripts.common.rows import content_id
from workflow_scripts.synthesis import prompts
from workflow_scripts.synthesis.draft import BadTurn, begin_draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.recipe import TECHNIQUES, generate_conversation, sample_path
from workflow_scripts.synthesis.techniques.lamini import TOPICS
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError

SAMPLING = {
    kind: {"temperature": 0.5, "top_p": 0.9, "max_tokens": tokens}
    for kind, tokens in {"instruction": 101, "follow_up": 102, "answer": 103, "judge": 104}.items()
}
SETTINGS = {
    "recipe": [{"path": ["amplify"], "weight": 1}],
    "exchanges": [{"count": 2, "weight": 1}],
    "moves": {},
    "follow_ups": {"min_chars": 10, "max_chars": 260, "replacements": 0, "judge": False},
    "answers": {"target_chars": None},
    "techniques": {
        "evol_instruct": {"rounds": 1, "operations": {"deepen": 1}},
        "know_logic": {"attempts": 1},
        "lamini_topic": {"examples": 0},
    },
    "judge": {"min_mean": None, "references": False, "endpoint": None},
    "attempts": 1,
    "on_length": "trim",
    "random_seed": 0,
    "sampling": SAMPLING,
}
TEACHER = {"model": "m", "kind": "endpoint", "identity": "endpoint m"}
HARDER = "Why does granite erode so slowly on a rainy coast, and which of its minerals gives way first?"
ANSWERS = [
    "Its crystals interlock, and water finds few ways in.",
    "Feldspar goes first.",
    "Deserts keep granite domes.",
]
GOES_ON = " granite last on a rainy coast where crystals interlock?"
SKILLS = ["Factuality", "Insightfulness", "Logical Correctness"]
MIXED = [
    {"path": ["evol_instruct", "amplify"], "weight": 3},
    {"path": ["orca", "amplify"], "weight": 1},
    {"path": ["flask", "orca", "amplify"], "weight": 4},
    {"path": ["amplify"], "weight": 2},
]


@pytest.fixture
def generate(teacher, tmp_path):
    """A function that returns a seed's row with these replies (a dict as JSON); every reply must be requested."""

    def run(seed, *replies, **settings):
        teacher.queue.clear()
        teacher.requests.clear()
        for reply in replies:
            teacher.says(json.dumps(reply) if isinstance(reply, dict) else reply)
        options = {"concurrency": 1, "timeout": 10, "retries": 0}

        async def main():
            cache = RequestCache(tmp_path / f"cache{len(list(tmp_path.iterdir()))}")
            client = TeacherClient(teacher.base_url, "m", options, cache)
            try:
                return await generate_conversation(
                    seed, Generator(client.ask, SETTINGS | settings, prefill=True), TEACHER
                )
            finally:
                await client.close()
                assert len(teacher.requests) == len(replies)

        return asyncio.run(main())

    return run


def names(recipe, seed, number):
    """The path of a seed like `seed` with another id, and the next random draw."""
    draft = begin_draft({**seed, "id": f"{number:016x}"}, 0)
    return " ".join(technique.name for technique in sample_path(draft, recipe)), draft.rng.random()


def shares_of_paths(recipe, seed, count=2000):
    paths = Counter(names(recipe, seed, number)[0] for number in range(count))
    return {name: number / count for name, number in paths.items()}


def test_the_schema_lists_all_techniques():
    schema = yaml.safe_load(Path("rules/schemas/config.schema.yaml").read_text())["properties"]["synthesis"]
    known = schema["properties"]["recipe"]["items"]["properties"]["path"]["items"]["enum"]
    assert sorted(TECHNIQUES) == sorted(known)
    assert all(technique.name == name and technique.citation for name, technique in TECHNIQUES.items())


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        ({}, {"evol_instruct amplify": 3 / 6, "orca amplify": 1 / 6, "amplify": 2 / 6}),
        (
            {"skills": SKILLS},
            {"evol_instruct amplify": 0.3, "orca amplify": 0.1, "flask orca amplify": 0.4, "amplify": 0.2},
        ),
        ({"kind": "post", "skills": SKILLS}, {"orca amplify": 1 / 3, "amplify": 2 / 3}),
    ],
    ids=["no skills", "any", "post"],
)
def test_paths_are_drawn_by_weight_among_fitting_ones(make_seed, fields, shares):
    assert shares_of_paths(MIXED, make_seed(**fields)) == pytest.approx(shares, abs=0.035)


def test_a_seed_without_a_fitting_path_is_amplified(make_seed):
    recipe = [{"path": ["flask", "amplify"], "weight": 1}, {"path": ["evol_instruct", "amplify"], "weight": 1}]
    assert shares_of_paths(recipe, make_seed(kind="post"), 20) == {"amplify": 1}


def test_unfitting_paths_and_the_scale_of_weights_do_not_affect_draws(make_seed):
    """A path for labelled seeds can be added to a run, and other seeds keep their conversations."""
    seed = make_seed()
    without = [entry for entry in MIXED if "flask" not in entry["path"]]
    doubled = [{**entry, "weight": 2 * entry["weight"]} for entry in MIXED]
    for number in range(200):
        assert names(MIXED, seed, number) == names(without, seed, number) == names(doubled, seed, number)


def test_the_order_of_the_recipe_affects_draws_but_not_shares(make_seed):
    seed = make_seed(skills=SKILLS)
    assert shares_of_paths(MIXED[::-1], seed) == pytest.approx(shares_of_paths(MIXED, seed), abs=0.05)
    assert any(names(MIXED, seed, number) != names(MIXED[::-1], seed, number) for number in range(50))


def test_a_path_depends_only_on_the_seeds_id_and_the_random_seed(make_seed):
    seeds = [make_seed(f"Why does granite number {number} last?") for number in range(20)]
    drawn = [sample_path(begin_draft(seed, 0), MIXED) for seed in seeds]
    assert drawn == [sample_path(begin_draft({**seed, "domain": "Math"}, 0), MIXED) for seed in seeds]
    assert drawn != [sample_path(begin_draft(seed, 1), MIXED) for seed in seeds]


def test_provenance_is_complete(generate, make_seed):
    seed = make_seed(
        response="Old answer.",
        domain="Geology",
        skills=SKILLS,
        difficulty="major level",
        license="CC0-1.0",
        meta={"row": 7},
    )
    recipe = [{"path": ["evol_instruct", "orca", "amplify"], "weight": 1}]
    row = generate(seed, HARDER, {"asks_for_more": True}, ANSWERS[0], ANSWERS[1], GOES_ON, ANSWERS[2], recipe=recipe)
    provenance, conversation = row["provenance"], row["conversation"]
    assert row["id"] == content_id(conversation) and row["source"] == "Synthetic-Evol-Instruct"
    assert [exchange["output"] for exchange in conversation] == ANSWERS[1:]
    assert conversation[0]["input"].endswith(HARDER) and conversation[1]["input"].endswith(GOES_ON)
    evolved, orca, amplified = provenance.pop("steps")
    assert evolved == {"name": "evol_instruct", "operations": ["deepen"], "eliminated": []}
    assert orca["name"] == "orca" and orca["known_answer"] is True
    assert amplified["name"] == "amplify" and amplified["planned"] == 2 and len(amplified["moves"]) == 1
    used = {"evol_in_depth", "evol_gain", "expert", "orca_answer", "follow_up"}
    folder = Path(prompts.__file__).parent
    assert provenance == {
        "seed": seed["id"],
        "dataset": "a/b",
        "revision": "c0ffee",
        "license": "CC0-1.0",
        "row": 7,
        "opening": "evol_instruct",
        "kind": "instruction",
        "domain": "Geology",
        "skills": SKILLS,
        "difficulty": None,
        "seed_labels": {
            "source": "Airoboros",
            "kind": "instruction",
            "domain": "Geology",
            "skills": SKILLS,
            "difficulty": "major level",
        },
        "techniques": ["evol_instruct", "orca", "amplify"],
        "fallbacks": [],
        "first_answer": "teacher",
        "stopped": None,
        "scores": None,
        "teacher": TEACHER,
        "prompts": {
            name: hashlib.sha256((folder / f"{name}.jinja").read_bytes()).hexdigest()[:16] for name in sorted(used)
        },
        "sampling": SAMPLING,
    }


@pytest.mark.parametrize("response", ["Old answer.", ""])
def test_the_origin_of_the_first_answer(generate, make_seed, response):
    row = generate(make_seed(response=response), *([] if response else [ANSWERS[0]]), GOES_ON, ANSWERS[1])
    assert row["conversation"][0]["output"] == (response or ANSWERS[0])
    assert row["provenance"]["first_answer"] == ("seed" if response else "teacher")
    assert row["provenance"]["techniques"] == ["amplify"]
    assert set(row["provenance"]["prompts"]) == {"expert", "follow_up"}


def test_a_row_states_why_it_ended_early(generate, make_seed):
    exchanges = [{"count": 4, "weight": 1}]
    row = generate(make_seed(response=ANSWERS[0]), GOES_ON, ANSWERS[1], "", exchanges=exchanges)
    assert row["provenance"]["stopped"] == "follow_up:empty"
    assert row["provenance"]["steps"][0]["planned"] == 4 and len(row["conversation"]) == 2


PUZZLE = "Ada sits left of Ben, and Cleo sits between them. Who sits in the middle?"


@pytest.mark.parametrize(
    ("path", "replies", "reason"),
    [
        (["lamini_topic"], ("Granite.",), "instruction:too_short"),
        (["evol_instruct"], (HARDER, {"asks_for_more": False}), "evol_instruct:no_gain"),
        (["know_logic"], (PUZZLE, "Answer: Cleo", "Answer: Ben"), "know_logic:unverified"),
        (["airoboros"], (), "airoboros:no_topics"),
        (["orca"], ("See https://a.b",), "answer:url"),
        (["flask"], ("Granite lasts for ages, as everyone can see.",), "instruction:answers"),
        (["lamini_example"], (), "lamini_example:no_examples"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_failing_technique_is_left_out(generate, make_seed, path, replies, reason):
    """The conversation is the one that the seed has without the technique."""
    seed = make_seed(response=ANSWERS[0], skills=SKILLS, domain="Math")
    techniques = SETTINGS["techniques"] | {
        "airoboros": {"categories": {"trivia": 1}, "cull_threshold": 80},
        "lamini_example": {"examples": 3},
    }
    recipe = [{"path": [*path, "amplify"], "weight": 1}]
    row = generate(seed, *replies, GOES_ON, ANSWERS[1], recipe=recipe, techniques=techniques)
    plain = generate(seed, GOES_ON, ANSWERS[1])
    assert row["provenance"].pop("fallbacks") == [{"name": path[0], "reason": reason}]
    assert plain["provenance"].pop("fallbacks") == []
    assert row == plain


def test_a_technique_may_fail_after_another(generate, make_seed):
    recipe = [{"path": ["evol_instruct", "lamini_topic", "amplify"], "weight": 1}]
    row = generate(
        make_seed(), HARDER, {"asks_for_more": True}, ANSWERS[0], "Granite.", GOES_ON, ANSWERS[1], recipe=recipe
    )
    assert row["provenance"]["techniques"] == ["evol_instruct", "amplify"]
    assert row["provenance"]["opening"] == "evol_instruct" and row["conversation"][0]["input"] == HARDER
    assert row["provenance"]["fallbacks"] == [{"name": "lamini_topic", "reason": "instruction:too_short"}]


def test_a_conversation_that_fails_begins_again_with_the_seed(generate, make_seed):
    seed = make_seed(response=ANSWERS[0])
    recipe = [{"path": ["evol_instruct", "amplify"], "weight": 1}]
    evolved = (HARDER, {"asks_for_more": True}, "Quartz lasts.", "Thanks!")
    row = generate(seed, *evolved, GOES_ON, ANSWERS[1], recipe=recipe)
    plain = generate(seed, GOES_ON, ANSWERS[1])
    (fallback,) = row["provenance"].pop("fallbacks")
    assert fallback["name"] == "evol_instruct" and fallback["reason"].startswith("follow_up:")
    assert row["conversation"] == plain["conversation"] and row["source"] == "Airoboros"
    assert row["provenance"]["techniques"] == ["amplify"] and row["provenance"]["seed_labels"] is None
    with pytest.raises(BadTurn):  # if the seed's own opening fails too, the seed is rejected
        generate(seed, *evolved, "Thanks!", recipe=recipe)


def test_a_low_score_of_a_rewritten_opening_is_not_the_seeds_fault(generate, make_seed):
    seed = make_seed(response=ANSWERS[0], skills=SKILLS)
    recipe = [{"path": ["evol_instruct", "amplify"], "weight": 1}]
    low, high = dict.fromkeys(SKILLS, 1), dict.fromkeys(SKILLS, 5)
    evolved = (HARDER, {"asks_for_more": True}, "Quartz lasts.", GOES_ON, ANSWERS[2], low, low)
    row = generate(
        seed, *evolved, GOES_ON, ANSWERS[1], high, high, recipe=recipe, judge=SETTINGS["judge"] | {"min_mean": 4}
    )
    assert row["provenance"]["fallbacks"] == [{"name": "evol_instruct", "reason": "judge:low_score"}]


def test_an_opening_has_its_own_source_and_labels(generate, make_seed):
    """A poem that a technique wrote is not a physics problem of Verified-Camel."""
    labels = {"kind": "problem", "domain": "Natural Science", "skills": SKILLS, "difficulty": "major level"}
    seed = make_seed("How fast is the ball?", source="Verified-Camel", **labels)
    poem = "Write a poem about ballet shoes."
    recipe = [{"path": ["lamini_topic", "amplify"], "weight": 1}]
    row = generate(seed, poem, "Their satin granite is worn.", GOES_ON, ANSWERS[1], recipe=recipe)
    provenance = row["provenance"]
    assert row["source"] == "Synthetic-LaMini" and provenance["opening"] == "lamini_topic"
    assert provenance["kind"] == "instruction" and provenance["skills"] is None
    assert provenance["domain"] in TOPICS and provenance["seed"] == seed["id"]
    assert provenance["seed_labels"] == {"source": "Verified-Camel", **labels}


def test_the_teacher_labels_an_opening_if_it_labels_the_seeds(teacher, make_seed, tmp_path):
    found = {"domain": "Culture", "skills": SKILLS, "difficulty": "simple lifestyle"}
    replies = ["Write a poem about ballet shoes.", json.dumps(found), ANSWERS[0], GOES_ON, ANSWERS[1]]
    for reply in replies:
        teacher.says(reply)

    async def run():
        client = TeacherClient(
            teacher.base_url, "m", {"concurrency": 1, "timeout": 10, "retries": 0}, RequestCache(tmp_path)
        )
        settings = SETTINGS | {"recipe": [{"path": ["lamini_topic", "amplify"], "weight": 1}]}
        generator = Generator(client.ask, settings, prefill=True, labels_openings=True)
        try:
            return await generate_conversation(make_seed(domain="Math"), generator, TEACHER)
        finally:
            await client.close()

    provenance = asyncio.run(run())["provenance"]
    assert (provenance["skills"], provenance["difficulty"]) == (SKILLS, "simple lifestyle")
    assert provenance["domain"] in TOPICS  # the technique knows it
    assert len(teacher.requests) == len(replies)


@pytest.mark.parametrize("answered", range(3))
def test_an_error_of_the_teacher_ends_the_seed(generate, make_seed, teacher, monkeypatch, answered):
    says = teacher.says
    good = iter([ANSWERS[0], GOES_ON, ANSWERS[1]][:answered])
    monkeypatch.setattr(teacher, "says", lambda text: says(text) if text else teacher.sends({}, status=500))
    with pytest.raises(TeacherError):
        generate(make_seed(), *good, "")


@pytest.mark.parametrize(
    ("scores", "least", "passes"),
    [((4, 4), 4, True), ((3, 5), 4, True), ((3, 4), 3.5, True), ((3, 4), 3.6, False), ((1, 1), 1, True)],
)
def test_the_threshold_applies_to_the_mean_of_all_answers(generate, make_seed, scores, least, passes):
    seed = make_seed(response=ANSWERS[0], skills=SKILLS)
    judged = [dict.fromkeys(SKILLS, score) for score in scores]
    replies = [GOES_ON, ANSWERS[1], *judged]
    if passes:
        row = generate(seed, *replies, judge=SETTINGS["judge"] | {"min_mean": least})
        assert row["provenance"]["scores"] == [
            {"exchange": number, "scores": judgement} for number, judgement in enumerate(judged, 1)
        ]
        assert "flask_scores" in row["provenance"]["prompts"]
    else:
        with pytest.raises(BadTurn, match=r"^judge:low_score$"):
            generate(seed, *replies, judge=SETTINGS["judge"] | {"min_mean": least})


def test_the_mean_includes_all_skills(generate, make_seed):
    seed = make_seed(response=ANSWERS[0], skills=SKILLS)
    judged = [dict(zip(SKILLS, values, strict=True)) for values in ((5, 1, 3), (5, 5, 5))]
    row = generate(seed, GOES_ON, ANSWERS[1], *judged, judge=SETTINGS["judge"] | {"min_mean": 4})
    assert [list(judgement["scores"].values()) for judgement in row["provenance"]["scores"]] == [[5, 1, 3], [5, 5, 5]]
    with pytest.raises(BadTurn):
        generate(seed, GOES_ON, ANSWERS[1], *judged, judge=SETTINGS["judge"] | {"min_mean": 4.01})


@pytest.mark.parametrize("skills", [None, [], ["Geology of walls"]])
def test_seeds_without_flask_skills_are_not_judged(generate, make_seed, skills):
    row = generate(
        make_seed(response=ANSWERS[0], skills=skills), GOES_ON, ANSWERS[1], judge=SETTINGS["judge"] | {"min_mean": 5}
    )
    assert row["provenance"]["scores"] is None


def test_the_same_seed_gives_the_same_row(generate, make_seed):
    seed, replies = make_seed(response=ANSWERS[0]), (GOES_ON, ANSWERS[1])
    assert generate(seed, *replies) == generate(dict(reversed(seed.items())), *replies)

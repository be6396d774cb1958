"""The draws: independent of everything but the seed's id, by quota, and fitting."""

import re
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.seeds.labels.grid import load_grid, names
from workflow_scripts.synthesis.plan import MOVES, PERSONAS, QUOTAS, Draws, fits, mean_answer_chars, move_weights
from workflow_scripts.synthesis.request_kinds import KINDS

SYNTHESIS = yaml.safe_load(Path("rules/schemas/config.schema.yaml").read_text())["properties"]["synthesis"][
    "properties"
]
BY_NAME = {move["name"]: move for move in MOVES}
DISABLED = {"challenge", "misunderstanding", "summary_and_next"}
PLACES = ("first", "middle", "last")


def follow_ups(seed_id, count=3, kind="explanation", domain=None, factors=None, random_seed=0):
    draws, used = Draws(seed_id, random_seed), []
    for number in range(1, count + 1):
        yield (plan := draws.follow_up(number, count, 0, kind, domain, used, factors or {}))
        used.append(plan.move)


def many(number, *args, **options):
    return [list(follow_ups(f"{n:016x}", *args, **options)) for n in range(number)]


def shares(values):
    counts = Counter(values)
    return {name: count / counts.total() for name, count in counts.items()}


@given(st.text(), st.integers(1, 9), st.sampled_from(KINDS), st.integers())
def test_a_plan_depends_only_on_id_and_random_seed(seed_id, count, kind, random_seed):
    plans = list(follow_ups(seed_id, count, kind, random_seed=random_seed))
    assert plans == list(follow_ups(seed_id, count, kind, random_seed=random_seed))
    assert [plan.place for plan in plans] == (["first"] + ["middle"] * (count - 2) if count > 1 else []) + ["last"]
    for plan in plans:
        assert plan.request == BY_NAME[plan.move]["request"] and kind in BY_NAME[plan.move]["kinds"]
        assert plan.recap is None or plan.form == "question"


@pytest.mark.parametrize("kind", KINDS)
def test_a_move_is_repeated_only_if_no_other_fits(kind):
    usable = len(move_weights("middle", kind, None, {}))
    for plans in many(30, min(usable, 9), kind):
        assert len({plan.move for plan in plans}) == len(plans)
    assert len(list(follow_ups("a", 9, kind))) == 9


def test_a_failed_move_is_replaced_by_another_one():
    draws = Draws("a", 0)
    first = draws.follow_up(1, 2, 0, "explanation", None, [], {})
    other = draws.follow_up(1, 2, 1, "explanation", None, [first.move], {})
    assert other.move != first.move
    # The next follow-up is the same, whatever happened before, unless its move was used.
    later = {
        draws.follow_up(2, 2, 0, "explanation", None, used, {}).form
        for used in ([first.move], [first.move, other.move])
    }
    assert len(later) == 1


def test_moves_follow_the_quotas_of_their_place():
    plans = many(2000, 3)
    for place, name in enumerate(PLACES):
        found = shares(plan[place].group for plan in plans)
        quotas = {group: QUOTAS["groups"][name][group] for group in found}
        expected = {group: quota / sum(quotas.values()) for group, quota in quotas.items()}
        # Middle and last exclude the moves used before, so frequent groups come up slightly less often.
        assert found == pytest.approx(expected, abs=0.04 if place == 0 else 0.1)


def test_forms_follow_the_quotas_of_their_place():
    plans = many(2000, 3)
    for place, name in enumerate(PLACES):
        found = shares(f"recap_{plan[place].form}" if plan[place].recap else plan[place].form for plan in plans)
        total = sum(QUOTAS["forms"][name].values())
        assert found == pytest.approx(
            {form: weight / total for form, weight in QUOTAS["forms"][name].items()}, abs=0.03
        )
    structures = shares(plan.structure for row in plans for plan in row)
    assert structures == pytest.approx({name: share / 100 for name, share in QUOTAS["structures"].items()}, abs=0.02)


def test_moves_that_released_conversations_do_not_contain_are_off_by_default():
    assert {move["name"] for move in MOVES if move.get("disabled")} == DISABLED
    assert not DISABLED & {plan.move for row in many(500, 4) for plan in row}
    assert "challenge" in {plan.move for row in many(200, 4, factors={"challenge": 1}) for plan in row}


def test_a_factor_scales_a_move_and_zero_removes_it():
    before, after = (
        move_weights("first", "explanation", None, factors) for factors in ({}, {"impact": 0, "relation": 3})
    )
    assert "impact" not in after and after["relation"] == pytest.approx(3 * before["relation"])
    assert after["what_if"] == before["what_if"]
    with pytest.raises(UserError, match=r"no move is left for the last follow-up of a request of the kind role_play"):
        Draws("a", 0).follow_up(1, 1, 0, "role_play", None, [], dict.fromkeys(BY_NAME, 0))


def test_domains_add_moves():
    assert "code_example" in {move["name"] for move in MOVES if fits(move, "explanation", "Coding")}
    assert "code_example" not in {move["name"] for move in MOVES if fits(move, "explanation", "History")}
    assert "estimate" not in {move["name"] for move in MOVES if fits(move, "creative", "Technology")}


def test_numbers_of_exchanges_follow_their_weights():
    options = [{"count": 2, "weight": 4}, {"count": 3, "weight": 59}, {"count": 4, "weight": 37}]
    found = shares(Draws(str(number), 0).exchanges(options) for number in range(3000))
    assert found == pytest.approx({2: 0.04, 3: 0.59, 4: 0.37}, abs=0.03)


def test_one_persona_per_conversation():
    personas = [Draws(str(number), 0).persona() for number in range(500)]
    assert Draws("1", 0).persona() == personas[1] and len(set(personas)) > 100
    assert all(text in " ".join(personas) for text in PERSONAS["expertise"] + PERSONAS["goal"])


def test_target_lengths_have_the_mean_of_the_source():
    shapes = [Draws(str(number), 0).answer_shape(2, 1467) for number in range(3000)]
    assert mean(shape["words"] for shape in shapes) * 6.2 == pytest.approx(1467, rel=0.02)
    assert min(shape["words"] for shape in shapes) >= 140 and max(shape["words"] for shape in shapes) <= 340
    assert all(shape["words"] < shape["limit"] for shape in shapes)
    assert shares(shape["layout"] for shape in shapes)["list"] == pytest.approx(0.45, abs=0.03)


def test_the_mean_of_a_source():
    means = {"Airoboros": 1467.0}
    assert mean_answer_chars("Airoboros", {"target_chars": "source"}, means, 1520) == 1467
    assert mean_answer_chars("Mine", {"target_chars": "source"}, means, 1520) == 1520
    assert mean_answer_chars("Airoboros", {"target_chars": 900}, means, 1520) == 900
    assert mean_answer_chars("Airoboros", {"target_chars": None}, means, 1520) is None


def test_the_schema_lists_all_moves():
    assert list(BY_NAME) == SYNTHESIS["moves"]["propertyNames"]["enum"]
    assert len(BY_NAME) == len(MOVES)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move["name"])
def test_a_move_is_well_formed(move):
    assert {"name", "group", "kinds", "request", "openings"} <= set(move)
    assert set(move) <= {"name", "group", "share", "kinds", "domains", "answer", "disabled", "request", "openings"}
    assert set(move["kinds"]) <= set(KINDS) and set(move.get("domains", ())) <= set(names(load_grid().domains))
    assert move.get("answer", "code") in KINDS
    assert all(
        move["group"] in QUOTAS["groups"][place] for place in PLACES if move["group"] not in ("comparison", "creation")
    )
    assert re.match(r"(about|that|for|by) [a-z]", move["request"])  # "a question ...", "an instruction ..."
    assert move["request"][-1].isalpha() and "\n" not in move["request"]
    assert set(move["openings"]) == {"question", "imperative"}
    for opening in [text for texts in move["openings"].values() for text in texts]:
        assert re.fullmatch(r"[A-Z][\w' ,-]*\w", opening)  # no sentence end, no quotation marks, no outer spaces
    assert all(len(texts) >= 3 for texts in move["openings"].values())


def test_every_group_has_a_move():
    assert {group for place in PLACES for group in QUOTAS["groups"][place]} == {move["group"] for move in MOVES}

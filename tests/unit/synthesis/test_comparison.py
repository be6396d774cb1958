"""The comparison with the released file: measured values, intervals, and what counts as off target."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_synthesis import generate, make_seeds
from workflow_scripts.config.files import merged_config
from workflow_scripts.synthesis.comparison import compare, figure, measure, off_target
from workflow_scripts.synthesis.released import ANSWER_CHARS, FIGURES, SOURCES

PRESET = Path("presets/capybara-7b-v1.yaml")


def row(*exchanges, moves=(), source="Airoboros", first_answer="teacher", row_id="a"):
    return {
        "id": row_id,
        "source": source,
        "conversation": [{"input": question, "output": answer} for question, answer in exchanges],
        "provenance": {"first_answer": first_answer, "steps": [{"name": "amplify", "moves": list(moves)}]},
    }


GRANITE = row(
    ("Why is granite hard?", "46"),
    (
        "Considering the crystals of granite, why are they hard?",
        "1. Quartz: hard.\n2. Mica: soft.\n3. Feldspar: **hard**.",
    ),
    ("Elaborate on feldspar, particularly in wet regions.", "Sure, it is hard. In summary, it"),
    moves=["impact", "elaborate"],
    first_answer="seed",
)


def test_measured_values():
    values = measure([GRANITE])
    expected = {
        "two_exchanges": [0], "three_exchanges": [1], "short_seed_answers": [1], "chars": [55, 51], "words": [9, 7], "question": [1, 0],
        "imperative": [0, 1], "mixed": [0, 0], "form_changes": [1], "recap": [1, 0], "recap_second_turn": [1], "recap_third_turn": [0],
        "recap_fourth_turn": [], "anchored": [1, 1], "without_pronoun": [0, 1], "narrowing": [0, 1], "elaborate_last": [1],
        "elaborate_other": [0], "analysis": [1], "drill_down": [0], "drill_down_last": [1], "application_last": [0],
        "distinct_first_words": [1, 1], "list": [1, 0], "prose": [0, 1], "bold": [1, 0], "servile": [0, 1], "ends_mid_sentence": [0, 1],
        "ends_with_recap": [0, 1],
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert set(values) == set(FIGURES)


def test_first_words_are_compared_within_batches():
    same = [row(("Why?", "So."), ("How does granite last?", "Long."), row_id=f"{n:04}") for n in range(126)]
    assert sum(measure(same)["distinct_first_words"]) == 2


@given(st.integers(1, 400), st.data())
def test_shares_have_wilsons_interval(count, data):
    found = data.draw(st.integers(0, count))
    value = figure([1.0] * found + [0.0] * (count - found), "share", None, None, None)
    share, z = found / count, 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    assert (value["value"], value["low"], value["high"]) == pytest.approx(
        (share, centre - half, centre + half), abs=1e-3
    )


def test_means_and_quantiles():
    values = [float(number) for number in range(1, 101)]
    mean = figure(values, "mean", None, None, None)
    assert (mean["value"], mean["n"]) == (50.5, 100) and (mean["low"], mean["high"]) == pytest.approx(
        (44.7, 56.3), abs=0.1
    )
    median = figure(values, "median", None, None, None)
    assert median["low"] < median["value"] < median["high"] and median["value"] in (50, 51)
    assert figure([5.0], "mean", None, None, None)["high"] == 10


@pytest.mark.parametrize(("found", "off"), [(0, True), (20, True), (40, False), (55, False), (90, True)])
def test_off_target_is_an_interval_outside_of_the_target(found, off):
    assert figure([1.0] * found + [0.0] * (100 - found), "share", 0.4, 37, [0.35, 0.5])["off"] is off


def test_small_batches_are_rarely_off():
    assert not figure([0.0], "share", 0.4, 37, [0.35, 0.5])["off"]


def test_sources_are_compared_with_their_published_means():
    compared = compare([GRANITE, {**GRANITE, "id": "b", "source": "Mine"}])
    own = compared["per_source"]["Airoboros"]["source_exchanges"]
    assert (own["value"], own["released"]) == (3.0, SOURCES["Airoboros"]["exchanges"])
    assert compared["per_source"]["Mine"]["source_answer_chars"]["released"] is None
    assert "recap" in compared["per_source"]["Mine"] and "source_exchanges" not in compared["all"]


def test_the_order_of_rows_has_no_effect():
    rows = [{**GRANITE, "id": str(number)} for number in range(5)]
    assert compare(rows) == compare(rows[::-1])


def test_the_figures_of_the_released_file_are_on_target():
    for name, entry in FIGURES.items():
        target = entry.get("target")
        assert target is None or target[0] <= entry["released"] <= target[1] or entry["released"] == 0, name
    assert len(ANSWER_CHARS) == 7 and min(ANSWER_CHARS.values()) == 1165


@pytest.fixture(scope="module")
def settings():
    own = merged_config([PRESET])["synthesis"]
    return own | {"recipe": [{"path": ["amplify"], "weight": 1}]}


def test_a_teacher_that_follows_the_prompts_is_on_target(settings):
    rows, lost, _ = generate(make_seeds(150), settings)
    assert len(rows) == 150 and not lost
    assert off_target(compare(rows)) == []


def test_a_teacher_that_ignores_the_prompts_causes_warnings(settings):
    rows, _, faults = generate(make_seeds(60), settings, careless=True)
    warned = {line.split()[0] for line in off_target(compare(rows))}
    assert faults["follow_up:asked_before"] > 100
    assert {
        "question", "imperative", "recap", "distinct_first_words", "first_person", "chars", "answer_chars", "list", "bold", "headings",
        "servile", "three_exchanges",
    } <= warned  # fmt: skip

"""Exact and near duplicates, whatever the order of the rows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.rows import content_id
from workflow_scripts.seeds.duplicates import comparison_text, deduplicate, jaccard, per_source, shingles

WORDS = ["granite", "erodes", "slowly", "water", "crystals", "why", "river", "sand", "stone"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join), max_size=12)


def seed(instruction, source="A", response=""):
    return {
        "id": content_id(instruction, response),
        "source": source,
        "revision": "r",
        "instruction": instruction,
        "context": "",
        "response": response,
        "meta": {},
    }


@given(TEXTS, st.randoms(use_true_random=False))
def test_survivors_do_not_depend_on_the_order(instructions, rng):
    rows = [seed(text, rng.choice("AB"), rng.choice("xy")) for text in instructions]
    survivors, rejections = deduplicate(rows, 0.8)
    assert len(survivors) + len(rejections.rows) == len(rows)
    rng.shuffle(rows)
    again, rejected_again = deduplicate(rows, 0.8)
    assert again == survivors
    assert rejected_again.rows == rejections.rows


def test_of_one_row_in_two_sources_always_the_same_survives():
    rows = [seed("Why is granite hard?", source) for source in "BA"]
    assert rows[0]["id"] == rows[1]["id"]
    for order in (rows, rows[::-1]):
        survivors, rejections = deduplicate(order, 0.8)
        assert [row["source"] for row in survivors] == ["A"]
        assert [row["evidence"]["source"] for row in rejections.rows] == ["B"]


@given(TEXTS, st.sampled_from([0.5, 0.8, 1.0]))
def test_what_is_rejected_is_as_near_as_it_is_said_to_be(instructions, threshold):
    rows = {row["id"]: row for row in map(seed, instructions)}
    survivors, rejections = deduplicate(list(map(seed, instructions)), threshold)
    kept = {row["id"] for row in survivors}
    for row in rejections.rows:
        one, other = (comparison_text(rows[key]) for key in (row["id"], row["evidence"]["kept"]))
        assert row["evidence"]["kept"] in kept
        exact = jaccard(shingles(one), shingles(other))
        assert exact >= threshold if row["reason"] == "near_duplicate" else one == other
    assert len({comparison_text(row) for row in survivors}) == len(survivors)


def test_capitals_and_white_space_make_no_difference():
    survivors, rejections = deduplicate([seed("Why is granite hard?"), seed("WHY is \n granite hard?")], 0.8)
    assert (len(survivors), rejections.by_reason()) == (1, {"exact_duplicate": 1})


def test_signs_make_a_difference():
    assert len(deduplicate([seed("Solve x^2-5x+6=0"), seed("Solve x^2+5x-6=0")], 0.8)[0]) == 2


def test_two_dialogues_may_open_alike():
    one, other = (
        {**seed("Hi"), "id": text, "meta": {"conversation": [{"input": "Hi", "output": text}]}}
        for text in ("Granite is an igneous rock.", "The tide follows the moon.")
    )
    assert len(deduplicate([one, other], 0.8)[0]) == 2


def test_near_copies_go_and_others_stay():
    text = "Explain in detail why granite erodes so much more slowly than limestone does in a wet climate"
    near, other = f"{text}, please.", "Explain why the sea is salty although rivers carry fresh water into it"
    survivors, rejections = deduplicate([seed(text), seed(near), seed(other)], 0.8)
    assert len(survivors) == 2
    assert rejections.by_reason() == {"near_duplicate": 1}
    evidence = rejections.rows[0]["evidence"]
    assert evidence["jaccard"] == round(jaccard(*(shingles(comparison_text(seed(t))) for t in (text, near))), 4)
    assert {evidence["text"], evidence["kept_text"]} == {text, near}
    # Above the pair's own similarity both survive: the threshold is what decides.
    assert len(deduplicate([seed(text), seed(near)], evidence["jaccard"] + 0.001)[0]) == 2


def test_almost_no_near_duplicate_is_overlooked():
    """LSH only proposes pairs: at the default threshold it must propose nearly all of them."""
    rng, overlooked = random.Random(0), 0
    for _ in range(100):
        text = " ".join(rng.choices(WORDS, k=40))
        pair = [seed(text), seed(text[:-12])]
        assert jaccard(*(shingles(comparison_text(row)) for row in pair)) >= 0.8
        overlooked += len(deduplicate(pair, 0.8)[0]) == 2
    assert overlooked <= 1


def test_shingles():
    assert shingles("abcdef") == {"abcde", "bcdef"}
    assert shingles("abc") == {"abc"}
    assert jaccard({"a", "b"}, {"b", "c"}) == pytest.approx(1 / 3)


def test_per_source():
    counts = per_source([seed("a", "B"), seed("b", "A"), seed("c", "B")])
    assert list(counts.items()) == [("A", 1), ("B", 2)]

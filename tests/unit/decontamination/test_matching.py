"""The search is lossless: held against brute force over random texts, levels and alphabets."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from workflow_scripts.decontamination.matching import ConversationText, Query, allowed_edits, find
from workflow_scripts.decontamination.text import is_long, normalise

LEVELS = st.sampled_from([100, 99, 98, 97, 90])
FEW, LATIN, MIXED = "ab ", "abcdefghij ", "aé北\ue000\U0001f600 "
MANY = "".join(chr(0x4E00 + code) for code in range(400))


def least_distance(pattern, text):
    """Least edits between a pattern and any part of a text: the whole table, no filter and no library."""
    above = [0] * (len(text) + 1)
    for row, letter in enumerate(pattern, 1):
        current = [row]
        for column, char in enumerate(text, 1):
            current.append(min(above[column - 1] + (letter != char), above[column] + 1, current[-1] + 1))
        above = current
    return min(above)


def edited(draw, text, alphabet, most):
    for _ in range(draw(st.integers(0, most))):
        place, letter = draw(st.integers(0, len(text))), draw(st.sampled_from(alphabet))
        kind = draw(st.sampled_from(["insert", "delete", "replace"]))
        text = text[:place] + ("" if kind == "delete" else letter) + text[place + (kind != "insert") :]
    return text


@st.composite
def cases(draw, alphabet, lengths, most_edits=6):
    """A text, and a query that is a part of it after a few edits."""
    rng = draw(st.randoms(use_true_random=False))
    text = "".join(rng.choices(alphabet, k=draw(st.integers(*lengths)) + 40)).strip()
    start = draw(st.integers(0, 20))
    normal = edited(draw, text[start : len(text) - draw(st.integers(0, 20))], alphabet, most_edits).strip()
    return f" {text} ", normal or "a"


def check(text, normal, level):
    query = Query(normal, allowed_edits(len(normal), level))
    least, match = least_distance(query.padded, text), find(query, text)
    assert (match is not None) is (least <= query.edits)
    if match:
        assert match.distance == least
        assert Levenshtein.distance(query.padded, text[match.start : match.end]) == least
    return match


@settings(max_examples=150)
@given(st.sampled_from([FEW, LATIN, MIXED]).flatmap(lambda letters: cases(letters, (30, 120))), LEVELS)
def test_what_brute_force_finds_is_found_and_nothing_else(case, level):
    check(*case, level)


@settings(max_examples=10)
@given(cases(MANY, (420, 480), 12), st.sampled_from([99, 97]))
def test_alphabets_too_large_for_edlib(case, level):
    text, normal = case
    normal = MANY[:260] + normal[260:]
    check(text, normal, level)
    check(text.replace(text[200:460], normal[:260]), normal, level)


@pytest.mark.parametrize("letters", [252, 253, 254, 255, 256, 300])
@pytest.mark.parametrize("edits", [0, 3, 9])
def test_around_the_size_of_edlibs_alphabet(letters, edits):
    normal = MANY[:letters]
    damaged = "x" * edits + normal[edits:]
    match = check(f" {MANY[300:]} {damaged} {MANY[280:]} ", normal, 97)
    assert (match is None) is (edits > allowed_edits(letters, 97))


def test_no_character_stands_for_another():
    """Characters that the query lacks share one stand-in inside the search; it must not be one that the query has."""
    for letter in "\ue000\ue001":
        assert check(" one x two three four ", f"one {letter} two three four", 90).distance == 1
        assert check(f" one {letter} two three four ", f"one {letter} two three four", 90).distance == 0


@given(cases(FEW, (0, 12), 2), st.sampled_from([90, 95, 100]))
def test_the_distance_is_that_to_the_nearest_part(case, level):
    """The definition itself: the least distance to any of all the parts of the text."""
    text, normal = case
    query = Query(normal, allowed_edits(len(normal), level))
    parts = {text[a:b] for a, b in itertools.combinations_with_replacement(range(len(text) + 1), 2)}
    least = min(Levenshtein.distance(query.padded, part) for part in parts)
    match = find(query, text)
    assert (match.distance if match else None) == (least if least <= query.edits else None)


@given(st.text(min_size=1, max_size=200), st.integers(0, 20))
def test_pieces_are_disjoint_and_one_more_than_the_edits(normal, edits):
    query = Query(normal, edits)
    assert len(query.pieces) == edits + 1
    assert "".join(query.pieces) == query.padded
    if len(query.padded) > edits:
        assert all(query.pieces)


@given(st.integers(1, 3000), st.integers(90, 100))
def test_allowed_edits_are_the_most_that_reach_the_level(length, level):
    edits = allowed_edits(length, level)
    assert 1 - Fraction(edits, length) >= Fraction(level, 100) > 1 - Fraction(edits + 1, length)


def test_whole_words_match():
    text = ConversationText(["What is artificial?", "Nothing."]).text
    assert find(Query("what is art", 0), text) is None
    assert find(Query("what is artificial", 0), text).distance == 0
    assert find(Query("artificial nothing", 0), text).distance == 0  # across two turns as well


def test_level_97_of_a_long_question():
    normal = " ".join(f"word{n:02d}" for n in range(15))[:100]
    query = Query(normal, allowed_edits(100, 97))
    for edits, found in ((0, True), (3, True), (4, False)):
        damaged = "".join("#" if place % 25 == 7 and place // 25 < edits else c for place, c in enumerate(normal))
        match = find(query, f" before {damaged} after ")
        assert (match.distance if match else None) == (edits if found else None)


@given(st.lists(st.sampled_from(["", "?!", "Why so?", "a b c", "Größe 北京"]), min_size=1, max_size=6))
def test_a_place_belongs_to_its_turn(turns):
    place = ConversationText(turns)
    parts = [(turn, normalise(text)) for turn, text in enumerate(turns) if normalise(text)]
    position = 1
    for turn, normal in parts:
        assert place.text[position : position + len(normal)] == normal
        assert {place.turn_at(p) for p in range(position, position + len(normal))} == {turn}
        position += len(normal) + 1
    assert place.text == f" {' '.join(normal for _, normal in parts)} "


def test_normal_form():
    assert normalise("**Why** does\n“Granite”\t—  erode?_ﬁne ²") == "why does granite erode fine 2"
    assert normalise("STRASSE") == normalise("straße")
    assert normalise("e\u0301te\u0301") == normalise("été")
    assert normalise("?!") == ""


@given(st.text())
def test_normal_form_is_words_between_single_spaces(text):
    normal = normalise(text)
    assert normal == " ".join(normal.split())


def test_long_enough_means_50_characters_or_8_words():
    assert [is_long("x" * 49), is_long("x" * 50)] == [False, True]
    assert [is_long("a b c d e f g"), is_long("a b c d e f g h")] == [False, True]

"""The search is lossless: compared with brute force over random texts, levels and alphabets."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from workflow_scripts.common.errors import UserError
from workflow_scripts.decontamination import index as index_module
from workflow_scripts.decontamination import matching
from workflow_scripts.decontamination.index import allowed_edits, build_index, load_index, save_index
from workflow_scripts.decontamination.matching import find_matches
from workflow_scripts.decontamination.text import normal_texts, normalise

LEVELS = st.sampled_from([100, 99, 98, 97, 95, 90])
ALPHABETS = {
    "few letters": "ab ",
    "latin": "abcdefghij ",
    "one letter": "a ",
    "chinese": "北京上海广州人民 ",
    "hundreds of letters": "".join(chr(0x4E00 + code) for code in range(400)),
    "emoji": "ab\U0001f600\U0001f468\u200d\U0001f469 ",
    "combining marks": "aeo\u0301\u0308\u0345 ",
    "zero width": "abc\u200b\u200d\ufeff ",
    "soft hyphens": "abcd\xad\u2060 ",
    "arabic with tatweel and vowel points": "سطحبر\u0640\u064e\u0651\u0670 ",
    "hindi": "कनमहि\u094d\u0940\u093c ",
    "thai": "กทมน\u0e33\u0e34\u0e48\u200b ",
    "selectors and fillers": "a\ufe0f\u034f\u115f\u1160\u3164\u180e ",
    "hangul parts": "\u1100\u1161\u11a8\uac00 ",
    "more than one letter each": "ﬁßİ½Ⅷa ",
    "beyond the table": "\U00020000\U0002a6d6\U000e0041a ",
    "half surrogates": "ab\ud800\udc00 ",
    "punctuation": "ab,.*_-\n",
}


def least_distance(pattern, text):
    """Least edits between a pattern and any part of a text, by the full table without filters or libraries."""
    above = [0] * (len(text) + 1)
    for row, letter in enumerate(pattern, 1):
        current = [row]
        for column, char in enumerate(text, 1):
            current.append(min(above[column - 1] + (letter != char), above[column] + 1, current[-1] + 1))
        above = current
    return min(above)


def padded(normal):
    return f" {normal} " if normal else " "


@st.composite
def worlds(draw):
    """A few conversations, the normal forms to search for, and a level.

    The normal forms are parts of the conversations after some edits: shorter than any anchor, equal to the conversation,
    longer than it, or empty.
    """
    rng = draw(st.randoms(use_true_random=False))
    alphabet = ALPHABETS[draw(st.sampled_from(sorted(ALPHABETS)))]
    texts = ["".join(rng.choices(alphabet, k=rng.choice([0, 1, 5, 40, 150, 300]))) for _ in range(rng.randint(1, 3))]
    normals = set()
    for _ in range(rng.randint(1, 8)):
        source = normalise(rng.choice(texts))
        start = rng.randint(0, max(0, len(source) - 3))
        letters = list(source[start : start + rng.choice([1, 3, 12, 40, 80, 150, 400])])
        if rng.random() < 0.2:
            letters = list(source) + rng.choices(alphabet, k=rng.randint(0, 60))
        for _ in range(rng.randint(0, 6)):
            place = rng.randint(0, len(letters))
            letters[place : place + rng.randint(0, 1)] = rng.choices(alphabet, k=rng.randint(0, 1))
        normals.add(normalise("".join(letters)))
    return texts, sorted(normals - {""}), draw(LEVELS)


def check(texts, normals, level, sample=()):
    edits = [allowed_edits(len(normal), level) for normal in normals]
    found = {(match.number, match.query): match for match in find_matches(build_index(normals, edits, sample), texts)}
    for number, text in enumerate(texts):
        padded_text = padded(normalise(text))
        for query, normal in enumerate(normals):
            least, match = least_distance(padded(normal), padded_text), found.get((number, query))
            assert (match.distance if match else None) == (least if least <= edits[query] else None)
            if match:
                assert Levenshtein.distance(padded(normal), padded_text[match.start : match.end]) == least
    return found


@settings(max_examples=250)
@given(worlds())
def test_matches_are_those_of_brute_force(world):
    check(*world)


@settings(max_examples=40)
@given(worlds(), worlds())
def test_the_sample_changes_nothing(world, other):
    """Other anchors find the same positions: of equally close ones the first to end, and of those the shortest."""
    assert check(*world) == check(*world, sample=normal_texts(other[0] + world[0]))


@settings(max_examples=25)
@given(worlds())
def test_every_kind_of_anchor_finds_the_same(world):
    texts, normals, level = world
    everything = check(texts, normals, level)
    for kind in index_module.ANCHOR_KINDS[-2:]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index_module, "ANCHOR_KINDS", (kind, *index_module.ANCHOR_KINDS))
            assert check(texts, normals, level) == everything


@settings(max_examples=25)
@given(worlds())
def test_a_small_array_of_hits_loses_none(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "INITIAL_HIT_ROWS", 1)
        check(*world)


@settings(max_examples=60)
@given(worlds())
def test_evenly_chosen_anchors_lose_nothing(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "MAX_TABLE_CELLS", 0)
        check(*world)


@settings(max_examples=10)
@given(worlds())
def test_an_index_reads_as_it_was_written(tmp_path_factory, world):
    texts, normals, level = world
    index = build_index(normals, [allowed_edits(len(normal), level) for normal in normals])
    path = tmp_path_factory.mktemp("index") / "texts.npz"
    save_index(path, index)
    assert find_matches(load_index(path), texts) == find_matches(index, texts)


def test_an_invalid_index_file(tmp_path):
    for content in (b"", b"PK\x03\x04", b"{}"):
        (tmp_path / "texts.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"texts.npz: not an index of index_benchmarks"):
            load_index(tmp_path / "texts.npz")


def test_no_queries_or_no_texts():
    assert find_matches(build_index([], []), ["a text"]) == []
    assert find_matches(build_index(["a text"], [0]), []) == []
    assert find_matches(build_index(["a text"], [0]), ["", "?!"]) == []


def test_equal_folds_are_not_equal_texts():
    """Characters beyond ASCII share 128 folds, so different texts can have equal folds."""
    letters = [chr(code) for code in range(0x4E00, 0x9000)]
    folds = matching.normal_texts(["".join(letters)])[0].folds[1 : len(letters) + 1]
    same = [letter for letter, fold in zip(letters, folds, strict=True) if fold == folds[0]]
    normals = (same[0] * 20 + " ") * 4
    check([(same[1] * 20 + " ") * 4, normals, normals.replace(same[0], same[1], 1)], [normals.strip()], 97)


@pytest.mark.parametrize("edits", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("place", ["begin", "end", "spread"])
def test_the_bound_is_exact(edits, place):
    normal = " ".join(f"word{n:02d}" for n in range(15))[:100]
    places = {"begin": range(edits), "end": range(99, 99 - edits, -1), "spread": range(7, 7 + 25 * edits, 25)}[place]
    damaged = "".join("q" if at in places else char for at, char in enumerate(normal))
    found = check([f"before {damaged} after"], [normal], 97)
    assert bool(found) is (edits <= 3)


@given(st.integers(1, 3000), st.integers(90, 100))
def test_allowed_edits_are_the_largest_distance_of_the_level(length, level):
    edits = allowed_edits(length, level)
    assert 1 - Fraction(edits, length) >= Fraction(level, 100) > 1 - Fraction(edits + 1, length)


def test_whole_words_match():
    found = check(["What is artificial?\nNothing."], ["what is art", "what is artificial", "artificial nothing"], 100)
    assert sorted(query for _, query in found) == [1, 2]  # the last match spans two turns


def test_many_hits_in_one_conversation():
    normals = sorted({f"item number {number} of a rather long list" for number in range(5000)})
    found = check_only(["\n".join(normals)], normals)
    assert {match.query for match in found} == set(range(5000)) and {match.distance for match in found} == {0}


def check_only(texts, normals):
    return find_matches(build_index(normals, [allowed_edits(len(normal), 97) for normal in normals]), texts)


def test_a_long_text_is_found():
    """100,000 characters, of which 3,000 may differ."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(3, 9))) for _ in range(14_500)]
    text = " ".join(words)
    for number in range(0, len(words), 100):
        words[number] = words[number].upper() + "x"
    found = check_only([f"Before. {' '.join(words)} After.", text[:60_000]], [text])
    assert [(match.number, match.distance) for match in found] == [(0, 145)]


def test_a_periodic_text_is_found():
    """The same anchor is at every position, and what follows differs."""
    text = "ha " * 300 + "zebra crossing " + "ha " * 60
    check(["ha " * 800, f"{text} ho", text.replace("zebra", "zebras")], [text.strip()], 97)


def test_levels_too_low_for_anchors_are_rejected():
    with pytest.raises(ValueError, match="have no anchors"):
        build_index(["ab"], [5])


def test_the_index_is_the_same_every_time():
    normals = sorted({f"item number {number} of a rather long list" for number in range(50)})
    first, second = (build_index(normals, [1] * len(normals)) for _ in range(2))
    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in index_module.ARRAYS)

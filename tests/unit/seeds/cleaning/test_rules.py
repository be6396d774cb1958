"""Each cleaning rule on texts that it must reject and texts that it must accept."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.seeds.cleaning import rules
from workflow_scripts.seeds.cleaning.rules import (
    ANSWER_RULES,
    MIN_REPEATED_CHARS,
    PHRASES,
    RULES,
    first_fault,
    first_faults,
)

GERMAN = (
    "Der Granit verwittert sehr langsam, weil seine Kristalle fest ineinander greifen und kaum Wasser eindringen kann."
)
ENGLISH = (
    "Granite wears away very slowly, because its crystals interlock and hardly any water can find a way inside it."
)
VOICE = ("self_reference", "refusal")  # rules that read phrases in the first person, with exceptions
PATTERNS = {
    "airoboros_filters": "|".join(f"(?:{phrase})" for phrase in PHRASES["airoboros_filters"]),
    "ansi_escape": rules.ANSI_ESCAPE,
    "broken_unicode": rules.BROKEN_UNICODE.replace(r"\x{FFFD}", "\ufffd"),
}
# Python's `re` with the semantics of RE2: \b and \w match ASCII only.
COMPILED = {name: re.compile(pattern, re.IGNORECASE | re.ASCII) for name, pattern in PATTERNS.items()}
# Excluded: letters that only one of the two folds into ASCII letters, and the vertical tab, not white space in RE2.
ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="ſKİı\v")
# The parts of the patterns, combined to matches and near misses.
WORDS = """as an a AI, AI bot language model Models, large generative I i'm i’m me call was trained by my the internet sorry sorry, but can can't Can’t cannot won't
unable to assist with that your you're my personal feelings limitations of knowledge cut-off September 2021 openai
please note www. https://x.y flesch do don’t have apologies, violates trained é 北 _ 7 . \ufffd"""
PIECES = st.sampled_from([*WORDS.split(), "\x1b[0m", "\x1b", "\x00"])
SEPARATORS = st.sampled_from([" ", " ", " ", "", "\n", "\r\n", "\t", ", ", "\xa0"])
TALK = st.lists(st.tuples(PIECES, SEPARATORS).map("".join), max_size=12).map("".join)


@st.composite
def near_matches(draw):
    """(rule, a text that its pattern matches), or one that differs from such a text in one place."""
    name = draw(st.sampled_from(sorted(COMPILED)))
    text = draw(st.from_regex(COMPILED[name], alphabet=ALPHABET))
    place = draw(st.integers(0, len(text)))
    return name, draw(st.sampled_from([text, text[:place] + text[place + 1 :], f"{text[:place]}\n{text[place:]}"]))


@pytest.mark.parametrize("start", ["", "A", "A.", "Well. "])
def test_a_phrase_is_caught_at_every_position(start):
    """airoboros passed `re.I` as a start offset, and so ignored the first two characters."""
    text = f"{start} As an AI, I cannot feel.".strip()
    assert first_fault(text, RULES, answer=True) == ("self_reference", "As an AI, I")
    assert first_fault(text, ["airoboros_filters"], answer=True) == ("airoboros_filters", "As an AI")


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("It violates my rules.", "violates my"),
        ("My programming is simple.", "My programming"),
        ("A LARGE LANGUAGE thing.", "LARGE LANGUAGE"),
        ("That is illegal and dangerous.", "illegal and dangerous"),
        ("I have no personal feelings.", "personal feelings"),
        ("I will not help you with that.", "will not help you with that"),
        ("I am unable to write your essay.", "I am unable to write your "),
        ("I cannot, since you are late.", "I cannot, since you are"),
        ("Well, please note that it rains.", "please note that"),
        ("They are unable to write your essay.", "unable to write your essay"),
        ("The openair show is over.", "openai"),  # as in airoboros, without word boundaries
        ("Its Flesch score is low.", "Flesch"),
        ("Apologies, it rains.", "Apologies,"),
        ("I’m sorry, it rains.", "I'm sorry,"),
    ],
)
def test_airoboros_filters(text, evidence):
    assert first_fault(text, ["airoboros_filters"], answer=True) == ("airoboros_filters", evidence)


@pytest.mark.parametrize(
    "text",
    [
        "He said: I'm sorry, it rains.",  # only at the beginning
        "I cannot say whether, after all these long years, you are right.",  # more than 30 characters between
        "He can help you with that.",
        "As another AI would, it rains.",
    ],
)
def test_airoboros_filters_accept(text):
    assert first_fault(text, ["airoboros_filters"], answer=True) is None


@pytest.mark.parametrize(
    "text", ["I’m sorry, but I can’t help.", "I’m an AI assistant.", "I don’t have personal views."]
)
def test_typographic_apostrophes(text):
    assert first_fault(text, RULES, answer=True)


@pytest.mark.parametrize(
    "text",
    [
        "Said the aide: main bot, as announced.",
        "Explain how he can provide help; I cannot decide which path to take.",
        "It happened in October 2021, and the openair show was over.",
        "The colour is \x1b-free, [0m is not an escape, and ------------------------------ is a rule.",
        "See example.org and the http protocol.",
        "Größe, naïve, 北京 and 🪨 are\tall\r\nfine.",
        ENGLISH,
    ],
)
def test_valid_texts_pass(text):
    names = [name for name in RULES if name != "airoboros_filters"]  # it has no word boundaries
    assert first_fault(text, names, answer=True) is None


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\x1b[2Kb", "title \x1b]0;x", "\x1b[38;5;196m"])
def test_ansi_escapes(text):
    name, evidence = first_fault(text, RULES, answer=False)
    assert name == "ansi_escape"
    assert evidence.startswith("\x1b")


@pytest.mark.parametrize("character", ["\ufffd", "\x00", "\x08", "\x0e", "\x1a", "\x1c", "\x1f"])
def test_broken_unicode(character):
    for answer in (False, True):
        assert first_fault(f"It is {character} broken.", RULES, answer) == ("broken_unicode", character)


@pytest.mark.parametrize("character", ["\t", "\n", "\v", "\f", "\r", "\x1b", " ", "é", "\u200b", "\U0001faa8"])
def test_other_characters_are_not_broken(character):
    assert first_fault(f"It is {character} whole.", ["broken_unicode"], answer=True) is None


def test_empty_and_repeated():
    assert first_fault(" \n\t", RULES, answer=False) == ("empty", "")
    assert first_fault("", RULES, answer=True) == ("empty", "")
    assert first_fault("\u3000\xa0", RULES, answer=False) == ("empty", "")
    assert first_fault("a" * 31, RULES, answer=False) == ("repeated_characters", "a" * 31)
    assert first_fault("a" * 30, RULES, answer=False) is None
    assert first_fault(f"b\n{'🪨' * 31}b", RULES, answer=False) == ("repeated_characters", "🪨" * 31)


@given(st.lists(st.tuples(st.sampled_from("ab\n𝔄"), st.sampled_from([1, 2, 16, 29, 30, 31, 32, 250])), max_size=5))
def test_repeated_characters_are_those_of_a_regular_expression(runs):
    text = "".join(character * count for character, count in runs)
    match = re.search(rf"(\S)\1{{{MIN_REPEATED_CHARS - 1},}}", text)  # deep indentation is valid
    found = first_fault(text, ["repeated_characters"], answer=False)
    assert found == (match and ("repeated_characters", match.group(0)[:200]))


@pytest.mark.parametrize(
    "text",
    [
        "Granite is one of the hardest rocks, and the",
        f"{ENGLISH * 3} It depends on your",
        "It is so because water comes in and stays there all winter because \n",
        "So, for every number in the list of numbers, we call f(",
        "```python\nprint(1)",
        "First:\n```\na\n```\nthen:\n```\nb",
    ],
)
def test_truncated(text):
    assert first_fault(text, RULES, answer=True) == ("truncated", text.rstrip()[-200:])
    assert first_fault(text, RULES, answer=False) is None  # users may send unfinished texts


@pytest.mark.parametrize(
    "text",
    [
        "Granite is hard, and the\nnext line ends well.",
        "A line may end with a comma,\nand the\nnext goes on.",
        "It ends without a full stop",
        "It ends with a list:\n- one\n- two",
        "A word that only ends so: bathe",
        "Its last letters are IF and OR",
        "```python\nprint(1)\n```",
        "The value is f(x)",
        "Granite, and the",  # too short for a sentence
    ],
)
def test_complete_texts(text):
    assert first_fault(text, ["truncated"], answer=True) is None


def test_foreign_language():
    for answer in (False, True):
        assert first_fault(GERMAN, RULES, answer) == ("foreign_language", f"GERMAN: {GERMAN}")
    assert first_fault(GERMAN * 3, RULES, answer=True) == ("foreign_language", f"GERMAN: {(GERMAN * 3)[:120]}")


def test_answer_rules_do_not_apply_to_requests():
    asked = "See https://plums.org: as an AI language model, what would I say?"
    assert first_fault(asked, RULES, answer=False) is None
    assert first_fault(asked, RULES, answer=True)[0] == "self_reference"
    assert first_fault("See https://plums.org/x.", RULES, answer=True) == ("url", "https://plums.org/x")


def test_answer_rules():
    assert set(ANSWER_RULES) == {"self_reference", "refusal", "url", "truncated"}


def test_only_named_rules_apply_and_the_first_in_the_order_of_the_rules_is_reported():
    text = "\x1b[0m As an AI, I see www.plums.org"
    assert first_fault(text, ["url", "self_reference"], answer=True) == ("self_reference", "As an AI, I")
    assert first_fault(text, ["self_reference", "url"], answer=True) == ("self_reference", "As an AI, I")
    assert first_fault(text, ["url"], answer=True) == ("url", "www.plums.org")
    assert first_fault(text, ["url", "ansi_escape"], answer=True) == ("ansi_escape", "\x1b[0m")
    assert first_fault(text, [], answer=True) is None
    assert first_faults(pa.array([text]), np.array([True]), []) == [None]


def _breaks(rule, text):
    likely = RULES[rule].candidates(pa.array([text]))[0]
    return likely and RULES[rule].evidence(text, "") is not None


SOME = st.sampled_from(
    ["", ENGLISH, "As an AI, I see.", "See www.a.org,", "\x1b[0m", "a" * 31, "I'm sorry, but I can't.", "\ufffd", "So,"]
)


@given(st.lists(st.tuples(SOME, st.booleans()), max_size=8), st.permutations(sorted(RULES)), st.integers(0, len(RULES)))
def test_a_text_is_judged_the_same_alone_and_in_a_batch(texts, names, count):
    names = names[:count]
    array = pa.array([text for text, _ in texts], pa.string())
    found = first_faults(array, np.array([answer for _, answer in texts], dtype=bool), names)
    for (text, answer), fault in zip(texts, found, strict=True):
        alone = [
            rule for rule in RULES if rule in names and (answer or not RULES[rule].answers_only) and _breaks(rule, text)
        ]
        assert (fault and fault[0]) == (alone[0] if alone else None)


@settings(max_examples=300)
@given(TALK | st.text(ALPHABET), st.sampled_from(sorted(COMPILED)))
def test_re2_and_python_agree(text, name):
    _compare(name, text)


@settings(max_examples=300)
@given(near_matches(), ALPHABET | st.just(""))
def test_re2_and_python_agree_near_a_match(near, first):
    name, text = near
    _compare(name, first + text)


@settings(max_examples=300)
@given(TALK, st.sampled_from(VOICE))
def test_the_candidates_of_a_rule_include_all_that_break_it(text, name):
    """RE2 has no lookahead: its pattern is another one."""
    if RULES[name].evidence(text, ""):
        assert RULES[name].candidates(pa.array([text]))[0]


def _compare(name, text):
    match = COMPILED[name].search(text.replace("’", "'"))
    found = first_fault(text, [name], answer=True)
    assert found == (match and (name, match.group(0)[:200]))


def test_the_phrases_are_well_formed():
    assert set(PHRASES) == {"parts", *VOICE, "airoboros_filters"}
    for name in (*VOICE, "airoboros_filters"):
        phrases = PHRASES[name]
        assert isinstance(phrases, list) and phrases, name
        assert len(set(phrases)) == len(phrases), name
        for phrase in phrases:
            assert isinstance(phrase, str) and phrase == phrase.strip(), (name, phrase)
            assert "’" not in phrase, (name, phrase)  # apostrophes are straightened first: it would never match
            for part, pattern in PHRASES["parts"].items():
                phrase = phrase.replace(f"{{{part}}}", pattern)
            compiled = re.compile(phrase, re.IGNORECASE)
            for text in ("", " ", ENGLISH, "\n"):
                assert not compiled.search(text), (name, phrase, text)


def test_the_config_accepts_exactly_the_existing_rules(config):
    from workflow_scripts.config.check import mistakes

    config["seeds"]["cleaning"]["rules"] = list(RULES)
    assert mistakes(config) == []
    config["seeds"]["cleaning"]["rules"] = ["other"]
    (line,) = mistakes(config)
    assert f"is not one of {', '.join(RULES)}" in line
    assert set(ANSWER_RULES) < set(RULES)
    assert next(reversed(RULES)) == "foreign_language"  # the slowest sees only texts that pass the others

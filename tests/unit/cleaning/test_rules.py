"""Each cleaning rule on what it must catch and what it must let through."""

import pytest

from workflow_scripts.cleaning.rules import ANSWER_RULES, RULES, TEXT_RULES, first_fault, foreign_language

GERMAN = (
    "Der Granit verwittert sehr langsam, weil seine Kristalle fest ineinander greifen und kaum Wasser eindringen kann."
)
FRENCH = (
    "Le granite se dégrade très lentement, parce que ses cristaux sont imbriqués et que l'eau y pénètre difficilement."
)
ENGLISH = (
    "Granite wears away very slowly, because its crystals interlock and hardly any water can find a way inside it."
)
CHINESE = "北京是中国的首都，也是全国的政治和文化中心。这座城市有三千多年的历史，保存了许多宫殿和寺庙。"


@pytest.mark.parametrize("start", ["", "A", "A.", "Well. "])
def test_a_phrase_is_caught_at_every_position(start):
    """airoboros passed `re.I` as a start offset, and so never saw a phrase in the first two characters."""
    assert first_fault(f"{start} As an AI, I cannot feel.".strip(), RULES, answer=True) == (
        "self_reference",
        "As an AI",
    )


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I have none.",
        "It is so AS A LARGE LANGUAGE model.",
        "I'm an AI assistant.",
        "I am a language model.",
        "We language models, I must say, err.",
        "My data ends in September 2021.",
        "That is beyond my knowledge cutoff.",
        "It is in my training data.",
        "OpenAI made me.",
        "I do not have personal views.",
        "I don't possess consciousness.",
    ],
)
def test_self_reference(text):
    name, evidence = first_fault(text, RULES, answer=True)
    assert name == "self_reference"
    assert evidence.casefold() in text.casefold()


@pytest.mark.parametrize(
    "text", ["I'm sorry, but I can't say.", "I cannot assist with it.", '"Apologies, but I must go."']
)
def test_refusal(text):
    assert first_fault(text, RULES, answer=True)[0] == "refusal"


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
        ENGLISH,
    ],
)
def test_what_is_fine_passes(text):
    assert first_fault(text, RULES, answer=True) is None


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\x1b[2Kb", "title \x1b]0;x", "\x1b[38;5;196m"])
def test_ansi_escapes(text):
    name, evidence = first_fault(text, RULES, answer=False)
    assert name == "ansi_escape"
    assert evidence.startswith("\x1b")


def test_empty_and_repeated():
    assert first_fault(" \n\t", RULES, answer=False) == ("empty", "")
    assert first_fault("a" * 31, RULES, answer=False) == ("repeated_characters", "a" * 31)
    assert first_fault("a" * 30, RULES, answer=False) is None


@pytest.mark.parametrize(("text", "language"), [(GERMAN, "GERMAN"), (FRENCH, "FRENCH")])
def test_foreign_language(text, language):
    assert foreign_language(text) == f"{language}: {text}"
    assert first_fault(text, RULES, answer=True)[0] == "foreign_language"


def test_short_texts_and_code_are_no_foreign_language():
    assert foreign_language("Guten Morgen, wie geht es Ihnen?") is None
    assert foreign_language("f(x) = 3x + 2; g(x) = x**2; 12 13 14 15 16 17 18 19 20 21 22 23") is None


def test_a_language_written_without_spaces_is_foreign():
    assert foreign_language(CHINESE)


def test_users_may_write_what_answers_may_not():
    asked = "See https://example.org: as an AI language model, what would you say?"
    assert first_fault(asked, RULES, answer=False) is None
    assert first_fault(asked, RULES, answer=True)[0] == "self_reference"
    assert first_fault("See https://example.org/x.", RULES, answer=True) == ("url", "https://example.org/x.")


def test_only_named_rules_apply_and_the_first_one_tells():
    text = "\x1b[0m As an AI, see www.example.org"
    assert first_fault(text, ["url", "self_reference"], answer=True)[0] == "url"
    assert first_fault(text, ["self_reference", "url"], answer=True)[0] == "self_reference"
    assert first_fault(text, [], answer=True) is None


def test_the_config_may_name_exactly_the_rules_there_are(config):
    from workflow_scripts.config.check import mistakes

    config["seeds"]["cleaning"]["rules"] = list(RULES)
    assert mistakes(config, ["config.yaml"]) == []
    assert set(RULES) == set(TEXT_RULES) | set(ANSWER_RULES)

"""Checks of generated turns. Each check returns the fault's name, or None if the turn is valid."""

import re

from rapidfuzz import fuzz

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Exchange
from workflow_scripts.seeds.cleaning.rules import ANSWER_RULES, first_fault

PRAISE = re.compile(
    r"^\W*(?:thank|thanks|great|excellent|wonderful|that(?:'s| is) (?:great|fascinating|interesting|helpful))\b",
    re.IGNORECASE,
)
ROLE_LABEL = re.compile(r"^\W*(?:expert|assistant|reader|user|human)\s*:", re.IGNORECASE | re.MULTILINE)
SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)")
NEAR_COPY_RATIO = 90  # rapidfuzz ratio, 0 to 100
MIN_LOOP_GRAMS = 20  # shorter texts may repeat themselves on purpose
CLEANING_RULES = ("empty", "repeated_characters", *ANSWER_RULES)


def follow_up_fault(text: str, conversation: list[Exchange], opening: str) -> str | None:
    """Fault of a follow-up question after `conversation`; `opening` is how it has to begin."""
    if fault := _common_fault(text, conversation):
        return fault
    if PRAISE.search(text):
        return "praise"
    if not text.casefold().startswith(opening.split()[0].casefold()):
        return "off_move"
    if "?" not in text:
        return "no_question"
    if not _words(text.removeprefix(opening)) & {word for turn in turns(conversation) for word in _words(turn)}:
        return "refers_to_nothing"
    return None


def answer_fault(text: str, conversation: list[Exchange]) -> str | None:
    """Fault of an answer to the last message of `conversation`."""
    return _common_fault(text, conversation) or ("repetition" if _loops(text) else None)


def _common_fault(text: str, conversation: list[Exchange]) -> str | None:
    if fault := first_fault(text, CLEANING_RULES, answer=True):
        return fault[0]
    if ROLE_LABEL.search(text):
        return "role_label"
    return "near_copy" if _copies(text, conversation) else None


def first_question(text: str) -> str:
    """A reply up to its first question mark, without enclosing quotation marks; the whole reply if it has none."""
    question, mark, _ = text.strip("\"'“” \n").partition("?")
    return question + mark


def last_sentence(text: str) -> str:
    """The text up to the end of its last complete sentence; empty if there is none."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else ""


def _copies(text: str, conversation: list[Exchange]) -> bool:
    return any(fuzz.ratio(text, earlier) >= NEAR_COPY_RATIO for earlier in turns(conversation))


def _loops(text: str) -> bool:
    """Whether fewer than half of the word 4-grams are distinct. Small models fall into loops."""
    words = text.split()
    grams = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return len(grams) >= MIN_LOOP_GRAMS and len(set(grams)) < len(grams) / 2


def _words(text: str) -> set[str]:
    """The words of at least five letters, a proxy for the subject."""
    return set(re.findall(r"[^\W\d_]{5,}", text.casefold()))

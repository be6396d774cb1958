"""Checks of generated turns. Each check returns the fault's name, or None if the turn is valid.

Follow-ups are texts of a user, so the rules for answers (refusals, phrases of language models, URLs) do not apply to them.
"""

import re

from rapidfuzz import fuzz

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Exchange
from workflow_scripts.seeds.cleaning.rules import ANSWER_RULES, first_fault
from workflow_scripts.synthesis.forms import PRAISE, form, has_anchor, normalise

ROLE_LABEL = re.compile(r"^[^\w\n]*(?:expert|assistant|reader|user|human)\s*:", re.IGNORECASE | re.MULTILINE)
USER_LABEL = re.compile(  # of a user's turn, which is one line
    r"^\W*(?:expert|assistant|reader|user|human|student|teacher|interviewer|questioner|ai|you|me|q|question|follow[- ]?up(?: question| request)?"
    r"|(?:next |new )?(?:message|request|prompt|turn))(?: \d{1,2})?\W{0,3}:"
    r"|\s(?:assistant|user|human)\W{0,3}:",
    re.IGNORECASE,
)
ROLE_MARK = re.compile(
    r"\[/?(?:INST|USER|HUMAN|ASSISTANT)\]|<\|?/?(?:user|human|assistant|system|im_start|im_end|request|answer)\b",
    re.IGNORECASE,
)
QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("`", "`"), ("**", "**"), ("*", "*"))
SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)")
NEAR_COPY_RATIO = 90  # rapidfuzz ratio, 0 to 100
ASKED_RATIO = 85  # of two normalised requests: the second was asked before, in other words
QUOTED_RATIO = 90  # partial ratio of a follow-up with a passage of an answer
MIN_LOOP_GRAMS = 20  # shorter texts may repeat themselves on purpose
MIN_LOOP_SENTENCES, MIN_SENTENCE_WORDS = 4, 3
TURN_RULES = ("empty", "ansi_escape", "broken_unicode", "repeated_characters")


def follow_up_fault(text: str, conversation: list[Exchange], min_chars: int, max_chars: int) -> str | None:
    """Fault of a user's follow-up after `conversation`: a question or an imperative about the previous exchange.

    Documented: 80 % of released follow-ups have 80 to 212 characters; `min_chars` and `max_chars` are wider.
    """
    if fault := first_fault(text, TURN_RULES, answer=False):
        return fault[0]
    if "\n" in text.strip():
        return "multi_line"
    if USER_LABEL.search(text) or ROLE_MARK.search(text):
        return "role_label"
    if any(len(text) > 2 and text.startswith(start) and text.endswith(end) for start, end in QUOTES):
        return "quoted"
    if PRAISE.search(text):
        return "praise"
    if len(text) < min_chars:
        return "too_short"
    if len(text) > max_chars:
        return "too_long"
    if _asked(text, conversation):
        return "asked_before"
    if _copies(text, conversation) or _quotes_answer(text, conversation):
        return "near_copy"
    if form(text) is None:
        return "no_request"
    previous = "\n".join(turns(conversation[-1:]))
    return None if has_anchor(text, previous) else "refers_to_nothing"


def answer_fault(text: str, conversation: list[Exchange]) -> str | None:
    """Fault of an answer to the last message of `conversation`."""
    asked = "\n".join(exchange["input"] for exchange in conversation)
    if fault := first_fault(text, (*TURN_RULES, *ANSWER_RULES), answer=True, asked=asked):
        return fault[0]
    if ROLE_LABEL.search(text):
        return "role_label"
    if _copies(text, conversation):
        return "near_copy"
    return "repetition" if _loops(text) else None


def last_sentence(text: str) -> str:
    """The text up to the end of its last complete sentence; empty if there is none."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else ""


def first_sentence(text: str) -> str:
    """The text up to the end of its first sentence or line; a line that introduces more, with a colon, ends there."""
    line = text.strip().split("\n", 1)[0].rstrip()
    end = SENTENCE_END.search(line)
    if end:
        return line[: end.end()]
    return f"{line[:-1].rstrip()}." if line.endswith(":") else line


def _asked(text: str, conversation: list[Exchange]) -> bool:
    asked = normalise(text)
    return any(fuzz.token_sort_ratio(asked, normalise(exchange["input"])) >= ASKED_RATIO for exchange in conversation)


def _quotes_answer(text: str, conversation: list[Exchange]) -> bool:
    """Whether a follow-up is a passage of an answer."""
    asked = normalise(text)
    return any(
        len(asked) < len(answer) and fuzz.partial_ratio(asked, answer) >= QUOTED_RATIO
        for answer in (normalise(exchange["output"]) for exchange in conversation)
    )


def _copies(text: str, conversation: list[Exchange]) -> bool:
    return any(fuzz.ratio(text, earlier) >= NEAR_COPY_RATIO for earlier in turns(conversation))


def _loops(text: str) -> bool:
    """Whether fewer than half of the word 4-grams, or no more than half of the sentences, are distinct.

    Small models fall into loops, also within numbered lists.
    """
    words = text.split()
    grams = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    if len(grams) >= MIN_LOOP_GRAMS and len(set(grams)) < len(grams) / 2:
        return True
    parts = [re.sub(r"^[\d ]+", "", normalise(part)) for part in re.split(r"(?<=[.!?])\s|\n", text)]
    sentences = [part for part in parts if len(part.split()) >= MIN_SENTENCE_WORDS]
    return len(sentences) >= MIN_LOOP_SENTENCES and len(set(sentences)) <= len(sentences) / 2

"""Named rules that tell why a text is unfit; each returns the text that triggered it, or None.

Capybara's card names "As an AI language model", "September 2021" "and other phrases"; its own list was never
published. The phrases here are those of airoboros' `response_filters` (matched at every position: the original
passes `re.I` as a start offset and so skips the first two characters) and of Open-Assistant's FILTER_BY_WORDS.
URL, ANSI-escape and foreign-language filters are the ones its author named in public.
"""

import functools
import re
from collections.abc import Callable

SELF_REFERENCE = re.compile(
    "|".join(
        (
            r"\bas an? (?:large )?(?:ai|generative language|language|gpt|bot)\b",
            r"\bi(?:'m| am) an? (?:ai|large language|language) ?(?:model|assistant)?\b",
            r"\b(?:large )?language models?,? (?:i|trained)\b",
            r"september 2021",
            r"\bmy (?:knowledge cut-?off|programming|limitations|training data)\b",
            r"\bopenai\b",
            r"\bi do(?:n't| not) (?:possess|have|exhibit) (?:personal|consciousness|subjective)",
        )
    ),
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"^\W*(?:i(?:'m| am) (?:very |so )?sorry,?(?: but)? i (?:can|am unable)|i (?:cannot|can't|won't|will not) (?:assist|help|provide|fulfil)"
    r"|apologies, but i)",
    re.IGNORECASE,
)
URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
ANSI_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
REPEATED = re.compile(r"(.)\1{30,}", re.DOTALL)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text.replace("\u2019", "'"))
    return match.group(0)[:200] if match else None


@functools.cache
def _detector():
    from lingua import LanguageDetectorBuilder

    # Low accuracy uses trigrams alone: texts here are sentences, not words, and it needs a tenth of the memory.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def foreign_language(text: str) -> str | None:
    """The detected language if it is not English; None for a text too short to tell.

    Long enough are 12 words, or 20 letters beyond the Latin ones: some scripts put no spaces between words.
    """
    words = re.findall(r"[^\W\d_]{2,}", text)
    if len(words) < 12 and sum(letter > "\u024f" for word in words for letter in word) < 20:
        return None
    language = _detector().detect_language_of(" ".join(words[:200]))
    return None if language is None or language.name == "ENGLISH" else f"{language.name}: {text[:120]}"


# Rules for any text of a row, user's and assistant's.
TEXT_RULES: dict[str, Callable[[str], str | None]] = {
    "empty": lambda text: "" if not text.strip() else None,
    "ansi_escape": lambda text: _found(ANSI_ESCAPE, text),
    "repeated_characters": lambda text: _found(REPEATED, text),
    "foreign_language": foreign_language,
}
# Rules for assistant texts alone: a user may well paste a link or speak of language models.
ANSWER_RULES: dict[str, Callable[[str], str | None]] = {
    "self_reference": lambda text: _found(SELF_REFERENCE, text),
    "refusal": lambda text: _found(REFUSAL, text),
    "url": lambda text: _found(URL, text),
}
RULES = (*TEXT_RULES, *ANSWER_RULES)


def first_fault(text: str, rules: tuple[str, ...] | list[str], answer: bool) -> tuple[str, str] | None:
    """(rule, evidence) of the first of the named `rules` that `text` breaks; answers meet the answer rules too."""
    table = TEXT_RULES | ANSWER_RULES if answer else TEXT_RULES
    for name in rules:
        if name in table and (evidence := table[name](text)) is not None:
            return name, evidence
    return None

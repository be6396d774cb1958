"""Checks of an answer without a judge: facts it must contain or keep from earlier turns, and limits it was given.

A check is a mapping with one key:

    contains   list of texts; at least one occurs in the answer, in any case and as whole words
    absent     list of texts; none occurs
    number     the answer contains this number, with or without thousands separators
    max_words, min_words   limits of the answer's length
"""

import re
from collections.abc import Callable
from typing import Any

NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?")


def _occurs(text: str, answer: str) -> bool:
    words = r"\s+".join(map(re.escape, text.split()))
    return re.search(rf"(?<!\w){words}(?!\w)", answer, re.IGNORECASE) is not None


def _numbers(answer: str) -> set[float]:
    return {float(found.replace(",", "").replace("−", "-")) for found in NUMBER.findall(answer)}


CHECKS: dict[str, Callable[[Any, str], bool]] = {
    "contains": lambda texts, answer: any(_occurs(text, answer) for text in texts),
    "absent": lambda texts, answer: not any(_occurs(text, answer) for text in texts),
    "number": lambda value, answer: float(value) in _numbers(answer),
    "max_words": lambda count, answer: 0 < len(answer.split()) <= count,
    "min_words": lambda count, answer: len(answer.split()) >= count,
}


def is_valid(check: Any) -> bool:
    """Whether a value of a questions file is a check."""
    if not isinstance(check, dict) or len(check) != 1:
        return False
    ((name, value),) = check.items()
    if name in ("contains", "absent"):
        return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text.strip() for text in value)
    return name in CHECKS and isinstance(value, int | float) and not isinstance(value, bool)


def passes(check: dict[str, Any], answer: str) -> bool:
    """Whether an answer passes a check. An empty answer passes none."""
    ((name, value),) = check.items()
    return bool(answer.strip()) and CHECKS[name](value, answer)

"""Named rules that tell why a text is unfit, each applied to many texts at once.

Capybara's card and its author name phrases ("As an AI language model", "September 2021"), foreign languages, URLs and
ANSI escapes; Argilla's filter of the same data looks at every turn, not only the last. The phrases are in phrases.yaml.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.text_arrays import boolean, longest_runs
from workflow_scripts.seeds.cleaning.language import foreign

Mask = np.ndarray  # bool, one a text
PHRASES: dict[str, list[str]] = yaml.safe_load(package_file("seeds/cleaning/phrases.yaml").read_text(encoding="utf-8"))
URL = r"\b(?:https?://|www\.)\S+"
ANSI_ESCAPE = r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]"
BROKEN = r"\x{FFFD}|[\x00-\x08\x0e-\x1a\x1c-\x1f]"  # the replacement character, and control characters but ESC
REPEATS = 31  # of one character but white space, which indents code; a ruled line of 30 dashes is fine
# An answer that stops in the middle: an open code block, or a last line that ends with a comma or a word that leads on.
OPEN_END = r"(?:[,(\[{]|\b(?:an|the|and|or|of|to|with|because|which|your|their))$"


@dataclass(frozen=True)
class Rule:
    """`find(texts)` marks the unfit texts; `evidence(text)` cites what made one unfit."""

    find: Callable[[pa.Array], Mask]
    evidence: Callable[[str], str]
    answers_only: bool = False  # a user may well paste a link or speak of language models


def straighten(texts: pa.Array) -> pa.Array:
    """Curly apostrophes as straight ones."""
    return pc.replace_substring(texts, "\u2019", "'")


def _pattern(pattern: str, answers_only: bool = False) -> Rule:
    compiled = re.compile(pattern.replace(r"\x{FFFD}", "\ufffd"), re.IGNORECASE | re.ASCII)  # as RE2's \b and \w

    def find(texts: pa.Array) -> Mask:
        return boolean(pc.match_substring_regex(straighten(texts), pattern, ignore_case=True))

    def evidence(text: str) -> str:
        match = compiled.search(text.replace("\u2019", "'"))
        return match.group(0)[:200] if match else text[:200]

    return Rule(find, evidence, answers_only)


def _truncated(texts: pa.Array) -> Mask:
    open_fence = pc.bit_wise_and(pc.count_substring(texts, "```"), 1)
    return boolean(pc.equal(open_fence, 1)) | boolean(
        pc.match_substring_regex(pc.utf8_rtrim_whitespace(texts), OPEN_END)
    )


def _repeated(text: str) -> str:
    match = re.search(rf"(\S)\1{{{REPEATS - 1},}}", text, re.ASCII)
    return match.group(0)[:200] if match else ""


def _any_of(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


RULES: dict[str, Rule] = {
    "empty": Rule(lambda texts: boolean(pc.equal(pc.utf8_trim_whitespace(texts), "")), lambda text: ""),
    "ansi_escape": _pattern(ANSI_ESCAPE),
    "broken_unicode": _pattern(BROKEN),
    "repeated_characters": Rule(
        lambda texts: longest_runs(pc.replace_substring_regex(texts, r"\s+", " ")) >= REPEATS, _repeated
    ),
    "self_reference": _pattern(_any_of(PHRASES["self_reference"]), answers_only=True),
    "refusal": _pattern(_any_of(PHRASES["refusal"]), answers_only=True),
    "airoboros_filters": _pattern(_any_of(PHRASES["airoboros_filters"]), answers_only=True),
    "url": _pattern(URL, answers_only=True),
    "truncated": Rule(_truncated, lambda text: text[-200:], answers_only=True),
    # The slowest, so it stands last: it sees only what passed the others.
    "foreign_language": Rule(
        lambda texts: foreign(texts)[0], lambda text: f"{foreign(pa.array([text]))[1][0]}: {text[:120]}"
    ),
}
ANSWER_RULES = tuple(name for name, rule in RULES.items() if rule.answers_only)


def first_faults(texts: pa.Array, answers: Mask, names: Sequence[str]) -> list[str | None]:
    """For each text the first of the named rules that it breaks, in the order of `RULES`; answers meet the answer rules too."""
    found = np.full(len(texts), -1)
    for number, (name, rule) in enumerate(RULES.items()):
        if name in names:
            open_ = np.flatnonzero((found < 0) & (answers | (not rule.answers_only)))
            if len(open_):
                found[open_[rule.find(texts.take(pa.array(open_)))]] = number
    known = list(RULES)
    return [known[number] if number >= 0 else None for number in found]


def first_fault(text: str, names: Sequence[str], answer: bool) -> tuple[str, str] | None:
    """(rule, evidence) of one text, or None."""
    name = first_faults(pa.array([text]), np.array([answer]), names)[0]
    return name and (name, RULES[name].evidence(text))

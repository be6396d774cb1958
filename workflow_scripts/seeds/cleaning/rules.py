"""Named cleaning rules, each applied to a batch of texts.

Documented by Capybara's card and its author: the phrases "As an AI language model" and "September 2021", foreign
languages, URLs and ANSI escapes. Argilla's filter of the same data reads every turn, not only the last. The phrases are
in phrases.yaml.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.text_arrays import boolean, longest_runs
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.cleaning.language import foreign

Mask = np.ndarray  # bool, shape (texts,)
PHRASES: dict[str, list[str]] = read_yaml(package_file("seeds/cleaning/phrases.yaml"))
URL = r"\b(?:https?://|www\.)\S+"
ANSI_ESCAPE = r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]"
BROKEN_UNICODE = r"\x{FFFD}|[\x00-\x08\x0e-\x1a\x1c-\x1f]"  # the replacement character, and control characters but ESC
MIN_REPEATED_CHARS = 31  # of one character other than white space; a rule of 30 dashes is valid
# The last line of a truncated answer ends with a comma, an opening bracket or a word such as "the".
OPEN_END = r"(?:[,(\[{]|\b(?:an|the|and|or|of|to|with|because|which|your|their))$"


@dataclass(frozen=True)
class Rule:
    """`find(texts)` is a mask of the texts that break the rule; `evidence(text)` quotes the reason in such a text."""

    find: Callable[[pa.Array], Mask]
    evidence: Callable[[str], str]
    answers_only: bool = False  # users may paste links and mention language models


def straighten(texts: pa.Array) -> pa.Array:
    """The texts with straight apostrophes in place of curly ones."""
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
    match = re.search(rf"(\S)\1{{{MIN_REPEATED_CHARS - 1},}}", text, re.ASCII)
    return match.group(0)[:200] if match else ""


def _any_of(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


RULES: dict[str, Rule] = {
    "empty": Rule(lambda texts: boolean(pc.equal(pc.utf8_trim_whitespace(texts), "")), lambda text: ""),
    "ansi_escape": _pattern(ANSI_ESCAPE),
    "broken_unicode": _pattern(BROKEN_UNICODE),
    "repeated_characters": Rule(
        lambda texts: longest_runs(pc.replace_substring_regex(texts, r"\s+", " ")) >= MIN_REPEATED_CHARS, _repeated
    ),
    "self_reference": _pattern(_any_of(PHRASES["self_reference"]), answers_only=True),
    "refusal": _pattern(_any_of(PHRASES["refusal"]), answers_only=True),
    "airoboros_filters": _pattern(_any_of(PHRASES["airoboros_filters"]), answers_only=True),
    "url": _pattern(URL, answers_only=True),
    "truncated": Rule(_truncated, lambda text: text[-200:], answers_only=True),
    # Last because it is the slowest: it sees only texts that pass the other rules.
    "foreign_language": Rule(
        lambda texts: foreign(texts)[0], lambda text: f"{foreign(pa.array([text]))[1][0]}: {text[:120]}"
    ),
}
ANSWER_RULES = tuple(name for name, rule in RULES.items() if rule.answers_only)


def first_faults(texts: pa.Array, answers: Mask, names: Sequence[str]) -> list[str | None]:
    """For each text the first of the named rules that it breaks, in the order of `RULES`, or None.

    `answers` marks the texts of assistants; rules with `answers_only` apply only to these.
    """
    first = np.full(len(texts), -1)
    for number, (name, rule) in enumerate(RULES.items()):
        if name in names:
            tested = np.flatnonzero((first < 0) & (answers | (not rule.answers_only)))
            if len(tested):
                first[tested[rule.find(texts.take(pa.array(tested)))]] = number
    rules = list(RULES)
    return [rules[number] if number >= 0 else None for number in first]


def first_fault(text: str, names: Sequence[str], answer: bool) -> tuple[str, str] | None:
    """(rule, evidence) of the first rule that one text breaks, or None."""
    name = first_faults(pa.array([text]), np.array([answer]), names)[0]
    return None if name is None else (name, RULES[name].evidence(text))

"""Named cleaning rules, each applied to a batch of texts.

Documented by Capybara's card and its author: the phrases "As an AI language model" and "September 2021", foreign
languages, URLs and ANSI escapes. Argilla's filter of the same data reads every turn, not only the last. The phrases are
in phrases.yaml. `tests/benchmarks/cleaning_rules.py` measures each rule's precision and recall.
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
from workflow_scripts.seeds.cleaning.language import foreign, surely_english
from workflow_scripts.seeds.cleaning.links import LINK, own_link
from workflow_scripts.seeds.cleaning.truncation import CLOSED, cut_off
from workflow_scripts.seeds.cleaning.voice import refuses, speaks_as_model

Mask = np.ndarray  # bool, shape (texts,)
Fault = tuple[str, str]  # rule, evidence
PHRASES = read_yaml(package_file("seeds/cleaning/phrases.yaml"))
ANSI_ESCAPE = r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]"
BROKEN_UNICODE = r"\x{FFFD}|[\x00-\x08\x0e-\x1a\x1c-\x1f]"  # the replacement character, and control characters but ESC
MIN_REPEATED_CHARS = 31
# White space, and what rules, tables, blanks in forms and drawings consist of, may repeat.
RULE_CHARS = r"\s\-=_*#~+|/\\\x{2500}-\x{257F}\x{2580}-\x{259F}"


@dataclass(frozen=True)
class Rule:
    """`candidates(texts)` is a mask that includes every text that breaks the rule; it is fast.

    `evidence(text, asked)` quotes the reason in a candidate, or is None if it does not break the rule; `asked` is what the
    user wrote before it.
    """

    candidates: Callable[[pa.Array], Mask]
    evidence: Callable[[str, str], str | None]
    answers_only: bool = False  # users may paste links and mention language models


def _matches(texts: pa.Array, pattern: str) -> Mask:
    straight = pc.replace_substring(texts, "\u2019", "'")
    return boolean(pc.match_substring_regex(straight, pattern, ignore_case=True))


def _pattern(pattern: str, answers_only: bool = False) -> Rule:
    compiled = re.compile(pattern.replace(r"\x{FFFD}", "\ufffd"), re.IGNORECASE | re.ASCII)  # as RE2's \b and \w

    def evidence(text: str, asked: str) -> str | None:
        match = compiled.search(text.replace("\u2019", "'"))
        return match.group(0)[:200] if match else None

    return Rule(lambda texts: _matches(texts, pattern), evidence, answers_only)


def _voice(name: str, check: Callable[[str, str, re.Pattern[str]], str | None]) -> Rule:
    """A rule of phrases.yaml in the first person. RE2 has no lookahead and is slow on counted gaps: `wide` matches more."""
    pattern = _any_of(PHRASES[name])
    wide = re.sub(r"\{same\}\{\d+,\d+\}\??", "{same}*", pattern.replace("{end}", ""))
    wide = re.sub(r"\(\?!\w+\\b\)", "", wide)
    for part, text in PHRASES["parts"].items():
        pattern, wide = pattern.replace(f"{{{part}}}", text), wide.replace(f"{{{part}}}", text)
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return Rule(lambda texts: _matches(texts, wide), lambda text, asked: check(text, asked, compiled), True)


def _ends_open(texts: pa.Array) -> Mask:
    trimmed = pc.utf8_rtrim_whitespace(texts)
    fenced = boolean(pc.match_substring_regex(texts, "```|~~~"))
    return fenced | ~boolean(pc.match_substring_regex(trimmed, CLOSED))


def _repeated(text: str, asked: str) -> str | None:
    match = re.search(rf"([^{_PYTHON_RULE_CHARS}])\1{{{MIN_REPEATED_CHARS - 1},}}", text)
    return match.group(0)[:200] if match else None


_PYTHON_RULE_CHARS = re.sub(r"\\x\{(\w+)\}", lambda code: chr(int(code[1], 16)), RULE_CHARS)


def _foreign(text: str, asked: str) -> str | None:
    language = None if surely_english(text) else foreign(pa.array([text]))[1][0]
    return f"{language}: {text[:120]}" if language else None


def _any_of(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


RULES: dict[str, Rule] = {
    "empty": Rule(
        lambda texts: boolean(pc.equal(pc.utf8_trim_whitespace(texts), "")),
        lambda text, asked: None if text.strip() else "",
    ),
    "ansi_escape": _pattern(ANSI_ESCAPE),
    "broken_unicode": _pattern(BROKEN_UNICODE),
    "repeated_characters": Rule(
        lambda texts: longest_runs(pc.replace_substring_regex(texts, f"[{RULE_CHARS}]+", " ")) >= MIN_REPEATED_CHARS,
        _repeated,
    ),
    "self_reference": _voice("self_reference", speaks_as_model),
    "refusal": _voice("refusal", refuses),
    "airoboros_filters": _pattern(_any_of(PHRASES["airoboros_filters"]), answers_only=True),
    "url": Rule(lambda texts: _matches(texts, LINK), own_link, answers_only=True),
    "truncated": Rule(_ends_open, cut_off, answers_only=True),
    # Last because it is the slowest: it sees only texts that pass the other rules.
    "foreign_language": Rule(lambda texts: foreign(texts)[0], _foreign),
}
OPTIONAL_RULES = {"airoboros_filters"}  # off by default
ANSWER_RULES = tuple(name for name, rule in RULES.items() if rule.answers_only and name not in OPTIONAL_RULES)


def first_faults(
    texts: pa.Array, answers: Mask, names: Sequence[str], asked: Callable[[int], str] = lambda number: ""
) -> list[Fault | None]:
    """For each text the first of the named rules that it breaks, in the order of `RULES`, with its evidence, or None.

    `answers` marks the texts of assistants; rules with `answers_only` apply only to these. `asked(number)` is what the
    user wrote before text `number`.
    """
    found: list[Fault | None] = [None] * len(texts)
    free = np.ones(len(texts), dtype=bool)
    for name, rule in RULES.items():
        if name in names:
            tested = np.flatnonzero(free & (answers | (not rule.answers_only)))
            if not len(tested):
                continue
            likely = tested[rule.candidates(texts.take(pa.array(tested)))]
            for number, text in zip(likely.tolist(), texts.take(pa.array(likely)).to_pylist(), strict=True):
                evidence = rule.evidence(text, asked(number))
                if evidence is not None:
                    found[number], free[number] = (name, evidence), False
    return found


def first_fault(text: str, names: Sequence[str], answer: bool, asked: str = "") -> Fault | None:
    """(rule, evidence) of the first rule that one text breaks, or None; `asked` is what the user wrote before it.

    As `first_faults`, without arrays: these compile each pattern again for every call.
    """
    for name, rule in RULES.items():
        if name in names and (answer or not rule.answers_only):
            evidence = rule.evidence(text, asked)
            if evidence is not None:
                return name, evidence
    return None

"""Shared by the techniques that write instructions: texts extracted from replies, their faults, first answers."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable

from rapidfuzz import fuzz

from workflow_scripts.common.conversations import request_text
from workflow_scripts.synthesis.answering import answer_system
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.forms import VERBS
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import NEAR_COPY_RATIO, answer_fault
from workflow_scripts.synthesis.request_kinds import kind_of_text

MIN_WORDS, MAX_WORDS = 3, 400
MAX_WRAPPINGS = 10
MIN_NEW_WORDS = 4  # a long instruction that gained a clause is similar to its original, but not a copy
THING = r"(?:instruction|prompt|question|problem|task|request|riddle|puzzle)s?"
LEAD_IN = re.compile(
    r"^(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[,.! ]*)?(?:here(?:'s|’s| is| are)|below is)\b"
    rf"[^\n:]{{0,100}}?\b(?:{THING}|version)\b[^\n:]{{0,60}}:\s*",
    re.IGNORECASE,
)
LABEL = re.compile(
    r"^[#*_>\s]*(?:the\s+)?(?:(?:new|rewritten|revised|evolved|created|modified|final|example|logic|your)\s+)*"
    rf"{THING}(?:\s+\d+)?[#*_ ]*(?::[#*_]*|\n)\s*",
    re.IGNORECASE,
)
FENCE = re.compile(r"^```[\w+-]*\n((?:(?!```).)*)\n?```$", re.DOTALL)
QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"))
# Words of our prompts that do not belong to an instruction, and words known to leak from the published prompts.
PROMPT_WORDS = re.compile(
    r"\b(?:given|original|rewritten|created|evolved|new)[ _](?:prompt|instruction|request)s?\b"
    r"|#[\w ]*prompt#|</?(?:request|attachment|example|before|after|answer|known)s?>",
    re.IGNORECASE,
)
ANSWERS = re.compile(
    r"^\W*(?:(?:sure|certainly|of course|absolutely|yes|no)\s*[,.!]|(?:the |final )?(?:answer|solution)(?: is\b|\s*:)"
    r"|here(?:'s|’s| is| are)\b|in (?:conclusion|summary)\b)",
    re.IGNORECASE,
)
# A text without a question mark is a request only if one of these verbs is where a request begins.
REQUEST = re.compile(
    rf"(?:^|[.!:;,\n]|\b(?:and|then|please|to|i|you|we|must|should|can))[\s*#>\"'“-]{{0,20}}(?:{VERBS}|need|research|want)\b",
    re.IGNORECASE,
)


def strip_wrapping(text: str) -> str:
    """A reply without lead-ins, labels, quotation marks and Markdown fences around its text, at most `MAX_WRAPPINGS`."""
    for _ in range(MAX_WRAPPINGS):
        stripped = LABEL.sub("", LEAD_IN.sub("", text.strip())).strip()
        if match := FENCE.match(stripped):
            stripped = match[1].strip()
        for start, end in QUOTES:
            inner = stripped[1:-1]
            if len(stripped) > 2 and stripped[0] == start and stripped[-1] == end and not {start, end} & set(inner):
                stripped = inner.strip()
        if stripped == text:
            break
        text = stripped
    return text


def instruction_fault(text: str, originals: Iterable[str] = (), max_words: int = MAX_WORDS) -> str | None:
    """Fault of an instruction that was derived from `originals`, or None."""
    if fault := answer_fault(text, []):  # the checks that apply to every turn
        return fault
    if len(text.split()) < MIN_WORDS:
        return "too_short"
    if len(text.split()) > max_words:
        return "too_long"
    originals = list(originals)
    if (match := PROMPT_WORDS.search(text)) and not any(match[0].casefold() in old.casefold() for old in originals):
        return "prompt_words"
    if ANSWERS.search(text) or ("?" not in text and not REQUEST.search(text)):
        return "answers"
    return "near_copy" if any(_copies(text, original) for original in originals) else None


def _copies(text: str, original: str) -> bool:
    text, original = text.casefold(), original.casefold()
    new = Counter(re.findall(r"\w+", text)) - Counter(re.findall(r"\w+", original))
    return fuzz.ratio(text, original) >= NEAR_COPY_RATIO and new.total() < MIN_NEW_WORDS


async def generate_answer(draft: Draft, generator: Generator, instruction: str, context: str = "") -> str:
    """The teacher's answer to a first request."""
    kind = kind_of_text(instruction) or "explanation"  # the words of an attached text are not a request
    question = request_text(instruction, context, draft.kind)
    messages = [
        {"role": "system", "content": answer_system(draft, generator, kind)},
        {"role": "user", "content": question},
    ]
    check = functools.partial(answer_fault, conversation=[{"input": question, "output": ""}])
    return await generator.write(draft, "answer", messages, check)


def replace_opening(
    draft: Draft,
    technique: str,
    instruction: str,
    answer: str = "",
    *,
    kind: str = "instruction",
    domain: str | None = None,
    skills: list[str] | None = None,
    difficulty: str | None = None,
) -> None:
    """Replace the draft's opening by a new one that `technique` wrote. Labels that it does not know are None."""
    draft.opening = technique
    draft.instruction, draft.context, draft.answer = instruction, "", answer
    draft.kind, draft.domain, draft.skills, draft.difficulty = kind, domain, skills, difficulty


async def write_instruction(
    draft: Draft,
    generator: Generator,
    prompt: str,
    originals: Iterable[str],
    max_words: int = MAX_WORDS,
    check: Callable[[str], str | None] = lambda text: None,
) -> str:
    """The teacher's reply to `prompt` as an instruction that differs from `originals` and has no fault of `check`.

    Raises BadTurn.
    """
    originals = list(originals)

    def fault(text: str) -> str | None:
        return check(text) or instruction_fault(text, originals, max_words)

    return await generator.write(draft, "instruction", [{"role": "user", "content": prompt}], fault, strip_wrapping)

"""Shared by the techniques that write instructions: texts extracted from replies, their faults, topics, first answers."""

import functools
import re
from collections import Counter
from collections.abc import Iterable

from rapidfuzz import fuzz

from workflow_scripts.common.types import Seed
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import NEAR_COPY_RATIO, answer_fault

MIN_WORDS, MAX_WORDS = 3, 400
MIN_NEW_WORDS = 4  # a long instruction that gained a clause is similar to its original, but not a copy
MAX_TOPIC_WORDS = 15
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
    r"|#[\w ]*prompt#|</?(?:request|attachment|example|answer|known)s?>",
    re.IGNORECASE,
)
ANSWERS = re.compile(
    r"^\W*(?:(?:sure|certainly|of course|absolutely|yes|no)\s*[,.!]|(?:the |final )?(?:answer|solution)(?: is\b|\s*:)"
    r"|here(?:'s|’s| is| are)\b|in (?:conclusion|summary)\b)",
    re.IGNORECASE,
)
# A text without a question mark is a request only if one of these verbs is where a request begins.
VERBS = (
    r"act|analy[sz]e|answer|argue|arrange|brainstorm|build|calculate|categori[sz]e|choose|classify|come|comment|compare"
    r"|complete|compose|compute|consider|construct|continue|convert|correct|count|create|critique|debug|decide|deduce"
    r"|define|demonstrate|derive|describe|design|detail|determine|develop|devise|discuss|draft|edit|elaborate|estimate"
    r"|evaluate|examine|expand|explain|explore|extract|fill|find|fix|formulate|generate|give|guide|help|identify"
    r"|illustrate|imagine|implement|improve|infer|invent|investigate|justify|let|list|make|match|model|name|need"
    r"|optimi[sz]e|organi[sz]e|outline|paraphrase|plan|play|point|pose|predict|prepare|present|propose|prove|provide"
    r"|rank|read|recommend|refactor|rephrase|report|research|respond|restate|review|rewrite|select|share|show|simplify"
    r"|simulate|sketch|solve|sort|speculate|state|suggest|summari[sz]e|take|talk|teach|tell|think|trace|transform"
    r"|translate|use|verify|want|weigh|work|write"
)
REQUEST = re.compile(
    rf"(?:^|[.!:;,\n]|\b(?:and|then|please|to|i|you|we|must|should|can))[\s*#>\"'“-]*(?:{VERBS})\b", re.IGNORECASE
)
GLOSS = re.compile(r":\s|:\*\*|\s[–—-]\s")  # between an item and its explanation
NUMBERED = re.compile(r"^\s*(\d{1,2})[.)]\s+(\S.*)$")


def rewritable(seed: Seed) -> bool:
    """Whether a seed's opening may be replaced: not that of a post with its task, nor of a finished conversation."""
    return seed["kind"] not in ("post", "conversation")


def strip_wrapping(text: str) -> str:
    """A reply without lead-ins, labels, quotation marks and Markdown fences around its text."""
    while True:
        stripped = LABEL.sub("", LEAD_IN.sub("", text.strip())).strip()
        if match := FENCE.match(stripped):
            stripped = match[1].strip()
        for start, end in QUOTES:
            inner = stripped[1:-1]
            if len(stripped) > 2 and stripped[0] == start and stripped[-1] == end and not {start, end} & set(inner):
                stripped = inner.strip()
        if stripped == text:
            return stripped
        text = stripped


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


def parse_numbered_list(text: str) -> list[str]:
    """The items of a reply that is one numbered list from 1; empty for any other reply.

    A first line that ends with a colon and an incomplete last line are ignored.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].rstrip(" *").endswith(":"):
        lines = lines[1:]
    matches = [NUMBERED.match(line) for line in lines]
    if matches and matches[-1] is None:
        matches = matches[:-1]
    if any(match is None or int(match[1]) != place for place, match in enumerate(matches, 1)):
        return []
    return [GLOSS.split(match[2], maxsplit=1)[0].strip('*_"“”.,;: ') for match in matches if match]


async def generate_topics(draft: Draft, generator: Generator, prompt: str, count: int) -> list[str]:
    """Topics, at most `count`. `prompt` asks for a list of `count` topics; a list of half of them is valid."""

    def list_fault(text: str) -> str | None:
        topics = parse_numbered_list(text)
        valid = all(topic and len(topic.split()) <= MAX_TOPIC_WORDS for topic in topics)
        return None if valid and len(topics) >= max(1, count // 2) else "no_list"

    text = await generator.write(draft, "instruction", [{"role": "user", "content": prompt}], list_fault)
    return parse_numbered_list(text)[:count]


async def generate_answer(draft: Draft, generator: Generator, question: str) -> str:
    """The teacher's answer to a first message."""
    messages = [
        {"role": "system", "content": draft.system or generator.prompt(draft, "expert")},
        {"role": "user", "content": question},
    ]
    check = functools.partial(answer_fault, conversation=[{"input": question, "output": ""}])
    return await generator.write(draft, "answer", messages, check)


def replace_opening(draft: Draft, instruction: str, answer: str = "") -> None:
    """Replace the draft's instruction and answer, and remove its context."""
    draft.instruction, draft.context, draft.answer = instruction, "", answer

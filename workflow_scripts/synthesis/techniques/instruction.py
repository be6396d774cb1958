"""What the techniques that write instructions share: bare texts of a teacher's replies, their faults, first answers."""

import functools
import re
from collections import Counter
from collections.abc import Iterable

from rapidfuzz import fuzz

from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.quality import NEAR_COPY, answer_fault

LEAST_WORDS, MOST_WORDS = 3, 400
FEW_NEW_WORDS = 4  # a long instruction may grow by a clause and still look much like itself
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
QUOTES = ('""', "''", "“”", "‘’", "«»")
# Words of our prompts that are no part of an instruction, and what the publications' own prompts were seen to leak.
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
# A text without a question mark asks for something only if one of these stands where a request begins.
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
GLOSS = re.compile(r":\s|:\*\*|\s[–—-]\s")  # between an item and what is said about it
NUMBERED = re.compile(r"^\s*(\d{1,2})[.)]\s+(\S.*)$")


def rewritable(seed: Row) -> bool:
    """Whether a seed's opening may become another: an essay with its task may not, a finished conversation neither."""
    return seed["kind"] not in ("post", "conversation")


def bare(text: str) -> str:
    """A reply without what teachers put around a text: lead-ins, labels, quotation marks, a markdown fence."""
    while True:
        found = LABEL.sub("", LEAD_IN.sub("", text.strip())).strip()
        if match := FENCE.match(found):
            found = match[1].strip()
        for start, end in QUOTES:
            inner = found[1:-1]
            if len(found) > 2 and found[0] == start and found[-1] == end and not {start, end} & set(inner):
                found = inner.strip()
        if found == text:
            return found
        text = found


def fault(text: str, originals: Iterable[str] = (), most_words: int = MOST_WORDS) -> str | None:
    """Why a text cannot stand as an instruction made from `originals`, or None."""
    if found := answer_fault(text, []):  # what no turn may hold
        return found
    if len(text.split()) < LEAST_WORDS:
        return "too_short"
    if len(text.split()) > most_words:
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
    return fuzz.ratio(text, original) >= NEAR_COPY and new.total() < FEW_NEW_WORDS


def numbered(text: str) -> list[str]:
    """The items of a reply that is one numbered list from 1 on; empty if it is anything else.

    A line before it that ends with a colon is passed over, and a last line that was cut off.
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


async def topics(draft: Draft, scribe: Scribe, prompt: str, count: int) -> list[str]:
    """The topics of which `prompt` asks the teacher to list `count`; at least half of them have to come."""

    def listed(text: str) -> str | None:
        found = numbered(text)
        good = len(found) >= max(1, count // 2) and all(found) and all(len(topic.split()) <= 15 for topic in found)
        return None if good else "no_list"

    found = await scribe.write(draft, "instruction", [{"role": "user", "content": prompt}], listed)
    return numbered(found)[:count]


async def answer(draft: Draft, scribe: Scribe, question: str) -> str:
    """The teacher's answer to a first message."""
    messages = [
        {"role": "system", "content": draft.system or scribe.prompt(draft, "expert")},
        {"role": "user", "content": question},
    ]
    check = functools.partial(answer_fault, conversation=[{"input": question}])
    return await scribe.write(draft, "answer", messages, check)


def replace(draft: Draft, instruction: str, answer: str = "") -> None:
    """Open the draft with another instruction, without the context of the old one."""
    draft.instruction, draft.context, draft.answer = instruction, "", answer

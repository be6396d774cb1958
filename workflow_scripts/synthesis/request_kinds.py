"""Kinds of requests, which determine the moves that fit a conversation and the instruction for its answers. Ours."""

import re
from typing import Final

from workflow_scripts.synthesis.draft import SEED_OPENING, Draft

KINDS: Final = ("explanation", "code", "mathematics", "creative", "role_play", "summary")
# Categories of airoboros whose requests are of one kind.
CATEGORY_KINDS: Final = {
    "coding": "code",
    "roleplay": "role_play",
    "rp": "role_play",
    "character": "creative",
    "writing": "creative",
    "detailed_writing": "creative",
    "stylized_response": "creative",
    "song": "creative",
    "joke": "creative",
    "card": "creative",
    "summarization": "summary",
}
TASK_KINDS: Final = {"complex_summary": "summary"}  # families of tasks about posts
ROLE_PLAY = re.compile(
    r"\brole-?play|\b(?:pretend|imagine) (?:that )?(?:you are|you're|to be)\b|\b(?:act|respond|answer|reply|speak|talk) (?:to me )?as (?:if you"
    r" (?:are|were)|an?|the)\b|\bin character\b|\byou are (?:now )?(?:an?|the) [^.?!]{3,80}[.!]\s",
    re.IGNORECASE,
)
CREATIVE = re.compile(
    r"\b(?:write|compose|create|craft|draft|invent|tell|continue|produce|generate|give me|make up)\b[^.?!\n]{0,60}?\b(?:stor(?:y|ies)|tale|poem|haiku"
    r"|sonnet|limerick|ode|ballad|verse|song|lyrics|rap|scene|dialogue|monologue|screenplay|script for|play about|fable|narrative|diary|vignette"
    r"|riddle|joke|speech|backstory|chapter|myth|parody|satire|blurb|toast)\b",
    re.IGNORECASE,
)
CODE = re.compile(
    r"(?i:```|\b(?:write|implement|create|develop|give|show|provide|fix|debug|refactor|optimi[sz]e|complete|translate)\b[^.?!\n]{0,80}?\b(?:function"
    r"|code|snippet|class|method|regex|regular expression|query|unit tests?|algorithm|shell command|(?:python|bash|shell) script|decorator|html|css|sql"
    r"|macro|makefile|dockerfile|loop)\b|\b(?:write|implement|debug|fix)\b[^.?!\n]{0,60}?\bprogram\b|\bdef \w+\(|#include\b|\bconsole\.log\b"
    r"|\b(?:write|fix|debug|correct|rewrite|translate|convert)\b[^.?!\n]{0,60}?\b(?:python|java(?:script)?|typescript|c\+\+|rust|golang|sql|bash)(?!\w))"
    r"|\bSELECT\b.{1,1000}\bFROM\b"
)
MATHEMATICS = re.compile(
    r"\b(?:calculate|compute|solve|evaluate|simplify|integrate|differentiate|factori[sz]e)\b|\bprove that\b|\bhow (?:many|much|long|far|fast|old)\b"
    r"|\b(?:probability|derivative|integral|eigenvalues?|equation|perimeter|remainder|percentage|hypotenuse|determinant) (?:of|that|for|is|when)\b"
    r"|\bfind (?:the|all|an?) (?:values?|sum|roots?|area|volume|limit|number|length|angle|solutions?|maximum|minimum|mean|smallest|largest)\b"
    r"|[\d)a-z]\s*[=^×÷]\s*[\d(a-z-]",
    re.IGNORECASE,
)
NUMBER = re.compile(r"\d|[=^√∫∑]")
SUMMARY = re.compile(
    r"\b(?:summari[sz]e|sum up|condense|tl;?dr|(?:write|give|provide|create) (?:me )?(?:an? |the )?(?:\w+ )?(?:summary|abstract|synopsis|briefing|précis))\b",
    re.IGNORECASE,
)


def kind_of_text(text: str) -> str | None:
    """The kind of request that a text states by its words; None if it may be any, most likely an explanation."""
    if CODE.search(text):
        return "code"
    if CREATIVE.search(text):
        return "creative"
    if ROLE_PLAY.search(text):
        return "role_play"
    if SUMMARY.search(text):
        return "summary"
    return "mathematics" if MATHEMATICS.search(text) and NUMBER.search(text) else None


def kind_of_opening(draft: Draft) -> str:
    """The kind of the draft's opening: by the category that its technique or its seed names, else by its words and domain."""
    own = draft.opening == SEED_OPENING
    stepped = (step.get("category") for step in draft.steps if step["name"] == draft.opening)
    meta = draft.seed["meta"] if own else {"category": next(stepped, None)}
    named = CATEGORY_KINDS.get(meta.get("category") or "") or TASK_KINDS.get(meta.get("task") or "")
    if named:
        return named
    # The words of an attached text are not a request.
    if found := kind_of_text(draft.instruction):
        return found
    return "mathematics" if draft.kind == "problem" and draft.domain == "Math" else "explanation"

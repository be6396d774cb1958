"""What a language model says about itself, and how it refuses, in the first person."""

import re

from workflow_scripts.seeds.cleaning.spans import FENCED, INLINE, blank, without_quotations

# An answer in which a program speaks was asked for: the request is about fiction and names one.
MACHINE = r"\b(?:a\.?i\.?|artificial intelligence|robots?|androids?|computers?|machines?|chat ?bots?|bots?|assistants?|language models?|cyborgs?|holograms?|operating systems?)\b"
FICTION = r"\b(?:imagine|pretend|role[- ]?play\w*|act(?:ing)? (?:as|like|out)|(?:take|play|assume|adopt)(?:ing)? (?:on |up )?the (?:role|part|persona)|put yourself|in the (?:shoes|voice|style|role)|from the (?:perspective|point of view|viewpoint)|persona|character|stor(?:y|ies)|novel|poem|song|lyrics|dialog(?:ue)?|scene|script|play|screenplay|monologue|fiction\w*|sci-?fi|diary|letter from|speech by|as if you were|step into)\b"
# "You are a sentient AI that ..." sets a scene; "You are an AI assistant." is a system message.
CAST = r"\byou(?: are|'re) (?:an? |the )(?:[\w-]+ ){0,4}?(?:a\.?i\.?|artificial intelligence|robot|android|computer|supercomputer|cyborg|hologram)\b(?! (?:assistant|language|model|chat))"
ASKED_FICTION = [re.compile(pattern, re.IGNORECASE) for pattern in (MACHINE, FICTION)]  # both
ASKED_CAST = re.compile(CAST, re.IGNORECASE)
# A refusal was asked for: the request is for wording that declines.
ASKED_REFUSAL = re.compile(
    r"\b(?:declin\w*|refus\w*|excuses?|apolog\w*|reject\w*|turn(?:ing|s)? (?:it |them |him |her )?down|cancel\w*|sorry|unable|unavailable|cannot|can't|can not|won't|say(?:ing)? no|rewrite|rephrase|reword|paraphrase|translate|role[- ]?play|pretend|imagine|act as|step into|put yourself|dialog(?:ue)?|conversation between|story|poem|lyrics|scene)\b",
    re.IGNORECASE,
)


def speaks_as_model(text: str, asked: str, pattern: re.Pattern[str]) -> str | None:
    """The first place where the answer speaks as a language model, unless a quotation, code or a requested role does."""
    match = pattern.search(_own_words(text))
    if match is None or ASKED_CAST.search(asked) or all(pattern.search(asked) for pattern in ASKED_FICTION):
        return None
    return match[0].strip()[:200]


def refuses(text: str, asked: str, pattern: re.Pattern[str]) -> str | None:
    """How the answer begins to refuse, unless wording that declines was asked for."""
    match = pattern.search(_own_words(text))
    return match[0].strip()[:200] if match and not ASKED_REFUSAL.search(straight(asked)) else None


def straight(text: str) -> str:
    """The text with straight apostrophes in place of curly ones."""
    return text.replace("\u2019", "'")


def _own_words(text: str) -> str:
    return without_quotations(blank(straight(text), FENCED, INLINE))

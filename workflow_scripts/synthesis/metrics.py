"""Metrics of a set of conversations: the columns of the published composition table, diversity, and drift."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from statistics import mean

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Conversation, Exchange, Row

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
MIN_CONTENT_LETTERS = 5  # of the words that `drift` compares


def words(text: str) -> list[str]:
    """The words of a text, case-folded."""
    return WORD.findall(text.casefold())


def distinct(texts: Iterable[str], n: int) -> float:
    """Distinct-n: distinct word n-grams divided by all word n-grams of the texts (arXiv:1510.03055)."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        tokens = words(text)
        grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else 0.0


def drift(conversation: list[Exchange]) -> float:
    """Distance of the last exchange from the first: the share of its words of 5 letters and more that the first lacks."""
    first, last = (
        {word for text in turns([exchange]) for word in words(text) if len(word) >= MIN_CONTENT_LETTERS}
        for exchange in (conversation[0], conversation[-1])
    )
    return 1 - len(first & last) / len(last) if last else 0.0


def table(rows: list[Conversation]) -> dict[str, Row]:
    """By source, the columns of the published table: dialogues, mean characters per user and answer turn, mean exchanges."""
    sources = sorted({row["source"] for row in rows})
    return {source: _columns([row["conversation"] for row in rows if row["source"] == source]) for source in sources}


def _columns(conversations: list[list[Exchange]]) -> Row:
    exchanges = [exchange for conversation in conversations for exchange in conversation]
    return {
        "dialogues": len(conversations),
        "user_chars": round(mean(len(exchange["input"]) for exchange in exchanges), 1),
        "answer_chars": round(mean(len(exchange["output"]) for exchange in exchanges), 1),
        "exchanges": round(len(exchanges) / len(conversations), 2),
    }


def describe(rows: list[Conversation]) -> Row:
    """Exchanges, lengths of turns, techniques and moves, diversity of the answers, and drift of generated conversations.

    Empty without conversations.
    """
    if not rows:
        return {}
    exchanges = [exchange for row in rows for exchange in row["conversation"]]
    follow_ups = [len(exchange["input"]) for row in rows for exchange in row["conversation"][1:]]
    provenances = [row["provenance"] for row in rows]
    moves = (move for row in provenances for step in row["steps"] for move in step.get("moves", []))
    kinds: dict[str, Counter[str]] = {}
    for row in provenances:
        for step in row["steps"]:
            if "kind" in step:
                kinds.setdefault(step["kind"], Counter()).update(step["moves"])
    vocabulary = {word for exchange in exchanges for word in words(exchange["output"])}
    return {
        "exchanges": dict(sorted(Counter(len(row["conversation"]) for row in rows).items())),
        "mean_exchanges": round(len(exchanges) / len(rows), 3),
        "mean_user_chars": round(mean(len(exchange["input"]) for exchange in exchanges), 1),
        "mean_follow_up_chars": round(mean(follow_ups), 1) if follow_ups else None,
        "mean_answer_chars": round(mean(len(exchange["output"]) for exchange in exchanges), 1),
        "mean_words": round(mean(sum(len(words(text)) for text in _texts(row)) for row in rows), 1),
        "paths": dict(Counter(" > ".join(row["techniques"]) for row in provenances).most_common()),
        "techniques": dict(Counter(itertools.chain(*(row["techniques"] for row in provenances))).most_common()),
        "moves": dict(Counter(moves).most_common()),
        "moves_by_kind": {kind: dict(count.most_common()) for kind, count in sorted(kinds.items())},
        "distinct_2": round(distinct((exchange["output"] for exchange in exchanges), 2), 4),
        "vocabulary": len(vocabulary),
        "per_source": table(rows),
        "mean_drift": round(mean(drift(row["conversation"]) for row in rows), 4),
    }


def _texts(row: Conversation) -> list[str]:
    return turns(row["conversation"])

"""What a set of conversations is like, in the terms of the published composition table and of diversity."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from statistics import mean

from workflow_scripts.common.types import Row

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.casefold())


def distinct(texts: Iterable[str], n: int) -> float:
    """Distinct-n: the share of word n-grams, of all texts together, that are different ones (arXiv:1510.03055)."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        tokens = words(text)
        grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else 0.0


def drift(conversation: list[dict[str, str]]) -> float:
    """How far the last exchange is from the first: 1 minus the share of its long words (5 letters) that stood in the first."""
    first, last = (
        {word for text in exchange.values() for word in words(text) if len(word) >= 5}
        for exchange in (conversation[0], conversation[-1])
    )
    return 1 - len(first & last) / len(last) if last else 0.0


def table(rows: list[Row]) -> dict[str, Row]:
    """For each source the columns of the published table: dialogues, mean characters of user and answer, mean exchanges."""
    sources = sorted({row["source"] for row in rows})
    return {source: _columns([row["conversation"] for row in rows if row["source"] == source]) for source in sources}


def _columns(conversations: list[list[dict[str, str]]]) -> Row:
    exchanges = [exchange for conversation in conversations for exchange in conversation]
    return {
        "dialogues": len(conversations),
        "user_chars": round(mean(len(exchange["input"]) for exchange in exchanges), 1),
        "answer_chars": round(mean(len(exchange["output"]) for exchange in exchanges), 1),
        "exchanges": round(len(exchanges) / len(conversations), 2),
    }


def describe(rows: list[Row]) -> Row:
    """Exchanges, lengths of turns, techniques and moves, diversity of the answers, and drift, of synthesised rows."""
    exchanges = [exchange for row in rows for exchange in row["conversation"]]
    follow_ups = [len(exchange["input"]) for row in rows for exchange in row["conversation"][1:]]
    provenances = [row["provenance"] for row in rows]
    moves = (move for row in provenances for step in row["steps"] for move in step.get("moves", []))
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
        "distinct_2": round(distinct((exchange["output"] for exchange in exchanges), 2), 4),
        "vocabulary": len(vocabulary),
        "per_source": table(rows),
        "mean_drift": round(mean(drift(row["conversation"]) for row in rows), 4),
    }


def _texts(row: Row) -> list[str]:
    return [text for exchange in row["conversation"] for text in exchange.values()]

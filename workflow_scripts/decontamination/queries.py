"""The texts to search for (queries) of each item, and the tier of the item.

A  question long enough and not shared by two items: the question alone
B  short or shared question: the question with its choices or its gold answer, in the usual renderings
C  still short: exact matches only, counted, never listed nor a reason to remove

In addition to the question, a long gold answer and an item's own context are searched for. A passage, and an answer that
several items share ("there is not enough information …"), or without words of its question nearby, are listed and remove
nothing.
"""

import functools
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflow_scripts.common.types import Row
from workflow_scripts.decontamination import text as text_module
from workflow_scripts.decontamination.text import is_long, is_long_text

TIERS = ("A", "B", "C")
# Each text is normalised several times: for the tier, the query and the count.
normalise = functools.lru_cache(maxsize=2**18)(text_module.normalise)


@dataclass(frozen=True)
class Query:
    """A text of an item to search for; `removes`: whether a hit is a reason to remove a conversation.

    `question` is the normal form of the question that must be near a hit of an answer (`near_question`), else "".
    """

    benchmark: str
    item: str
    tier: str
    field: str
    text: str
    normal: str
    exact_only: bool
    removes: bool
    question: str = ""


def tiers(items: list[Row]) -> list[str]:
    """The tier of each item, in order; a question counts as shared if another of the given items has it."""
    normals = [normalise(item["question"]) for item in items]
    # The same question with the same choices is one question, also in two benchmarks. With other choices, or without
    # choices about another passage, it is a template.
    distinct = {
        (normal, normalise(" ".join(item["choices"]) or item["passage"]))
        for normal, item in zip(normals, items, strict=True)
    }
    counts = Counter(normal for normal, _ in distinct)
    result = []
    for item, normal in zip(items, normals, strict=True):
        if is_long(normal) and counts[normal] == 1:
            result.append("A")
        else:
            result.append("B" if any(is_long(normalise(text)) for _, text in _renderings(item)) else "C")
    return result


def _renderings(item: Row) -> Iterator[tuple[str, str]]:
    """(field, text) of a question with its answer or its choices."""
    question, choices, answer = item["question"], item["choices"], item["answer"]
    if answer:
        yield "question+answer", f"{question}\n{answer}"
        yield "question+answer", f"{question}\nAnswer: {answer}"
    if choices:
        yield "question+choices", "\n".join([question, *choices])
        labelled = (f"{label}. {choice}" for label, choice in zip(string.ascii_uppercase, choices, strict=False))
        yield "question+choices", "\n".join([question, *labelled])


def queries(items: list[Row], item_tiers: list[str]) -> Iterator[Query]:
    """The queries of all items; a text without letters and digits gives none."""
    shared = _shared_answers(items)
    for item, tier in zip(items, item_tiers, strict=True):
        for field, text, exact_only, removes in _texts(item, tier, shared):
            if normal := normalise(text):
                question = normalise(item["question"]) if field == "answer" else ""
                yield Query(item["benchmark"], item["id"], tier, field, text, normal, exact_only, removes, question)


def _texts(item: Row, tier: str, shared: set[str]) -> Iterator[tuple[str, str, bool, bool]]:
    """(field, text, exact_only, removes) of an item."""
    if tier == "A":
        yield "question", item["question"], False, True
    elif tier == "B":
        for field, text in _renderings(item):
            if is_long(normalise(text)):
                yield field, text, False, True
    else:
        yield "question", item["question"], True, False
    answer = normalise(item["answer"])
    if is_long_text(answer):  # the card's check covers answers too; a short one ("Paris") proves nothing
        yield "answer", item["answer"], False, answer not in shared
    if is_long_text(normalise(item["context"])):
        yield "context", item["context"], False, True
    if is_long_text(normalise(item["passage"])):
        yield "passage", item["passage"], False, False


def _shared_answers(items: Iterable[Row]) -> set[str]:
    """The gold answers, in normal form, that several different questions share."""
    pairs = {(normalise(item["answer"]), normalise(item["question"])) for item in items if item["answer"]}
    return {answer for answer, count in Counter(answer for answer, _ in pairs).items() if count > 1}


def summary(items: list[Row], item_tiers: list[str], all_queries: Iterable[Query]) -> dict[str, Row]:
    """Counts of each benchmark: items, items by tier, items without any query (`empty`), and gold answers that are long
    enough to search for or too short."""
    result: dict[str, Row] = {}
    searched: dict[str, set[str]] = {}
    for query in all_queries:
        searched.setdefault(query.benchmark, set()).add(query.item)
    for item, tier in zip(items, item_tiers, strict=True):
        entry = result.setdefault(
            item["benchmark"],
            {"items": 0, "tiers": dict.fromkeys(TIERS, 0), "empty": 0, "answers": {"long": 0, "short": 0}},
        )
        entry["items"] += 1
        entry["tiers"][tier] += 1
        entry["empty"] += item["id"] not in searched.get(item["benchmark"], ())
        if item["answer"]:
            entry["answers"]["long" if is_long_text(normalise(item["answer"])) else "short"] += 1
    return result

"""Benchmark rows as items, items as queries, and the tier that says how far a query can be trusted.

A  question long enough, and not shared by two items: the question alone counts
B  short or shared question: question with the gold answer, and question with all choices
C  still short: exact matches only, listed apart, never a reason to remove
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.decontamination.text import is_long, normalise

Row = dict[str, Any]


def column(row: Row, path: str, benchmark: str) -> Any:
    """The value at a dotted path of column names; UserError naming the benchmark and its columns."""
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise UserError(f"benchmark {benchmark}: no column {path}; there are {', '.join(row)}. Correct its entry.")
        value = value[name]
    return value


def to_item(row: Row, number: int, split: str, entry: Row) -> Row:
    """{id, question, choices, answer, passage} of a benchmark row, texts as published."""
    name = entry["id_of_benchmark"]
    choices: list[str] = []
    if spec := entry.get("choices"):
        values = [column(row, path, name) for path in spec] if isinstance(spec, list) else column(row, spec, name)
        choices = [str(value) for value in values]
    return {
        "id": str(column(row, entry["id"], name)) if "id" in entry else f"{split}/{number}",
        "benchmark": name,
        "question": _question(row, entry, name),
        "choices": choices,
        "answer": _answer(row, choices, entry, name),
        "passage": str(column(row, entry["passage"], name)) if "passage" in entry else "",
    }


def _question(row: Row, entry: Row, name: str) -> str:
    text = str(column(row, entry["question"], name))
    found = re.search(entry["pattern"], text) if "pattern" in entry else None
    return found.group(1) if found else text


def _answer(row: Row, choices: list[str], entry: Row, name: str) -> str:
    if "answer" not in entry:
        return ""
    value = column(row, entry["answer"], name)
    match entry["answer_is"]:
        case "text":
            return str(value)
        case "index" | "index1" if str(value).strip() == "":  # hidden labels of some test splits
            return ""
        case "index":
            return _choice(choices, int(value))
        case "index1":
            return _choice(choices, int(value) - 1)
        case _:
            labels = list(column(row, entry["labels"], name))
            return choices[labels.index(value)] if value in labels else ""


def _choice(choices: list[str], number: int) -> str:
    """A choice, or nothing for the -1 that stands for a hidden label: in Python that would be the last choice."""
    return choices[number] if 0 <= number < len(choices) else ""


@dataclass(frozen=True)
class ItemQuery:
    """A text of an item to look for. `removes` tells whether a hit is a reason to remove a conversation."""

    benchmark: str
    item: str
    tier: str
    field: str
    text: str
    normal: str
    exact_only: bool
    removes: bool


def tiers(items: list[Row]) -> list[str]:
    """The tier of each item, in their order; whether a question is shared is seen over all items given."""
    normals = [normalise(item["question"]) for item in items]
    # The same question in two benchmarks, or twice in one, is one question; with other choices it is a template.
    distinct = {
        (normal, normalise(" ".join(item["choices"])), normalise(item["passage"]))
        for normal, item in zip(normals, items, strict=True)
    }
    counts = Counter(normal for normal, _, _ in distinct)
    result = []
    for item, normal in zip(items, normals, strict=True):
        if is_long(normal) and counts[normal] == 1:
            result.append("A")
        else:
            result.append("B" if any(is_long(text) for _, text in _with_choices(item)) else "C")
    return result


def _with_choices(item: Row) -> list[tuple[str, str]]:
    texts = []
    if item["answer"]:
        texts.append(("question+answer", normalise(f"{item['question']} {item['answer']}")))
    if item["choices"]:
        texts.append(("question+choices", normalise(f"{item['question']} {' '.join(item['choices'])}")))
    return texts


def queries(item: Row, tier: str) -> list[ItemQuery]:
    """What is looked for on behalf of an item; an empty question is looked for nowhere."""
    question, found = normalise(item["question"]), []

    def add(field: str, normal: str, exact_only: bool = False, removes: bool = True) -> None:
        if normal:
            found.append(
                ItemQuery(item["benchmark"], item["id"], tier, field, item["question"], normal, exact_only, removes)
            )

    if tier == "A":
        add("question", question)
    elif tier == "B":
        for field, normal in _with_choices(item):
            if is_long(normal):
                add(field, normal)
    else:
        add("question", question, exact_only=True, removes=False)
    # The card's check covers answers too; a short one ("Paris") says nothing by itself.
    answer = normalise(item["answer"])
    if len(answer) >= 50:
        add("answer", answer)
    passage = normalise(item["passage"])
    if len(passage) >= 50:
        add("passage", passage, removes=False)
    return found

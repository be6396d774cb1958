"""Benchmark rows as items: {id, benchmark, question, choices, answer, context, passage}, texts as published.

`context` is a text written for the item (the puzzle of a logic question); `passage` is taken from elsewhere (an article,
a novel) and is public text, so finding it proves no contamination.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import located
from workflow_scripts.common.types import Row

# The label before a choice, which is not part of it: "(A)" in AGIEval.
_CHOICE_LABEL = re.compile(r"^\s*\([A-Z]\)\s*")


def column(row: Row, path: str, benchmark: str) -> Any:
    """The value at a dotted path of column names; UserError naming the benchmark and its columns."""
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise UserError(
                f"benchmark {benchmark}: no column {path}; the columns are {', '.join(row)}. Correct its entry."
            )
        value = value[name]
    return value


def to_items(row: Row, number: int, split: str, entry: Row) -> Iterator[Row]:
    """The items of a benchmark row: one, or one for each turn if the question is a list of turns."""
    name = entry["id_of_benchmark"]
    choices: list[str] = []
    if spec := entry.get("choices"):
        values = [column(row, path, name) for path in spec] if isinstance(spec, list) else column(row, spec, name)
        if isinstance(values, str):
            raise ValueError("`choices`: expected a list of texts, not one text")
        choices = [_CHOICE_LABEL.sub("", _text(value)) for value in values or []]
    asked = column(row, entry["question"], name)
    turns = asked if isinstance(asked, list) else [asked]
    row_id = str(column(row, entry["id"], name)) if "id" in entry else f"{split}/{number}"
    for turn, text in enumerate(turns):
        parts = _parts(_text(text), entry)
        yield {
            "id": f"{row_id}/{turn}" if isinstance(asked, list) else row_id,
            "benchmark": name,
            "question": " ".join(part for part in (parts["context"], parts["question"]) if part),
            "choices": choices,
            "answer": _answer(row, choices, entry, name, turn),
            "context": parts["context"],
            "passage": _text(column(row, entry["passage"], name)) if "passage" in entry else parts["passage"],
        }


def _text(value: Any) -> str:
    """A value as text; empty for None."""
    return "" if value is None else str(value)


def _parts(text: str, entry: Row) -> dict[str, str]:
    """Question, context and passage of a column that may contain a whole prompt."""
    match = re.search(entry["pattern"], text) if "pattern" in entry else None
    parts = {"question": text, "context": "", "passage": ""}
    return parts | {name: (part or "").strip() for name, part in match.groupdict().items()} if match else parts


def _answer(row: Row, choices: list[str], entry: Row, name: str, turn: int) -> str:
    if "answer" not in entry:
        return ""
    value = column(row, entry["answer"], name)
    hidden = value is None or str(value).strip() == ""  # in some test splits
    match entry["answer_is"]:
        case "text" if isinstance(value, list):  # one for each turn of the question
            return _text(value[turn]) if turn < len(value) else ""
        case "text":
            return _text(value)
        case "index" | "index1" | "label" if hidden:
            return ""
        case "index" if isinstance(value, list):  # with several correct choices there is no single gold answer
            return _choice(choices, _whole(value[0])) if len(value) == 1 else ""
        case "index":
            return _choice(choices, _whole(value))
        case "index1":
            return _choice(choices, _whole(value) - 1)
        case _:
            labels = list(column(row, entry["labels"], name))
            return _choice(choices, _label_place(value, labels))


def _whole(value: Any) -> int:
    """An index: a number, or a number as text. Raises ValueError if it is not whole."""
    number = float(value)
    if not number.is_integer():
        raise ValueError(f"`answer`: {value} is not the number of a choice")
    return int(number)


def _choice(choices: list[str], number: int) -> str:
    """A choice; empty for -1, which marks a hidden label. Raises ValueError if there is no such choice."""
    if number >= len(choices):
        raise ValueError(f"`answer`: there is no choice {number}, counted from 0; the row has {len(choices)}")
    return choices[number] if number >= 0 else ""


def _label_place(value: Any, labels: list[Any]) -> int:
    """The place of an answer's label among the labels: the same text, or the same without case and punctuation.

    "b", "B." and "(B)" are the label B, and the number 4 is the label "4". Raises ValueError if there is no such label, or
    more than one.
    """
    for form in (_text, _bare_label):
        places = [place for place, label in enumerate(labels) if form(label) == form(value)]
        if len(places) == 1:
            return places[0]
    known = ", ".join(map(_text, labels))
    raise ValueError(f"`answer`: {value!r} is not one of the labels {known}")


def _bare_label(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return re.sub(r"[\W_]+", "", _text(int(value) if whole else value).casefold())


def needed_columns(entry: Row) -> set[str]:
    """The columns that an entry reads; of a dotted path the first name."""
    choices = entry.get("choices", [])
    paths = [*(choices if isinstance(choices, list) else [choices])]
    keys = ("id", "question", "answer", "passage", *(["labels"] if entry.get("answer_is") == "label" else []))
    paths += [entry[key] for key in keys if key in entry]
    return {name for path in paths for name in (path, path.split(".")[0])}


def require_columns(entry: Row, columns: list[str]) -> None:
    """UserError if the data of a benchmark lack a column that its entry names."""
    for path in sorted(needed_columns(entry)):
        if path.split(".")[0] not in columns:
            raise UserError(f"no column {path}; the columns are {', '.join(columns)}. Correct its entry.")


def read_benchmark(name: str, entry: Row) -> tuple[list[Row], dict[str, str]]:
    """The items of a benchmark, from the hub or a local file, and its {dataset, revision}.

    UserError with the benchmark and, where possible, the row.
    """
    try:
        re.compile(entry.get("pattern", ""))
    except re.error as error:
        raise UserError(f"benchmark {name}: `pattern` is not a regular expression ({error}). Fix it.") from error
    entry = {**entry, "id_of_benchmark": name}
    places = [entry]
    if "hub" in entry:
        hub = {key: value for key, value in entry["hub"].items() if key != "splits"}
        places = [{"hub": {**hub, "split": split}} for split in entry["hub"]["splits"]]
    parts, origin = [], {}
    try:
        for place in places:
            with located(place) as found:
                origin = found.origin
                split = place["hub"]["split"] if "hub" in place else "items"
                require_columns(entry, found.names())
                parts.append((split, list(found.rows(needed_columns(entry)))))
    except UserError as error:
        raise UserError(f"benchmark {name}: {error}") from error
    items: list[Row] = []
    seen: Counter[str] = Counter()
    for split, data in parts:
        for number, row in enumerate(data):
            try:
                for item in to_items(row, number, split, entry):
                    seen[item["id"]] += 1
                    # Items are counted and allowed by id, so ids must be unique.
                    suffix = f"#{seen[item['id']]}" if seen[item["id"]] > 1 else ""
                    items.append({**item, "id": item["id"] + suffix})
            except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} "
                raise UserError(
                    f"benchmark {name}, {split}, row {number + 1} of {origin['dataset']}: {kind}{error}. "
                    "The entry does not fit the columns. Correct `answer_is`, `labels`, `choices` or `pattern`."
                ) from error
    if not items:
        raise UserError(f"benchmark {name}: no items. Check its entry.")
    return items, origin

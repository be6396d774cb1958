"""The rows of the conversation browser: text, outcome with reason and evidence, and filter values."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from workflow_scripts.common.conversations import seed_as_conversation, turns
from workflow_scripts.common.reasons import explain
from workflow_scripts.common.types import Conversation, Hit, Rejected, Row, Seed
from workflow_scripts.report.contamination import verdict

# The splits and the stages that reject rows, in display order: the last stage first.
STAGES = ("train", "test", "dataset", "decontamination", "conversations", "verification", "synthesis", "seeds")
# The stages whose rows were searched for benchmark items, and the reasons of seeds that were rejected by their search or
# after it.
SEARCHED_STAGES = ("train", "test", "dataset", "decontamination")
REASONS_AFTER_SEARCH = (
    "contaminated",
    "over_pool",
    "same_meaning",
    "unlabelled",
    "unscored",
    "over_limit",
    "over_share",
)
TITLE_CHARS = 100
# Invisible characters, marks that change the writing direction, and single surrogates. Joiners are not included:
# emoji and some scripts need them.
HIDDEN = re.compile("[\u200b\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f\ud800-\udfff]")
HIT_FIELDS: Final = ("benchmark", "item", "field", "similarity", "turn", "end_turn", "item_text")


def displayed_hit(hit: Hit, texts: list[str]) -> Row:
    """The fields of a hit that the page displays. `start` and `end` are in UTF-16 code units, as in JavaScript."""
    units = {"start": _units(texts[hit["turn"]][: hit["start"]]), "end": _units(texts[hit["end_turn"]][: hit["end"]])}
    return {**{name: hit[name] for name in HIT_FIELDS}, **units, "verdict": verdict(hit)}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def was_searched(stage: str, row: Conversation | Rejected) -> bool:
    """Whether the text of a row was searched for benchmark items: in the decontamination, or as a seed before the synthesis.

    Of a conversation that an earlier stage rejected, at most the seed was.
    """
    if stage == "seeds":
        finished = row["provenance"].get("kind") == "conversation"  # searched with all other conversations
        return row.get("reason") in REASONS_AFTER_SEARCH and not finished
    return stage in SEARCHED_STAGES


def displayed_row(stage: str, row: Conversation | Rejected, seed: Seed | None, hits: list[Hit] | None) -> Row:
    """A row of the page. `stage` is one of `STAGES`; reason and evidence are None for a row of the dataset.

    `hits` is None for a row that was not searched.

    `meaning` explains the reason, or why a conversation ended early. A conversation whose opening differs from its seed also gets the exchanges of the seed.
    """
    texts = turns(row["conversation"])
    shown = {
        "id": row["id"],
        "stage": stage,
        "reason": row.get("reason"),
        "evidence": row.get("evidence"),
        "meaning": meaning(row),
        "source": row["source"],
        "conversation": row["conversation"],
        "provenance": row["provenance"],
        "hits": [displayed_hit(hit, texts) for hit in hits or []] if texts else [],
        "searched": hits is not None,
    }
    if seed is not None and texts:
        original = seed_as_conversation(seed)["conversation"]
        if original[0]["input"] != texts[0]:
            shown["seed"] = original
    return shown


def meaning(row: Conversation | Rejected) -> str:
    """A sentence on a row's reason, and on its fault or the one that ended it early; empty if there is none."""
    evidence = row.get("evidence")
    fault = evidence.get("fault") if isinstance(evidence, dict) else row["provenance"].get("stopped")
    return " ".join(filter(None, [explain(str(code)) for code in (row.get("reason"), fault) if code]))


def flags(row: Row) -> list[str]:
    """Further properties of a row by which the page can filter."""
    provenance = row["provenance"]
    conditions = {
        "benchmark text": bool(row["hits"]),
        "allowed hit": any(hit["verdict"].startswith("allowed") for hit in row["hits"]),
        "ended early": bool(provenance.get("stopped")),
        "first answer by the teacher": provenance.get("first_answer") == "teacher",
        "opening rewritten": provenance.get("opening", "seed") != "seed",
        "technique left out": bool(provenance.get("fallbacks")),
        "judged": bool(provenance.get("scores")),
        "part of a longer conversation": provenance.get("part") is not None,
        "hidden characters": any(HIDDEN.search(text) for text in turns(row["conversation"])),
        "no text": not row["conversation"],
    }
    verified = provenance.get("verification")
    return [
        *([f"experts: {verified['status']}"] if verified else []),
        *(name for name, holds in conditions.items() if holds),
    ]


def with_keys(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows sorted by id, each with a unique `key` for its link: the id, with a number from the second row of an id on."""
    last, number = None, 0
    for row in rows:
        number = number + 1 if row["id"] == last else 1
        last = row["id"]
        yield {"key": row["id"] if number == 1 else f"{row['id']}-{number}", **row}


def headline(text: str) -> str:
    """The first `TITLE_CHARS` characters of a text on one line."""
    line = " ".join(text[: 10 * TITLE_CHARS].split())
    return line if len(line) <= TITLE_CHARS else f"{line[:TITLE_CHARS].rstrip()}…"


class Index:
    """The columns of the list and its filters. Names are stored once; rows refer to them by number."""

    SINGLE = ("stage", "reason", "source", "domain", "license")
    MULTIPLE = ("technique", "move", "flag")

    def __init__(self) -> None:
        self._names: dict[str, dict[str, int]] = {name: {} for name in (*self.SINGLE, *self.MULTIPLE)}
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("key", "title", "exchanges", "length", *self._names)
        }

    def _number(self, column: str, name: Any) -> int:
        """The number of a name in a column; -1 for None."""
        return -1 if name is None else self._names[column].setdefault(str(name), len(self._names[column]))

    def add(self, row: Row) -> None:
        """Append the entries of a row."""
        provenance, texts = row["provenance"], turns(row["conversation"])
        single = {**row, **{name: provenance.get(name) for name in ("domain", "license")}}
        multiple = {
            "technique": provenance.get("techniques") or [],
            "move": [move for step in provenance.get("steps") or [] for move in step.get("moves", [])],
            "flag": flags(row),
        }
        evidence = row["evidence"] if isinstance(row["evidence"], dict) else {}
        title = texts[0] if texts else str(evidence.get("text") or "")
        entry = {
            "key": row["key"],
            "title": headline(title),
            "exchanges": len(row["conversation"]),
            "length": sum(map(len, texts)),
            **{name: self._number(name, single[name]) for name in self.SINGLE},
            **{name: [self._number(name, value) for value in dict.fromkeys(multiple[name])] for name in self.MULTIPLE},
        }
        for name, value in entry.items():
            self._columns[name].append(value)

    def to_json(self) -> Row:
        """{names: {column: [name, …]}, columns: {column: [value, …]}}."""
        return {"names": {name: list(names) for name, names in self._names.items()}, "columns": self._columns}

    def __len__(self) -> int:
        return len(self._columns["key"])

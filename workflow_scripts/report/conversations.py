"""What the browser of conversations shows of each: its text, where it ended and why, and what it can be found by."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from workflow_scripts.common.types import Row
from workflow_scripts.report.contamination import verdict

# Where a row can end, in the order of the list.
STAGES = ("train", "test", "dataset", "decontamination", "verification", "synthesis", "seeds")
TITLE = 100  # characters of a row's line in the list
# Marks that turn the direction of a text around or cannot be seen, and halves of surrogate pairs; not the joiners that emoji
# and some scripts need.
HIDDEN = re.compile("[\u200b\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f\ud800-\udfff]")
HIT = ("benchmark", "item", "field", "similarity", "turn", "end_turn", "item_text")


def of_seed(seed: Row) -> Row:
    """A seed in the shape of a conversation: an in-house dialogue as it is, else what is asked and its answer."""
    facts = {key: value for key, value in seed["meta"].items() if key != "conversation"}
    question = f"{seed['instruction']}\n\n{seed['context']}" if seed["context"] else seed["instruction"]
    keys = ("dataset", "revision", "license", "kind", "domain", "skills", "difficulty")
    return {
        "source": seed["source"],
        "conversation": seed["meta"].get("conversation") or [{"input": question, "output": seed["response"]}],
        "provenance": {**{key: seed[key] for key in keys}, **facts},
    }


def turns(conversation: list[Row]) -> list[str]:
    """All texts of a conversation in their order."""
    return [exchange[key] for exchange in conversation for key in ("input", "output")]


def placed(hit: Row, texts: list[str]) -> Row:
    """What the page tells of a hit; its place counted as JavaScript does, in 16-bit units of the turn's text."""
    units = {
        name: len(texts[hit[turn]][: hit[name]].encode("utf-16-le", "surrogatepass")) // 2
        for name, turn in (("start", "turn"), ("end", "end_turn"))
    }
    return {**{name: hit[name] for name in HIT}, **units, "verdict": verdict(hit)}


def shown(row_id: str, outcome: tuple[str, str | None, Any], row: Row | None, seed: Row | None, hits: list[Row]) -> Row:
    """A row as the page has it: `outcome` is (stage, reason, evidence), reason None for one that is in the data set.

    `row` is None for a rejected row of which there is no text. The seed goes with a conversation that begins otherwise.
    """
    stage, reason, evidence = outcome
    row = row or {"source": None, "conversation": [], "provenance": {}}
    if row["source"] is None and isinstance(evidence, dict):
        row = {**row, "source": evidence.get("source")}
    texts = turns(row["conversation"])
    made = {
        "id": row_id,
        "stage": stage,
        "reason": reason,
        "evidence": evidence,
        "source": row["source"],
        "conversation": row["conversation"],
        "provenance": row["provenance"],
        "hits": [placed(hit, texts) for hit in hits],
    }
    if seed is not None:
        begun = of_seed(seed)["conversation"]
        if begun[0]["input"] != texts[0]:
            made["seed"] = begun
    return made


def flags(row: Row) -> list[str]:
    """What a person may want to look for beside a row's outcome."""
    facts = row["provenance"]
    found = {
        "benchmark text": bool(row["hits"]),
        "allowed hit": any(hit["verdict"].startswith("allowed") for hit in row["hits"]),
        "ended early": bool(facts.get("stopped")),
        "first answer by the teacher": facts.get("first_answer") == "teacher",
        "opening rewritten": "seed" in row,
        "judged": bool(facts.get("scores")),
        "part of a longer one": facts.get("part") is not None,
        "hidden marks": any(HIDDEN.search(text) for text in turns(row["conversation"])),
        "no text": not row["conversation"],
    }
    verified = facts.get("verification")
    return [
        *([f"experts: {verified['status']}"] if verified else []),
        *(name for name, holds in found.items() if holds),
    ]


def keyed(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows in the order of their ids, each with a `key`, its link: its id, with a number where several have it."""
    last, number = None, 0
    for row in rows:
        number = number + 1 if row["id"] == last else 1
        last = row["id"]
        yield {"key": row["id"] if number == 1 else f"{row['id']}-{number}", **row}


def headline(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 10 * TITLE].split())
    return line if len(line) <= TITLE else f"{line[:TITLE].rstrip()}…"


class Index:
    """Columns of all rows, for the list and its filters: one number or several a row, which stand for names."""

    ONE = ("stage", "reason", "source", "domain", "license")
    SEVERAL = ("technique", "move", "flag")

    def __init__(self) -> None:
        self._names: dict[str, dict[str, int]] = {name: {} for name in (*self.ONE, *self.SEVERAL)}
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("key", "title", "exchanges", "length", *self._names)
        }

    def _number(self, column: str, name: Any) -> int:
        """The number of a name in a column; -1 for none."""
        return -1 if name is None else self._names[column].setdefault(str(name), len(self._names[column]))

    def add(self, row: Row) -> None:
        """A row's entries."""
        facts, texts = row["provenance"], turns(row["conversation"])
        values = {**row, **{name: facts.get(name) for name in ("domain", "license")}}
        lists = {
            "technique": facts.get("techniques") or [],
            "move": [move for step in facts.get("steps") or [] for move in step.get("moves", [])],
            "flag": flags(row),
        }
        evidence = row["evidence"] if isinstance(row["evidence"], dict) else {}
        title = texts[0] if texts else str(evidence.get("text") or "")
        entry = {
            "key": row["key"],
            "title": headline(title),
            "exchanges": len(row["conversation"]),
            "length": sum(map(len, texts)),
            **{name: self._number(name, values[name]) for name in self.ONE},
            **{name: [self._number(name, value) for value in dict.fromkeys(lists[name])] for name in self.SEVERAL},
        }
        for name, value in entry.items():
            self._columns[name].append(value)

    def told(self) -> Row:
        """`names` by column, and `columns`."""
        return {"names": {name: list(names) for name, names in self._names.items()}, "columns": self._columns}

    def __len__(self) -> int:
        return len(self._columns["key"])

"""Decisions: one reviewer's verdict on one answer, read from any supported file; each is kept once, none is lost."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, numbered_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.verification.exports import read_export
from workflow_scripts.verification.items import VERDICTS
from workflow_scripts.verification.spreadsheet import read_sheet

PSEUDONYM = re.compile(r"[a-z0-9][a-z0-9_-]*")
SHOWN_CHARS = 40  # of a value in a message
CONTENT = ("item", "answer", "reviewer", "verdict", "confidence", "corrected", "note", "seconds", "at")


@dataclass(frozen=True)
class InvalidEntry:
    """An entry that is not a usable decision: its place (file and entry), a reason in snake_case, and a message."""

    where: str
    reason: str
    message: str


def read_reviewers(path: Path | None) -> dict[str, Row]:
    """Reviewer profiles by pseudonym: {fields, degree, account}; empty without a file. UserError for an invalid file."""
    if path is None:
        return {}
    profiles = read_yaml(path) or {}
    if not isinstance(profiles, dict) or not all(
        isinstance(profile, dict) and "fields" in profile for profile in profiles.values()
    ):
        raise UserError(
            f"{path}: not a file of reviewer profiles. Write `pseudonym: {{fields: [...], degree: ...}}` for each reviewer."
        )
    return profiles


def read_file(path: Path, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """Each entry of a decision file with its place (file and entry). UserError for an unknown file type.

    The suffix selects the format: .json is an export of Label Studio, .csv a spreadsheet, .jsonl decisions.
    """
    match path.suffix:
        case ".json":
            yield from read_export(path, accounts)
        case ".csv":
            yield from read_sheet(path)
        case ".jsonl":
            for number, row in numbered_jsonl(path):
                yield f"{path}, line {number}", row
        case _:
            raise UserError(f"{path}: unknown file type. Use .json (Label Studio), .csv or .jsonl.")


def parse_decision(where: str, entry: Row) -> Row | InvalidEntry:
    """The entry as a decision with a content id, or the reason why it is invalid."""
    if entry.get("item") in (None, ""):
        return InvalidEntry(where, "other_project", "no item; the entry belongs to another project, not to this queue")
    for name in ("item", "reviewer", "verdict", "corrected", "note", "at"):
        if isinstance(entry.get(name), list | dict | bool):
            message = f"{name} is {_KINDS[type(entry[name])]}, expected a text: {str(entry[name])[:SHOWN_CHARS]}"
            return InvalidEntry(where, "wrong_value", message)
    for name in ("reviewer", "verdict", "answer"):
        if entry.get(name) in (None, ""):
            hint = "; its account is not in `verification.reviewers`" if name == "reviewer" else ""
            return InvalidEntry(where, "missing_field", f"no {name}{hint}")
    if entry["verdict"] not in VERDICTS:
        message = f"{str(entry['verdict'])[:SHOWN_CHARS]!r} is not one of {', '.join(VERDICTS)}"
        return InvalidEntry(where, "unknown_verdict", message)
    if not PSEUDONYM.fullmatch(str(entry["reviewer"])):
        message = "the reviewer's name is not a pseudonym; use lower-case letters, digits, - and _"
        return InvalidEntry(where, "no_pseudonym", message)
    row: Row = {"item": str(entry["item"]), "reviewer": str(entry["reviewer"]), "verdict": entry["verdict"]}
    for name, parse, expected in _VALUES:
        try:
            row[name] = None if entry.get(name) in (None, "") else parse(entry[name])
        except (ValueError, TypeError, OverflowError):
            message = f"{name} is {str(entry[name])[:SHOWN_CHARS]!r}, expected {expected}"
            return InvalidEntry(where, "wrong_value", message)
    for name in ("corrected", "note"):
        value = entry.get(name)
        row[name] = None if value is None else str(value).strip() or None
    try:
        row_id = content_id(*(row[name] for name in CONTENT))
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return InvalidEntry(
            where, "wrong_value", "half of a surrogate pair (\\ud800 to \\udfff), which is not a character"
        )
    return {"id": row_id, **{name: row[name] for name in CONTENT}}


def _whole(value: Any) -> int:
    """A whole number, or one as text. Raises ValueError for any other value."""
    number = float(value)
    if isinstance(value, bool) or not number.is_integer():
        raise ValueError(value)
    return int(number)


def _seconds(value: Any) -> float:
    seconds = float(value)
    if isinstance(value, bool) or not 0 <= seconds < float("inf"):
        raise ValueError(value)
    return round(seconds, 1)


def _time(value: Any) -> str:
    """A time as UTC in ISO 8601; a time without a zone is read as UTC."""
    time = datetime.fromisoformat(str(value))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


_KINDS = {list: "a list", dict: "an object", bool: "true or false"}
_VALUES: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("answer", _whole, "a whole number"),
    ("confidence", _whole, "a whole number"),
    ("seconds", _seconds, "a number of seconds"),
    ("at", _time, "a date like 2026-03-31, up to the year 9999"),
)


def merge_decisions(decisions: Iterable[Row]) -> list[Row]:
    """Each decision once, sorted, with `counts`: whether it is the reviewer's last decision on that answer.

    The last decision has the latest time. Without times it is the one read last; a decision without a time is older than
    any decision with one.
    """
    unique = {row["id"]: row for row in decisions}
    read_order = {row_id: place for place, row_id in enumerate(unique)}
    ordered = sorted(
        unique.values(),
        key=lambda row: (row["item"], row["answer"], row["reviewer"], row["at"] or "", read_order[row["id"]]),
    )
    last = {(row["item"], row["answer"], row["reviewer"]): row["id"] for row in ordered}
    counting = set(last.values())
    return [{**row, "counts": row["id"] in counting} for row in ordered]

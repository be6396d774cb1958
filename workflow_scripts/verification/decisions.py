"""Decisions: one reviewer's verdict on one answer, read from any supported file; each is kept once, none is lost."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.verification.exports import read_export
from workflow_scripts.verification.items import VERDICTS
from workflow_scripts.verification.spreadsheet import read_sheet

PSEUDONYM = re.compile(r"[a-z0-9][a-z0-9_-]*")
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
    try:
        profiles = read_yaml(path) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())}). Fix the file.") from error
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
            for number, row in enumerate(read_jsonl(path), 1):
                yield f"{path}, row {number}", row
        case _:
            raise UserError(f"{path}: unknown file type. Use .json (Label Studio), .csv or .jsonl.")


def parse_decision(where: str, entry: Row) -> Row | InvalidEntry:
    """The entry as a decision with a content id, or the reason why it is invalid."""
    if not entry.get("item"):
        return InvalidEntry(where, "other_project", "no item; the entry belongs to another project, not to this queue")
    for name in ("reviewer", "verdict", "answer"):
        if entry.get(name) in (None, ""):
            hint = "; its account is not in `verification.reviewers`" if name == "reviewer" else ""
            return InvalidEntry(where, "missing_field", f"no {name}{hint}")
    if entry["verdict"] not in VERDICTS:
        message = f"{str(entry['verdict'])[:40]!r} is not one of {', '.join(VERDICTS)}"
        return InvalidEntry(where, "unknown_verdict", message)
    if not PSEUDONYM.fullmatch(str(entry["reviewer"])):
        message = "the reviewer's name is not a pseudonym; use lower-case letters, digits, - and _"
        return InvalidEntry(where, "no_pseudonym", message)
    row: Row = {"item": str(entry["item"]), "reviewer": entry["reviewer"], "verdict": entry["verdict"]}
    try:
        row["answer"] = int(entry["answer"])
        confidence, seconds = entry.get("confidence"), entry.get("seconds")
        row["confidence"] = int(confidence) if confidence not in (None, "") else None
        row["seconds"] = round(float(seconds), 1) if seconds not in (None, "") else None
        row["at"] = _time(entry.get("at"))
    except ValueError:
        message = "invalid value; answer, confidence and seconds are numbers, a date is like 2026-03-31"
        return InvalidEntry(where, "wrong_value", message)
    for name in ("corrected", "note"):
        row[name] = str(entry.get(name) or "").strip() or None
    return {"id": content_id(*(row[name] for name in CONTENT)), **{name: row[name] for name in CONTENT}}


def _time(value: Any) -> str | None:
    """A time as UTC in ISO 8601; a time without a zone is read as UTC."""
    if value in (None, ""):
        return None
    time = datetime.fromisoformat(str(value))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


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

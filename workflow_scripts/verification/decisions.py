"""Decisions: one reviewer's verdict on one answer, from whatever file it came, each kept once and none lost."""

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
from workflow_scripts.verification.exports import read_export
from workflow_scripts.verification.items import VERDICTS
from workflow_scripts.verification.spreadsheet import read_sheet

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # a pseudonym
CONTENT = ("item", "answer", "reviewer", "verdict", "confidence", "corrected", "note", "seconds", "at")


@dataclass(frozen=True)
class Problem:
    """An entry that is no decision: where it stands, a reason in snake_case, and what to tell the user."""

    where: str
    reason: str
    words: str


def read_reviewers(path: Path | None) -> dict[str, Row]:
    """The profiles of the reviewers by pseudonym: {fields, degree, account}; none without a file."""
    if path is None:
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(found, dict) or not all(isinstance(one, dict) and "fields" in one for one in found.values()):
        raise UserError(f"{path}: expected is `pseudonym: {{fields: [...], degree: ...}}` for each reviewer.")
    return found


def read_file(path: Path, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """The entries of a file of decisions, each with where it stands: by its ending an export, a spreadsheet or JSONL."""
    match path.suffix:
        case ".json":
            yield from read_export(path, accounts)
        case ".csv":
            yield from read_sheet(path)
        case ".jsonl":
            for number, row in enumerate(read_jsonl(path), 1):
                yield f"{path}, row {number}", row
        case _:
            raise UserError(f"{path}: unknown kind of file. Use .json (Label Studio), .csv or .jsonl.")


def checked(where: str, entry: Row) -> Row | Problem:
    """The entry as a decision, or what is wrong with it."""
    if not entry.get("item"):
        return Problem(where, "other_project", "names no item; it is of another project, or of no export of this queue")
    for name in ("reviewer", "verdict", "answer"):
        if entry.get(name) in (None, ""):
            hint = "; its account is not in `verification.reviewers`" if name == "reviewer" else ""
            return Problem(where, "missing_field", f"has no {name}{hint}")
    if entry["verdict"] not in VERDICTS:
        return Problem(where, "unknown_verdict", f"{str(entry['verdict'])[:40]!r} is not one of {', '.join(VERDICTS)}")
    if not NAME.fullmatch(str(entry["reviewer"])):
        return Problem(where, "no_pseudonym", "the reviewer is not a name of small letters, digits, - and _")
    row: Row = {"item": str(entry["item"]), "reviewer": entry["reviewer"], "verdict": entry["verdict"]}
    try:
        row["answer"] = int(entry["answer"])
        confidence, seconds = entry.get("confidence"), entry.get("seconds")
        row["confidence"] = int(confidence) if confidence not in (None, "") else None
        row["seconds"] = round(float(seconds), 1) if seconds not in (None, "") else None
        row["at"] = _time(entry.get("at"))
    except ValueError:
        return Problem(where, "wrong_value", "answer, confidence and seconds are numbers, the date is like 2026-03-31")
    for name in ("corrected", "note"):
        row[name] = str(entry.get(name) or "").strip() or None
    return {"id": content_id(*(row[name] for name in CONTENT)), **{name: row[name] for name in CONTENT}}


def _time(value: Any) -> str | None:
    """A time as UTC in ISO 8601; one without a zone is taken for UTC."""
    if value in (None, ""):
        return None
    found = datetime.fromisoformat(str(value))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def in_order(decisions: Iterable[Row]) -> list[Row]:
    """Each decision once, sorted, with `counts`: whether it is its reviewer's last word on that answer.

    The last word is the one with the latest time; without times it is the one that came last. One without a time is
    older than any with one.
    """
    unique = {row["id"]: row for row in decisions}
    came = {row_id: place for place, row_id in enumerate(unique)}
    ordered = sorted(
        unique.values(), key=lambda row: (row["item"], row["answer"], row["reviewer"], row["at"] or "", came[row["id"]])
    )
    last = {(row["item"], row["answer"], row["reviewer"]): row["id"] for row in ordered}
    counting = set(last.values())
    return [{**row, "counts": row["id"] in counting} for row in ordered]

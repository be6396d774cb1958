"""Read Label Studio's exports as decisions: `JSON` (full annotations) and `JSON_MIN` (flat)."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row

# Domain of the reviewers' accounts: a pseudonym as the address keeps personal addresses out of Label Studio.
DOMAIN = "reviewers.invalid"
RESULT_NAME = re.compile(r"(verdict|confidence|corrected|note)_(\d+)")


def read_export(path: Path, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """Each judged answer with its place (file, entry and answer); missing values are None.

    `accounts` maps account numbers to pseudonyms. Skipped and unannotated tasks yield nothing. UserError if the file is
    not an export.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(
            f"{path}: not an export of Label Studio, which is a list of tasks. Export it as JSON or JSON-MIN."
        )
    for number, task in enumerate(tasks, 1):
        yield from read_task(f"{path}, entry {number}", task, accounts)


def read_task(where: str, task: Row, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """The decisions of one task of an export, each with its place."""
    if isinstance(task.get("data"), dict):
        for annotation in task.get("annotations") or []:
            if not annotation.get("was_cancelled"):
                yield from _decisions(where, task["data"], _flat(annotation.get("result") or []), annotation, accounts)
    elif "annotation_id" in task:
        yield from _decisions(where, task, task, {**task, "completed_by": task.get("annotator")}, accounts)


def _flat(result: list[Row]) -> Row:
    """The results of an annotation as JSON_MIN writes them: {verdict_0: correct, ...}."""
    return {str(part.get("from_name")): next(iter((part.get("value") or {}).values()), None) for part in result}


def _decisions(
    where: str, data: Row, results: Row, annotation: Row, accounts: dict[int, str]
) -> Iterator[tuple[str, Row]]:
    answers: dict[int, Row] = defaultdict(dict)
    for number in range(len(data.get("exchanges") or [])):
        answers[number] = {}
    for name, value in results.items():
        if match := RESULT_NAME.fullmatch(str(name)):
            answers[int(match[2])][match[1]] = _single(value)
    decision = {
        "item": data.get("item"),
        "reviewer": _reviewer(data, annotation.get("completed_by"), accounts),
        "at": annotation.get("updated_at") or annotation.get("created_at"),
        "seconds": annotation.get("lead_time"),
    }
    if decision["item"] is None:
        yield where, decision | {"answer": None}
        return
    for number, fields in sorted(answers.items()):
        yield f"{where}, answer {number + 1}", decision | {"answer": number + 1} | fields


def _single(value: Any) -> Any:
    """A single choice or text; several texts are joined as paragraphs."""
    if isinstance(value, list):
        return "\n\n".join(map(str, value)) if value else None
    return value


def _reviewer(data: Row, author: Any, accounts: dict[int, str]) -> str | None:
    """The author of an annotation: by the account's address, by its number, or the reviewer named in the task."""
    if isinstance(author, dict):
        name, _, domain = str(author.get("email", "")).partition("@")
        if domain == DOMAIN:
            return name
        author = author.get("id")
    if accounts:
        return accounts.get(author)
    return data.get("reviewer")

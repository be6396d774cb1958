"""Label Studio's exports as decisions: `JSON` (whole annotations) and `JSON_MIN` (flat), of one project or several."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row

# Accounts are made from pseudonyms, so that Label Studio holds no address of a person.
DOMAIN = "reviewers.invalid"
PART = re.compile(r"(verdict|confidence|corrected|note)_(\d+)")


def read_export(path: Path, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """Each answer that a reviewer judged, with where it stands; what is missing is None.

    `accounts` are the reviewers by the number of their account. Skipped tasks and tasks that nobody worked on yield nothing.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(
            f"{path}: not an export of Label Studio, which is a list of tasks. Export it as JSON or JSON-MIN."
        )
    for number, task in enumerate(tasks, 1):
        yield from read_task(f"{path}, entry {number}", task, accounts)


def read_task(where: str, task: Row, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """The decisions of one task of an export."""
    if isinstance(task.get("data"), dict):
        for annotation in task.get("annotations") or []:
            if not annotation.get("was_cancelled"):
                yield from _decisions(where, task["data"], _flat(annotation.get("result") or []), annotation, accounts)
    elif "annotation_id" in task:
        yield from _decisions(where, task, task, {**task, "completed_by": task.get("annotator")}, accounts)


def _flat(result: list[Row]) -> Row:
    """The results of an annotation as JSON_MIN writes them: {verdict_0: correct, ...}."""
    return {part.get("from_name"): next(iter((part.get("value") or {}).values()), None) for part in result}


def _decisions(
    where: str, data: Row, given: Row, annotation: Row, accounts: dict[int, str]
) -> Iterator[tuple[str, Row]]:
    answers: dict[int, Row] = defaultdict(dict)
    for number in range(len(data.get("exchanges") or [])):
        answers[number] = {}
    for name, value in given.items():
        if found := PART.fullmatch(str(name)):
            answers[int(found[2])][found[1]] = _single(value)
    told = {
        "item": data.get("item"),
        "reviewer": _reviewer(data, annotation.get("completed_by"), accounts),
        "at": annotation.get("updated_at") or annotation.get("created_at"),
        "seconds": annotation.get("lead_time"),
    }
    if told["item"] is None:
        yield where, told | {"answer": None}
        return
    for number, parts in sorted(answers.items()):
        yield f"{where}, answer {number + 1}", told | {"answer": number + 1} | parts


def _single(value: Any) -> Any:
    """A choice or a text alone; several texts as paragraphs."""
    if isinstance(value, list):
        return "\n\n".join(map(str, value)) if value else None
    return value


def _reviewer(data: Row, author: Any, accounts: dict[int, str]) -> str | None:
    """Who wrote an annotation: by the account's address, by its number, or as the task names its reviewer."""
    if isinstance(author, dict):
        name, _, domain = str(author.get("email", "")).partition("@")
        if domain == DOMAIN:
            return name
        author = author.get("id")
    if accounts:
        return accounts.get(author)
    return data.get("reviewer")

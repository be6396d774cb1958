"""Read Label Studio's exports as decisions: `JSON` (full annotations) and `JSON_MIN` (flat)."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_user_json
from workflow_scripts.common.types import Row

# Domain of the reviewers' accounts: a pseudonym as the address keeps personal addresses out of Label Studio.
DOMAIN = "reviewers.invalid"
RESULT_NAME = re.compile(r"(verdict|confidence|corrected|note)_(\d+)")


def read_export(path: Path, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """Each judged answer with its place (file, entry and answer); missing values are None.

    `accounts` maps account numbers to pseudonyms. Skipped and unannotated tasks yield nothing. UserError if the file is
    not an export.
    """
    tasks = read_user_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(
            f"{path}: not an export of Label Studio, which is a list of tasks. Export it as JSON or JSON-MIN."
        )
    for number, task in enumerate(tasks, 1):
        yield from read_task(f"{path}, entry {number}", task, accounts)


def read_task(where: str, task: Row, accounts: dict[int, str]) -> Iterator[tuple[str, Row]]:
    """The decisions of one task of an export, each with its place.

    A part of an export that is not of Label Studio's form is a UserError: a verdict in it would be lost.
    """
    if isinstance(task.get("data"), dict):
        for annotation in _list_of_objects(where, "annotations", task.get("annotations")):
            if not annotation.get("was_cancelled"):
                result = _list_of_objects(where, "result", annotation.get("result"))
                yield from _decisions(where, task["data"], _flat(where, result), annotation, accounts)
    elif "annotation_id" in task:
        yield from _decisions(where, task, task, {**task, "completed_by": task.get("annotator")}, accounts)
    else:
        raise UserError(f"{where}: neither `data` nor `annotation_id`. Export the project again as JSON or JSON-MIN.")


def _list_of_objects(where: str, name: str, value: Any) -> list[Row]:
    """A list of objects, empty for null. UserError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise UserError(f"{where}: `{name}` is not a list of objects. Export the project again as JSON or JSON-MIN.")
    return value


def _flat(where: str, result: list[Row]) -> Row:
    """The results of an annotation as JSON_MIN writes them: {verdict_0: correct, ...}."""
    flat: Row = {}
    for part in result:
        name, value = str(part.get("from_name")), part.get("value")
        if not isinstance(value, dict | None):
            raise UserError(
                f"{where}: `value` of {name} is not an object. Export the project again as JSON or JSON-MIN."
            )
        single = next(iter((value or {}).values()), None)
        if name in flat and flat[name] != single:
            raise UserError(
                f"{where}: two different results for {name}. Keep one of them in Label Studio, and export again."
            )
        flat[name] = single
    return flat


def _decisions(
    where: str, data: Row, results: Row, annotation: Row, accounts: dict[int, str]
) -> Iterator[tuple[str, Row]]:
    answers: dict[int, Row] = defaultdict(dict)
    exchanges = data.get("exchanges")
    for number in range(len(exchanges) if isinstance(exchanges, list) else 0):
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
        return accounts.get(author) if isinstance(author, int) else None
    return data.get("reviewer")

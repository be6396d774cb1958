"""Answers on disk: every finished request is stored before its answer is used, and is never sent again.

One file per request, named by the hash of the request's content and written atomically. Several jobs may share the
folder on a network file system, and a crash at any time leaves it readable. Failed requests are never stored; those that
earlier versions stored are ignored. A refusal by a content filter is stored as what it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import content_id, write_json
from workflow_scripts.teacher.replies import Answer, finish_reason

Request = dict[str, Any]

KEY = re.compile(r"[0-9a-f]{16}")


class RequestCache:
    """Answers by request, in `folder`/<first two hex digits>/<hash>.json."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def get(self, request: Request) -> Answer | None:
        """The stored answer; None if there is no file, or if its content is invalid, incomplete or another request."""
        stored = _read_file(self.path(content_id(request)))
        return stored["answer"] if stored is not None and stored["request"] == request else None

    def put(self, request: Request, answer: Answer) -> None:
        """Store a finished request."""
        write_json(self.path(content_id(request)), {"request": request, "answer": answer})

    def path(self, key: str) -> Path:
        """The file of a request's hash."""
        return self.folder / key[:2] / f"{key}.json"

    def files(self) -> list[Path]:
        """The files of all finished requests, sorted by hash."""
        return sorted(path for path in self.folder.glob("[0-9a-f][0-9a-f]/*.json") if KEY.fullmatch(path.stem))

    def rows(self, keys: Iterable[str] | None = None) -> Iterator[tuple[str, Request, Answer] | None]:
        """(hash, request, answer) of these hashes or, by default, of all `files()`, sorted by hash.

        None for a file without a finished request, or with a hash that does not match.
        """
        for path in self.files() if keys is None else map(self.path, sorted(keys)):
            stored = _read_file(path)
            if stored is None or not content_id(stored["request"]) == path.stem == path.parent.name + path.stem[2:]:
                yield None
            else:
                yield path.stem, stored["request"], stored["answer"]


def usable(answer: Any) -> bool:
    """Whether a stored answer has a text and the finish reason of a complete request."""
    if not isinstance(answer, dict):
        return False
    return isinstance(answer.get("text"), str) and finish_reason(answer.get("finish_reason")) is not None


def _read_file(path: Path) -> dict[str, Any] | None:
    """{request, answer} of a cache file; None if the file is missing, invalid, or of a request that failed."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or not {"request", "answer"} <= stored.keys() or not usable(stored["answer"]):
        return None
    answer = stored["answer"]
    return {"request": stored["request"], "answer": {**answer, "finish_reason": finish_reason(answer["finish_reason"])}}

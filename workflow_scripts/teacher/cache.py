"""Answers on disk: every finished request is stored before its answer is used, and is never sent again.

One file per request, named by the hash of the request's content and written atomically. Several jobs may share the
folder on a network file system, and a crash at any time leaves it readable. Errors are never stored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import content_id, write_json

Request = dict[str, Any]
Answer = dict[str, Any]

KEY = re.compile(r"[0-9a-f]{16}")


class RequestCache:
    """Answers by request, in `folder`/<first two hex digits>/<hash>.json."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def _path(self, request: Request) -> Path:
        key = content_id(request)
        return self.folder / key[:2] / f"{key}.json"

    def get(self, request: Request) -> Answer | None:
        """The stored answer; None if there is no file, or if its content is invalid or another request."""
        stored = _read_file(self._path(request))
        return stored["answer"] if stored is not None and stored["request"] == request else None

    def put(self, request: Request, answer: Answer) -> None:
        """Store a finished request."""
        write_json(self._path(request), {"request": request, "answer": answer})

    def files(self) -> list[Path]:
        """The files of all finished requests, sorted by hash."""
        return sorted(path for path in self.folder.glob("[0-9a-f][0-9a-f]/*.json") if KEY.fullmatch(path.stem))

    def rows(self) -> Iterator[tuple[str, Request, Answer] | None]:
        """(hash, request, answer) of each of `files()`; None for an invalid file or a hash that does not match."""
        for path in self.files():
            stored = _read_file(path)
            if stored is None or not content_id(stored["request"]) == path.stem == path.parent.name + path.stem[2:]:
                yield None
            else:
                yield path.stem, stored["request"], stored["answer"]


def _read_file(path: Path) -> dict[str, Any] | None:
    """{request, answer} of a cache file; None if the file is missing or invalid."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    valid = isinstance(stored, dict) and {"request", "answer"} <= stored.keys() and isinstance(stored["answer"], dict)
    return stored if valid else None

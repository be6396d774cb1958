"""Every finished request on disk before its answer is used, so that a rerun asks nothing twice.

One file a request, named by the hash of the request's content and written atomically: safe with several jobs at
once on a shared file system, readable after a crash at any moment. Errors are never stored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import content_id, write_json

Request = dict[str, Any]
Answer = dict[str, Any]

NAME = re.compile(r"[0-9a-f]{16}")


class RequestCache:
    """Answers by request, under `folder`/<first two hex digits>/<hash>.json."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def _path(self, request: Request) -> Path:
        name = content_id(request)
        return self.folder / name[:2] / f"{name}.json"

    def get(self, request: Request) -> Answer | None:
        """The stored answer, or None. A file that does not hold this very request counts as none."""
        stored = _stored(self._path(request))
        return stored["answer"] if stored is not None and stored["request"] == request else None

    def put(self, request: Request, answer: Answer) -> None:
        """Store a finished request."""
        write_json(self._path(request), {"request": request, "answer": answer})

    def files(self) -> list[Path]:
        """The files of all finished requests, in the order of their hashes."""
        return sorted(path for path in self.folder.glob("[0-9a-f][0-9a-f]/*.json") if NAME.fullmatch(path.stem))

    def rows(self) -> Iterator[tuple[str, Request, Answer] | None]:
        """(hash, request, answer) of each of `files()`; None for a file that holds no request, or another than its name says."""
        for path in self.files():
            stored = _stored(path)
            fits = stored is not None and content_id(stored["request"]) == path.stem == path.parent.name + path.stem[2:]
            yield (path.stem, stored["request"], stored["answer"]) if fits else None


def _stored(path: Path) -> dict[str, Any] | None:
    """What a file of the cache holds, None if that is not a request with its answer."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    whole = isinstance(stored, dict) and {"request", "answer"} <= stored.keys() and isinstance(stored["answer"], dict)
    return stored if whole else None

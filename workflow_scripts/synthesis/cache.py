"""Every finished request on disk before its answer is used, so that a rerun asks nothing twice.

One file a request, named by the hash of the request's content and written atomically: safe with several jobs at
once on a shared file system, readable after a crash at any moment. Errors are never stored.
"""

import json
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import content_id, write_json

Request = dict[str, Any]
Answer = dict[str, Any]


class RequestCache:
    """Answers by request, under `folder`/<first two hex digits>/<hash>.json."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def _path(self, request: Request) -> Path:
        name = content_id(request)
        return self.folder / name[:2] / f"{name}.json"

    def get(self, request: Request) -> Answer | None:
        """The stored answer, or None. A file that does not hold this very request counts as none."""
        try:
            stored = json.loads(self._path(request).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return stored.get("answer") if isinstance(stored, dict) and stored.get("request") == request else None

    def put(self, request: Request, answer: Answer) -> None:
        """Store a finished request."""
        write_json(self._path(request), {"request": request, "answer": answer})

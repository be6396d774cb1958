"""Answers on disk: every finished request is stored before its answer is used, and is never sent again.

    segments/       {key, request, answer} of finished requests, by the hash of the request (segments.py)
    ab/<hash>.json  answers that earlier versions stored: one file per request, still read

Several jobs may share the folder on a network file system, and a crash at any time leaves it readable. Failed requests are
never stored; those that earlier versions stored are ignored. A refusal by a content filter is stored as what it is.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import content_id
from workflow_scripts.teacher.replies import Answer, finish_reason
from workflow_scripts.teacher.segments import Segments, remove_lines

Request = dict[str, Any]

KEY = re.compile(r"[0-9a-f]{16}")


class RequestCache:
    """Answers by request, below `folder`."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._segments = Segments(self.folder / "segments")
        self._has_files = any(self.folder.glob("[0-9a-f][0-9a-f]"))

    def get(self, request: Request) -> Answer | None:
        """The stored answer; None if there is none, or if it is invalid, incomplete or of another request."""
        stored = self._stored(content_id(request))
        return stored["answer"] if stored is not None and stored["request"] == request else None

    def put(self, request: Request, answer: Answer) -> None:
        """Store a finished request. It is on disk when this returns; several threads may call it."""
        self.put_all([(request, answer)])

    def put_all(self, finished: Iterable[tuple[Request, Answer]]) -> None:
        """Store finished requests, as `put` does."""
        rows = ({"key": content_id(request), "request": request, "answer": answer} for request, answer in finished)
        self._segments.append([json.dumps(row).encode("ascii") for row in rows])

    def keys(self) -> list[str]:
        """The hashes of all finished requests, sorted."""
        return sorted({*self._segments.keys(), *(path.stem for path in self._files())})

    def rows(self, keys: Iterable[str] | None = None) -> Iterator[tuple[str, Request, Answer] | None]:
        """(hash, request, answer) of these hashes or, by default, of all `keys()`, sorted by hash.

        None for a hash without a finished request, or whose request does not match.
        """
        for key in self.keys() if keys is None else sorted(keys):
            stored = self._stored(key)
            if stored is None or content_id(stored["request"]) != key:
                yield None
            else:
                yield key, stored["request"], stored["answer"]

    def forget(self, keys: Collection[str]) -> None:
        """Remove answers. No job may run meanwhile."""
        self.close()
        remove_lines(self._segments.folder, keys)
        for key in keys:
            self._file(key).unlink(missing_ok=True)
        self._segments = Segments(self._segments.folder)

    def close(self) -> None:
        """Write the index of the answers of this process, so that other jobs need not read them."""
        self._segments.close()

    def _stored(self, key: str) -> dict[str, Any] | None:
        """{request, answer} of a hash; None if it is missing, invalid, or of a request that failed."""
        text = self._segments.find(key)
        if text is None and self._has_files:
            try:
                text = self._file(key).read_bytes()
            except FileNotFoundError:
                return None
        return None if text is None else _finished(text)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def _files(self) -> Iterator[Path]:
        found = self.folder.glob("[0-9a-f][0-9a-f]/*.json")
        return (path for path in found if KEY.fullmatch(path.stem) and path.stem.startswith(path.parent.name))


def usable(answer: Any) -> bool:
    """Whether a stored answer has a text and the finish reason of a complete request."""
    if not isinstance(answer, dict):
        return False
    return isinstance(answer.get("text"), str) and finish_reason(answer.get("finish_reason")) is not None


def _finished(text: bytes) -> dict[str, Any] | None:
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or not {"request", "answer"} <= stored.keys() or not usable(stored["answer"]):
        return None
    answer = stored["answer"]
    return {"request": stored["request"], "answer": {**answer, "finish_reason": finish_reason(answer["finish_reason"])}}

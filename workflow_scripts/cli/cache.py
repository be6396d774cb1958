"""Hand on what a teacher has answered: finished requests as one file, which repeats a run byte for byte without a key.

python -m workflow_scripts.cli.cache export --cache results/RUN/synthesis/cache --file answers.jsonl.zst
python -m workflow_scripts.cli.cache import --cache results/RUN/synthesis/cache --file answers.jsonl.zst
"""

import argparse
import io
import json
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.teacher.cache import RequestCache

CODECS = {".zst": "zstd", ".gz": "gzip", ".jsonl": None}
# All that an answer consists of; nothing else leaves the machine.
ANSWER = {"text": str, "finish_reason": (str, type(None)), "prompt_tokens": int, "completion_tokens": int}
# What no request of ours holds; a file with any of it was not made here, and may give a key away.
SECRET = {"api_key", "authorization", "headers", "extra_headers", "extra_body", "extra_query"}


def codec(file: Path) -> str | None:
    """The compression that a file's name stands for."""
    if file.suffix not in CODECS:
        raise UserError(f"{file}: unknown kind of file. End its name in {', '.join(CODECS)}.")
    return CODECS[file.suffix]


def export_answers(cache: RequestCache, file: Path) -> int:
    """Write all finished requests, sorted by their keys; how many. The same cache makes the same file."""
    compression = codec(file)
    total = len(cache.files())
    if not total:
        raise UserError(f"{cache.folder} holds no finished request. Name the `cache` folder of a run.")
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    written = broken = 0
    try:
        with (
            pa.output_stream(str(unfinished), compression=compression) as out,
            progress(total, "export", "answer") as bar,
        ):
            for found in cache.rows():
                bar.update()
                if found is None or not _whole(found[2]):
                    broken += 1
                    continue
                key, request, answer = found
                _no_secrets(f"{cache.folder}: {key}.json", request)
                row = {
                    "key": key,
                    "request": request,
                    "answer": {name: answer[name] for name in ANSWER},
                }
                out.write(json.dumps(row, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n")
                written += 1
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
    if broken:
        logging.warning("%d files of %s hold no finished request and were left out", broken, cache.folder)
    return written


def import_answers(cache: RequestCache, file: Path) -> Row:
    """Store every answer that is not there yet: {new, kept}. A file with a wrong row is refused as a whole."""
    total = sum(1 for _ in _rows(file))  # all are checked before the first is stored
    counts = {"new": 0, "kept": 0}
    with progress(total, "import", "answer") as bar:
        for row in _rows(file):
            if cache.get(row["request"]) is None:
                cache.put(row["request"], row["answer"])
                counts["new"] += 1
            else:
                counts["kept"] += 1
            bar.update()
    return counts


def _rows(file: Path) -> Iterator[Row]:
    compression = codec(file)
    if not file.is_file():
        raise UserError(f"{file}: no such file.")
    number = 0
    try:
        with pa.input_stream(str(file), compression=compression) as stream, io.BufferedReader(stream) as lines:
            for number, line in enumerate(lines, 1):
                yield _checked(f"{file}, line {number}", line)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{file}: broken after line {number} ({error}). Fetch the file again.") from error


def _checked(where: str, line: bytes) -> Row:
    try:
        row = json.loads(line)
        key, request, answer = row["key"], row["request"], row["answer"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{where}: not {{key, request, answer}}. The file is no export of a cache; nothing was imported."
        ) from error
    if not isinstance(request, dict) or content_id(request) != key:
        raise UserError(
            f"{where}: the request does not hash to its key {key!s:.40}. The file was changed; nothing was imported."
        )
    if not _whole(answer):
        raise UserError(
            f"{where}: the answer is not of {', '.join(ANSWER)}. The file was changed; nothing was imported."
        )
    _no_secrets(where, request)
    return {"request": request, "answer": {name: answer[name] for name in ANSWER}}


def _whole(answer: Any) -> bool:
    """Whether an answer has all its parts."""
    return isinstance(answer, dict) and all(isinstance(answer.get(name, ...), kind) for name, kind in ANSWER.items())


def _no_secrets(where: str, request: dict[str, Any]) -> None:
    if found := sorted(SECRET & {name.lower() for name in request}):
        raise UserError(f"{where}: the request holds {', '.join(found)}, which may be a key. Remove that file.")


def main(argv: list[str] | None = None) -> None:
    """Export or import."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("direction", choices=["export", "import"])
    parser.add_argument("--cache", required=True, type=Path, help="folder of finished requests of a run")
    parser.add_argument("--file", required=True, type=Path, help="answers.jsonl.zst, .jsonl.gz or .jsonl")
    args = parser.parse_args(argv)
    cache = RequestCache(args.cache)
    if args.direction == "export":
        logging.info("%d answers in %s", export_answers(cache, args.file), args.file)
    else:
        counts = import_answers(cache, args.file)
        logging.info("%d answers new in %s, %d were there and are kept", counts["new"], args.cache, counts["kept"])


if __name__ == "__main__":
    run(main)

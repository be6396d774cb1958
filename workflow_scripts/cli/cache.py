"""Save all answers of a run's teacher and judge to one file, or load them, to replay the run without a key.

capybara cache export answers.jsonl.zst --configfile mine.yaml
capybara cache import answers.jsonl.zst --configfile mine.yaml
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

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.teacher.cache import RequestCache

CODECS = {".zst": "zstd", ".gz": "gzip", ".jsonl": None}
# The fields of an answer; no other field is exported.
ANSWER_FIELDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "finish_reason": (str, type(None)),
    "prompt_tokens": int,
    "completion_tokens": int,
}
# Fields that no request of this workflow has; a file with any of them is from elsewhere and may contain a key.
SECRET_FIELDS = {"api_key", "authorization", "headers", "extra_headers", "extra_body", "extra_query"}


def codec(file: Path) -> str | None:
    """The compression that the suffix of a file selects; UserError for an unknown suffix."""
    if file.suffix not in CODECS:
        raise UserError(f"{file}: unknown file type. End its name in {', '.join(CODECS)}.")
    return CODECS[file.suffix]


def export_answers(cache: RequestCache, file: Path) -> int:
    """Write all finished requests, sorted by key; their number. The same cache produces the same file.

    UserError for a cache without answers, and for a request that may contain a key.
    """
    compression = codec(file)
    total = len(cache.files())
    if not total:
        raise UserError(
            f"no answers in {cache.folder}. Name the configuration of a finished run, or its folder with --cache."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    written = invalid = 0
    try:
        with (
            pa.output_stream(str(unfinished), compression=compression) as out,
            progress(total, "export", "answer") as bar,
        ):
            for entry in cache.rows():
                bar.update()
                if entry is None or not _is_complete(entry[2]):
                    invalid += 1
                    continue
                key, request, answer = entry
                _no_secrets(f"{cache.folder}: {key}.json", request)
                row = {
                    "key": key,
                    "request": request,
                    "answer": {name: answer[name] for name in ANSWER_FIELDS},
                }
                out.write(json.dumps(row, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n")
                written += 1
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
    if invalid:
        logging.warning("skipped in %s: %s without a finished request", cache.folder, counted(invalid, "file"))
    return written


def import_answers(cache: RequestCache, file: Path) -> Row:
    """Store the answers that are not stored yet: {new, kept}. UserError for a file with an invalid row; nothing is stored."""
    total = sum(1 for _ in _rows(file))  # checks every row before the first is stored
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
        raise UserError(f"{file}: damaged after line {number} ({error}). Copy the file again.") from error


def _checked(where: str, line: bytes) -> Row:
    try:
        row = json.loads(line)
        key, request, answer = row["key"], row["request"], row["answer"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{where}: not {{key, request, answer}}, so this is not an exported cache. Nothing was imported."
        ) from error
    if not isinstance(request, dict) or content_id(request) != key:
        raise UserError(
            f"{where}: the request does not match its key {key!s:.40}: the file was changed. Nothing was imported."
        )
    if not _is_complete(answer):
        raise UserError(
            f"{where}: the answer does not have {', '.join(ANSWER_FIELDS)}: the file was changed. Nothing was imported."
        )
    _no_secrets(where, request)
    return {"request": request, "answer": {name: answer[name] for name in ANSWER_FIELDS}}


def _is_complete(answer: Any) -> bool:
    """Whether an answer has all its fields, with the right types."""
    return isinstance(answer, dict) and all(
        isinstance(answer.get(name, ...), kind) for name, kind in ANSWER_FIELDS.items()
    )


def _no_secrets(where: str, request: dict[str, Any]) -> None:
    if fields := sorted(SECRET_FIELDS & {name.lower() for name in request}):
        raise UserError(f"{where}: the request has {', '.join(fields)}, which may contain a key. Delete it.")


def main(argv: list[str]) -> None:
    """Export or import."""
    parser = argparse.ArgumentParser(
        prog="capybara cache", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="direction", required=True, metavar="export | import")
    for name, purpose in {"export": "write all answers to a file", "import": "store the answers of a file"}.items():
        command = commands.add_parser(name, help=purpose, parents=[configfile_option()])
        command.add_argument("file", type=Path, metavar="FILE", help="answers.jsonl.zst, .jsonl.gz or .jsonl")
        command.add_argument(
            "--cache", type=Path, metavar="FOLDER", help="folder of the answers; default <results>/<run>/teacher/cache"
        )
    args = parser.parse_args(argv)
    folder = args.cache or run_folder(checked_configuration(args.configfile)) / "teacher" / "cache"
    cache = RequestCache(folder)
    if args.direction == "export":
        logging.info("%s in %s", counted(export_answers(cache, args.file), "answer"), args.file)
    else:
        counts = import_answers(cache, args.file)
        logging.info("%s stored in %s; %d already stored", counted(counts["new"], "new answer"), folder, counts["kept"])

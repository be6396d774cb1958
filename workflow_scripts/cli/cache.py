"""Save all answers of a run's teacher and judge to one file, load them to replay the run without a key, or forget some.

capybara cache export answers.jsonl.zst --configfile mine.yaml
capybara cache import answers.jsonl.zst --configfile mine.yaml
capybara cache forget --reason bad_turn --configfile mine.yaml
"""

import argparse
import io
import json
import logging
import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.synthesis.forget import Choice, choose
from workflow_scripts.synthesis.replay import replay
from workflow_scripts.synthesis.shards import examples_shown, shards
from workflow_scripts.synthesis.topics import read_topics
from workflow_scripts.teacher.budget import price_of
from workflow_scripts.teacher.cache import Request, RequestCache, usable
from workflow_scripts.teacher.replies import Answer
from workflow_scripts.teacher.sampling import secret_fields

CODECS = {".zst": "zstd", ".gz": "gzip", ".jsonl": None}
# The fields of an answer; no other field is exported.
ANSWER_FIELDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "finish_reason": (str, type(None)),
    "prompt_tokens": int,
    "completion_tokens": int,
}
STORED_TOGETHER = 1000  # imported answers
LOCKS = Path(".snakemake/locks")  # of a snakemake that runs in this folder


def codec(file: Path) -> str | None:
    """The compression that the suffix of a file selects; UserError for an unknown suffix."""
    if file.suffix not in CODECS:
        raise UserError(f"{file}: unknown file type. End its name in {', '.join(CODECS)}.")
    return CODECS[file.suffix]


def export_answers(cache: RequestCache, file: Path, keys: Collection[str] | None = None) -> int:
    """Write all finished requests, or those with these hashes, sorted by key; their number.

    The same cache produces the same file. UserError for a cache without answers, and for a request that may contain a key.
    """
    compression = codec(file)
    total = len(cache.keys() if keys is None else keys)
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
            for entry in cache.rows(keys):
                bar.update()
                if entry is None or not _is_complete(entry[2]):
                    invalid += 1
                    continue
                key, request, answer = entry
                _no_secrets(f"{cache.folder}: {key}", request)
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
        logging.warning("skipped in %s: %s without a finished request", cache.folder, counted(invalid, "row"))
    return written


def import_answers(cache: RequestCache, file: Path) -> Row:
    """Store the answers that are not stored yet: {new, kept, failed}, where `failed` are replies of failed requests, which
    earlier versions exported; they are not stored.

    UserError for a file with an invalid row; nothing is stored.
    """
    total = sum(1 for _ in _rows(file))  # checks every row before the first is stored
    counts = {"new": 0, "kept": 0, "failed": 0}
    new: dict[str, tuple[Request, Answer]] = {}
    with progress(total, "import", "answer") as bar:
        for row in _rows(file):
            if not usable(row["answer"]):
                counts["failed"] += 1
            elif row["key"] in new or cache.get(row["request"]) is not None:
                counts["kept"] += 1
            else:
                new[row["key"]] = (row["request"], row["answer"])
                counts["new"] += 1
            if len(new) == STORED_TOGETHER:
                cache.put_all(new.values())
                new.clear()
            bar.update()
    cache.put_all(new.values())
    cache.close()
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
    return {"key": key, "request": request, "answer": {name: answer[name] for name in ANSWER_FIELDS}}


def _is_complete(answer: Any) -> bool:
    """Whether an answer has all its fields, with the right types."""
    return isinstance(answer, dict) and all(
        isinstance(answer.get(name, ...), kind) for name, kind in ANSWER_FIELDS.items()
    )


def _no_secrets(where: str, request: dict[str, Any]) -> None:
    if fields := sorted(secret_fields({name: value for name, value in request.items() if name != "messages"})):
        raise UserError(f"{where}: the request has {', '.join(fields)}, which may contain a key. Delete it.")


def forget_answers(config: Config, choice: Choice, confirmed: bool) -> str:
    """Forget the answers of the chosen seeds if `confirmed`: a report of what was, or would be, forgotten.

    The answers are moved to a file in `teacher/forgotten/`, which `capybara cache import` restores. The outputs of the
    seeds' shards are deleted, so that the next run generates them again.
    """
    folder = run_folder(config)
    cache, seeds_file = RequestCache(folder / "teacher" / "cache"), folder / "seeds" / "data.jsonl"
    if not seeds_file.is_file():
        raise UserError(f"{seeds_file}: no such file, so no seed has answers. Name the configuration of a started run.")
    settings = config["synthesis"]
    parts = enumerate(shards(seeds_file, settings["shard_size"], examples_shown(settings)))
    seeds = [(f"{number:04d}", seed) for number, part in parts for seed in part]
    topics_file = folder / "synthesis" / "topics.json"
    topics = read_topics(topics_file) if topics_file.is_file() else []
    replayed = replay([seed for _, seed in seeds], config, cache, topics)
    forgotten = choose(zip((shard for shard, _ in seeds), replayed, strict=True), choice)
    if choice == Choice() or not forgotten.shards:
        found = "\n".join(f"{name}: {_counts(counts)}" for name, counts in forgotten.found.items())
        if confirmed or choice != Choice():
            raise UserError(f"no seed is chosen. Choose with --shard, --reason and --technique from\n{found}")
        return f"{found}\nChoose with --shard, --reason and --technique. Nothing was changed."
    prompt_tokens, completion_tokens = forgotten.tokens()
    price = config["teacher"]["price"]
    money = price_of(prompt_tokens, completion_tokens, price)
    cost = f", {money:,.2f} {price['currency']}" if money else ""
    report = (
        f"{counted(forgotten.shards.total(), 'seed')} of {counted(len(forgotten.shards), 'shard')} "
        f"({_counts(forgotten.shards)}): {counted(len(forgotten.answers), 'answer')}, "
        f"{prompt_tokens + completion_tokens:,} tokens{cost}"
    )
    if forgotten.shared:
        report += f"; {counted(forgotten.shared, 'answer')} that other seeds use as well are kept"
    if not confirmed:
        return f"{report}.\nNothing was changed. Repeat with --yes to forget them."
    if LOCKS.is_dir() and any(LOCKS.iterdir()):
        raise UserError(
            "a snakemake runs in this folder, or was killed. Wait for it, or run `snakemake --unlock`, and try again."
        )
    if forgotten.answers:
        saved = folder / "teacher" / "forgotten" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.jsonl.zst"
        export_answers(cache, saved, forgotten.answers.keys())
        report += f". They are in {saved}; `capybara cache import` restores them"
    cache.forget(forgotten.answers.keys())
    for shard in forgotten.shards:
        for suffix in (".jsonl", ".rejected.jsonl", ".stats.json"):
            (folder / "synthesis" / "shards" / f"{shard}{suffix}").unlink(missing_ok=True)
    return (
        f"{report}.\nThe next run of snakemake generates the shards again and requests what is missing. Start it without a "
        "target, or with the target `synthesis`: the target of a later stage does not notice missing shards."
    )


def _counts(counts: Counter[str], most: int = 12) -> str:
    """The most frequent names with their counts, on one line."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name} {count:,}" for name, count in ordered[:most]]
    more = len(counts) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])]) or "none"


def main(argv: list[str]) -> None:
    """Export, import or forget."""
    parser = argparse.ArgumentParser(
        prog="capybara cache", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="export | import | forget")
    for name, purpose in {"export": "write all answers to a file", "import": "store the answers of a file"}.items():
        command = commands.add_parser(name, help=purpose, parents=[configfile_option()])
        command.add_argument("file", type=Path, metavar="FILE", help="answers.jsonl.zst, .jsonl.gz or .jsonl")
        command.add_argument(
            "--cache", type=Path, metavar="FOLDER", help="folder of the answers; default <results>/<run>/teacher/cache"
        )
    command = commands.add_parser(
        "forget",
        help="forget the answers of some seeds, so that the next run requests them again",
        description="Forget the stored answers of the seeds that all given options choose. Without --yes, only print them.",
        parents=[configfile_option()],
    )
    command.add_argument("--shard", type=int, nargs="+", default=[], metavar="N", help="seeds of these shards")
    command.add_argument(
        "--reason", nargs="+", default=[], metavar="CODE",
        help="seeds that were rejected, or whose conversation ended early, for such a reason (docs/reasons.md): "
        "bad_turn, answer:url, url, teacher_error, ...",
    )  # fmt: skip
    command.add_argument("--technique", nargs="+", default=[], metavar="NAME", help="seeds whose path has one of these")
    command.add_argument("--yes", action="store_true", help="forget them")
    args = parser.parse_args(argv)
    config = None if args.command != "forget" and args.cache else checked_configuration(args.configfile)
    if args.command == "forget" and config is not None:
        shards = (f"{number:04d}" for number in args.shard)
        print(
            forget_answers(
                config, Choice(frozenset(shards), frozenset(args.reason), frozenset(args.technique)), args.yes
            )
        )
        return
    folder = run_folder(config) / "teacher" / "cache" if config is not None else args.cache
    cache = RequestCache(folder)
    if args.command == "export":
        logging.info("%s in %s", counted(export_answers(cache, args.file), "answer"), args.file)
        return
    counts = import_answers(cache, args.file)
    logging.info("%s stored in %s; %d already stored", counted(counts["new"], "new answer"), folder, counts["kept"])
    if counts["failed"]:
        logging.warning(
            "%s of failed requests not stored: they are requested again", counted(counts["failed"], "reply", "replies")
        )

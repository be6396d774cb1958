"""Search any JSONL or parquet files for benchmark items, and remove the rows that contain them.

A benchmark text is a hit at T % if part of a row differs from it in at most (100 - T) % of its length in edits (characters
changed, deleted or inserted). Case, punctuation, Markdown and line breaks are ignored. The search is exact: no hit is
missed, and every reported hit is one.

Rows are conversations (`conversation`, `conversations` or `messages`), or the text columns named by --columns. Written to
--output:
  hits.jsonl       one row per hit: row, turn, position, benchmark, item, distance, similarity, both texts
  stats.json       items and rows hit, per benchmark, tier and level
  rephrased.jsonl  with --rephrased: passages that may be rephrased items
  rejected.jsonl   the removed rows with reason and evidence, also those that cannot be read
  clean/           the files without the removed rows, in their own format
"""

import argparse
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from workflow_scripts.cli import further_checks
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import content_id, read_json, write_json, write_jsonl
from workflow_scripts.common.types import Config, Hit, Row
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config.locations import with_locations
from workflow_scripts.config.schema import section_errors
from workflow_scripts.decontamination import catalogue
from workflow_scripts.decontamination.benchmark_index import write_benchmark_index
from workflow_scripts.decontamination.clean import write_clean
from workflow_scripts.decontamination.corpus import Block, blocks, read_block, row_noun, shard
from workflow_scripts.decontamination.index import FORMAT_VERSION, LOWEST_LEVEL
from workflow_scripts.decontamination.items import read_benchmark
from workflow_scripts.decontamination.removal import AllowList, hit_evidence, judge, judge_relations, relation_evidence
from workflow_scripts.decontamination.scan import scan
from workflow_scripts.decontamination.tables import contamination_table, is_word, rephrased_table

EXAMPLES = """examples:
  capybara decontaminate data.jsonl --benchmarks mmlu gpt4all --output checked
  capybara decontaminate pairs.parquet --columns question answer --benchmarks gsm8k --output checked
  capybara decontaminate data.jsonl --benchmark-file mine.yaml --benchmarks mine --output checked
  capybara decontaminate data.jsonl --benchmarks mmlu --rephrased --near-duplicates --output checked

  Your own benchmark, in mine.yaml: its name, its file, and the columns of an item
    mine: {path: items.jsonl, id: id, question: question, choices: choices, answer: answer, answer_is: index}
  All keys are explained in docs/configuration.md, under decontamination.custom.

  On a cluster: create the index once, then run one job per shard. The shards' JSON Lines files, concatenated in order, are
  identical to those of a single run.
    capybara decontaminate --benchmarks mmlu gpt4all --index index
    capybara decontaminate data.jsonl --index index --shard 3/8 --output checked
"""
SHOWN_ERRORS = 10  # of an invalid file
TABLE_COLUMNS: Final = ("id", "file", "row", "benchmark", "item", "tier", "field", "removes", "level", "allowed")


def main(argv: list[str]) -> None:
    """Search files, or create an index only."""
    args = _parser().parse_args(argv)
    if args.list:
        print(*_names(), sep="\n")
        return
    lowest = min(*args.levels, args.remove_at)
    if not LOWEST_LEVEL <= lowest <= max(*args.levels, args.remove_at) <= 100:
        raise UserError(f"--levels and --remove-at must be from {LOWEST_LEVEL} to 100.")
    if args.processes < 1:
        raise UserError("--processes must be at least 1.")
    if not args.files and (swallowed := [name for name in args.benchmarks if Path(name).is_file()]):
        raise UserError(f"--benchmarks: {', '.join(swallowed)} is a file. Name the files before the options.")
    if not args.files and not args.index:
        raise UserError("nothing to search. Name files, or --index to create only an index.")
    if args.files and not args.output:
        raise UserError("no output folder. Set it with --output.")
    further_checks.check_arguments(args)
    number, count = args.shard
    mine = shard(blocks(args.files), number - 1, count)
    if args.files:
        _check_paths(args.files, args.output)
    index = args.index or args.output / "index"
    suites = _prepare_index(index, args, lowest, mine)
    if args.files:
        suffix = f".{number:0{len(str(count))}}-of-{count}" if count > 1 else ""
        _check_files(mine, index, suites, suffix, args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="capybara decontaminate",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help=".jsonl, .json (also .gz, .zst) or .parquet files to search"
    )
    parser.add_argument(
        "--benchmarks", nargs="+", default=[], metavar="NAME", help="benchmarks or suites to search for; see --list"
    )
    parser.add_argument("--benchmark-file", type=Path, metavar="YAML", help="file of your own benchmarks")
    parser.add_argument("--list", action="store_true", help="print the names of the known benchmarks and suites")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="folder to write to")
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help="text columns, if the rows are not conversations",
    )
    parser.add_argument(
        "--remove-at",
        type=int,
        default=97,
        metavar="PERCENT",
        help="remove rows with a hit at this level or above; default 97",
    )
    parser.add_argument(
        "--levels",
        type=int,
        nargs="+",
        default=[100, 99, 98, 97],
        metavar="PERCENT",
        help="levels to count; default 100 99 98 97",
    )
    parser.add_argument(
        "--allow",
        type=Path,
        metavar="YAML",
        help="hits to keep: a list of {benchmark, item, id, reason}; without id, in all rows",
    )
    parser.add_argument("--hits-only", action="store_true", help="do not write clean/")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="number of processes; default 1")
    parser.add_argument(
        "--index",
        type=Path,
        metavar="FOLDER",
        help="index of the benchmarks, created if it does not exist; default OUTPUT/index",
    )
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N", help="search only part I of N of the files"
    )
    further_checks.add_arguments(parser)
    return parser


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text} is not a shard; write 3/8 for the third of eight")
    return int(found[1]), int(found[2])


def _names() -> list[str]:
    benchmarks, suites = catalogue.known()
    return [*(f"{name}  (suite: {', '.join(members)})" for name, members in suites.items()), *benchmarks]


def _yaml(path: Path, kind: type) -> Any:
    try:
        value = read_yaml(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file.") from error
    if not isinstance(value, kind):
        raise UserError(f"{path}: expected a {'mapping of names' if kind is dict else 'list'}. Fix the file.")
    return value


def _validate(path: Path, key: str, value: Any) -> None:
    """UserError with all errors of a file that has the form of `decontamination.<key>` of a configuration."""
    if isinstance(value, dict) and "decontamination" in value:
        raise UserError(
            f"{path}: a whole configuration. Write the entries of its `decontamination.{key}` to a file of their own."
        )
    if errors := section_errors("decontamination", key, value):
        more = [f"and {len(errors) - SHOWN_ERRORS} more"] if len(errors) > SHOWN_ERRORS else []
        shown = with_locations(errors[:SHOWN_ERRORS], [path])
        raise UserError("\n  ".join([f"{path} has errors:", *shown, *more]))


def _judge(path: Path) -> Config:
    """The configuration with the judge of a file."""
    return further_checks.judge_config(_yaml(path, dict))


def _check_paths(files: list[Path], output: Path) -> None:
    """UserError if two outputs, or an output and an input, would be the same file."""
    names: set[str] = set()
    for path in files:
        if path.name in names:
            raise UserError(
                f"two files are named {path.name}. Search them one after the other, with different --output folders."
            )
        if path.resolve().is_relative_to((output / "clean").resolve()):
            raise UserError(f"{path} is in the output folder. Name another --output.")
        names.add(path.name)


def _prepare_index(folder: Path, args: argparse.Namespace, lowest: int, sample: list[Block]) -> dict[str, list[str]]:
    """Create the index unless it exists and is up to date; the members of each suite to count."""
    own = {}
    if args.benchmark_file:
        own = {str(name): entry for name, entry in _yaml(args.benchmark_file, dict).items()}
        _validate(args.benchmark_file, "custom", own)
    try:
        entries, suites = catalogue.resolve(args.benchmarks or list(own), own)
    except UserError as error:
        hint = "" if args.benchmark_file else " A benchmark of your own needs --benchmark-file (see --help)."
        raise UserError(f"--benchmarks: {error}{hint}") from error
    existing = read_json(folder / "items.json") if (folder / "items.json").is_file() else None
    if not entries:
        if existing is None:
            raise UserError("no benchmark to search for. Name one with --benchmarks; --list prints all.")
        if lowest < existing["lowest_level"]:
            raise UserError(
                f"{folder} is an index for levels of {existing['lowest_level']} % and above. Delete it and run again."
            )
        path = folder / "suites.json"
        return read_json(path) if path.is_file() else {name: [name] for name in existing["benchmarks"]}
    items, origins = [], {}
    for name, entry in entries.items():
        new, origins[name] = read_benchmark(name, entry)
        logging.info("%s: %d items of %s at %s", name, len(new), origins[name]["dataset"], origins[name]["revision"])
        items += new
    contents = {"format": FORMAT_VERSION, "lowest_level": lowest, "items": content_id(items)}
    stamp = folder / "made_of.json"
    if existing is None or not stamp.is_file() or read_json(stamp) != contents:
        stamp.unlink(missing_ok=True)
        write_benchmark_index(folder, items, lowest, _texts(sample, args.columns), origins)
        write_json(stamp, contents)
    write_json(folder / "suites.json", suites)
    return suites


def _texts(sample: list[Block], columns: list[str]) -> Iterator[str]:
    for block in sample:
        for conversations, _ in read_block(block, columns, {}):
            yield from ("\n".join(text for _, text in one.turns) for one in conversations)


def _check_files(
    mine: list[Block], index: Path, suites: dict[str, list[str]], suffix: str, args: argparse.Namespace
) -> None:
    levels = sorted({*args.levels, args.remove_at}, reverse=True)
    allowed = _yaml(args.allow, list) if args.allow else []
    if args.allow:
        _validate(args.allow, "allow", allowed)
    allow = AllowList(allowed)
    judge_keys = _judge(args.judge) if args.judge else None
    removed = RemovedRows()
    table_rows: list[Row] = []  # what the table needs of each hit
    rows = 0

    def judged() -> Iterator[Hit]:
        nonlocal rows
        for found in scan(mine, index, args.columns, args.processes, skip_unreadable=True):
            rows += found.conversations + len(found.unreadable)
            for row, problem in found.unreadable.items():
                path = found.block.path
                where = f"{path}, {row_noun(found.block)} {row}"
                removed.add((str(path), row), f"{path.name}:{row}", "unreadable", f"{where}: {problem}")
            for hit in judge(found.hits, levels, args.remove_at, allow):
                table_rows.append({key: hit[key] for key in TABLE_COLUMNS})
                if hit["counts"]:
                    removed.add((hit["file"], hit["row"]), hit["id"], "contaminated", hit_evidence(hit))
                if not is_word(hit):
                    yield hit

    write_jsonl(args.output / f"hits{suffix}.jsonl", judged())
    if rows and len(removed.rows) == rows == removed.by_reason()["unreadable"]:
        raise UserError(next(iter(removed.rows.values()))["evidence"][0])
    benchmarks = read_json(index / "items.json")["benchmarks"]
    rephrased = None
    if args.rephrased:
        found, judged_by = further_checks.rephrased_rows(args, mine, index, judge_keys)
        candidates = list(judge_relations(found, args.remove_relations, allow))
        for row in candidates:
            if row["counts"]:
                removed.add((row["file"], row["row"]), row["id"], "rephrased_item", relation_evidence(row))
        write_jsonl(args.output / f"rephrased{suffix}.jsonl", candidates)
        rephrased = rephrased_table(candidates, list(benchmarks)) | {"judge": judged_by}
    if args.near_duplicates is not None:
        duplicates = further_checks.near_duplicate_rows(mine, args.columns, args.near_duplicates, removed.rows)
        for place, row_id, evidence in duplicates:
            removed.add(place, row_id, "near_duplicate", evidence)
    order = {str(path): number for number, path in enumerate(args.files)}
    rejected = sorted(removed.rows.values(), key=lambda row: (order[row["file"]], row["row"]))
    write_jsonl(args.output / f"rejected{suffix}.jsonl", rejected)
    for entry in allow.unused():
        logging.warning("--allow: no hit for %s %s", entry["benchmark"], entry["item"])
    table = contamination_table(table_rows, None, benchmarks, suites, levels)
    write_json(
        args.output / f"stats{suffix}.json",
        {"in": rows, "out": rows - len(removed.rows), "rejected": dict(removed.by_reason()), "levels": levels,
         "remove_at": args.remove_at, "allow_unused": allow.unused(), "rephrased": rephrased, **table},
    )  # fmt: skip
    if not args.hits_only:
        write_clean(args.files, mine, set(removed.rows), args.output / "clean", suffix)
    _log_table(table, levels)
    reasons = removed.by_reason()
    logging.info(
        "%d of %d rows have a hit at %d %% or above; results in %s",
        reasons.pop("contaminated", 0), rows, args.remove_at, args.output,
    )  # fmt: skip
    for reason, count in reasons.items():
        logging.info("%s: %s", reason, counted(count, "row"))


class RemovedRows:
    """The removed rows by (file, row), each with its first reason and the evidence for it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Row] = {}

    def add(self, place: tuple[str, int], row_id: str, reason: str, evidence: Any) -> None:
        """Remove a row; more evidence if it is removed for this reason already."""
        file, number = place
        row = self.rows.setdefault(place, {"id": row_id, "reason": reason, "file": file, "row": number, "evidence": []})
        if row["reason"] == reason:
            row["evidence"].append(evidence)

    def by_reason(self) -> Counter[str]:
        """Number of rows by reason."""
        return Counter(row["reason"] for row in self.rows.values())


def _log_table(table: Row, levels: list[int]) -> None:
    names = table["suites"]
    width = max(map(len, names))
    logging.info("%s  %8s  %s", "".ljust(width), "items", "  ".join(f"{f'{level} %':>11}" for level in levels))
    for name, entry in names.items():
        cells = (entry["levels"][str(level)] for level in levels)
        logging.info(
            "%s  %8d  %s", name.ljust(width), entry["items"],
            "  ".join(f"{cell['items']:>5}/{cell['conversations']:<5}" for cell in cells),
        )  # fmt: skip
    logging.info("%s  (items found / rows that contain them)", "".ljust(width))

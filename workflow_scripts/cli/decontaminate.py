"""Find and remove what your data shares with benchmarks, losslessly: any JSONL or parquet files, any benchmarks.

A text of a benchmark is a hit at T % if some part of a row is within (100 - T) % of its length in edits (letters changed,
missing or added), capitals, punctuation, markdown and line breaks aside. None is missed and none is invented.

Rows are conversations (`conversation`, `conversations` or `messages`), or whatever --columns names. Written to --output:
  hits.jsonl       each hit: row, turn, place, benchmark, item, distance, similarity, both texts
  stats.json       per benchmark, tier and level: items and rows hit
  rejected.jsonl   which rows were removed, and why
  clean/           the files without them, in their own format
"""

import argparse
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import content_id, read_json, write_json, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.config.check import part_mistakes
from workflow_scripts.decontamination import catalogue
from workflow_scripts.decontamination.benchmark_index import write_benchmark_index
from workflow_scripts.decontamination.clean import write_clean
from workflow_scripts.decontamination.corpus import Block, blocks, read_block, shard
from workflow_scripts.decontamination.index import FORMAT, LOWEST_LEVEL
from workflow_scripts.decontamination.items import read_benchmark
from workflow_scripts.decontamination.removal import AllowList, judge
from workflow_scripts.decontamination.scan import scan
from workflow_scripts.decontamination.tables import contamination_table

EXAMPLES = """examples:
  python -m workflow_scripts.cli.decontaminate data.jsonl --benchmarks mmlu gpt4all --output checked
  python -m workflow_scripts.cli.decontaminate pairs.parquet --columns question answer --benchmarks gsm8k --output checked
  python -m workflow_scripts.cli.decontaminate data.jsonl --benchmark-file mine.yaml --benchmarks mine --output checked

  A benchmark of your own, in mine.yaml: the name, where it is, and which columns make an item
    mine: {path: items.jsonl, id: id, question: question, choices: choices, answer: answer, answer_is: index}
  Every key is explained in workflow_scripts/decontamination/benchmarks.yaml.

  On a cluster: make the index once, then one job for each shard. The shards' JSON Lines, one after the other, are those of a single run.
    python -m workflow_scripts.cli.decontaminate --benchmarks mmlu gpt4all --index index
    python -m workflow_scripts.cli.decontaminate data.jsonl --index index --shard 3/8 --output checked
"""
KEPT = ("id", "file", "row", "benchmark", "item", "tier", "field", "removes", "level", "allowed")


def main(argv: list[str] | None = None) -> None:
    """Check files, or make an index."""
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
        raise UserError(f"{', '.join(swallowed)} is taken for a benchmark: put the files first.")
    if not args.files and not args.index:
        raise UserError("nothing to check: name files, or --index to make an index only.")
    if args.files and not args.output:
        raise UserError("name a folder to write to with --output.")
    number, count = args.shard
    mine = shard(blocks(args.files), number, count)
    if args.files:
        _check_paths(args.files, args.output)
    index = args.index or args.output / "index"
    suites = _prepare_index(index, args, lowest, mine)
    if args.files:
        suffix = f".{number:0{len(str(count))}}-of-{count}" if count > 1 else ""
        _check_files(mine, index, suites, suffix, args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.cli.decontaminate",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help=".jsonl or .parquet files to check")
    parser.add_argument("--benchmarks", nargs="+", default=[], metavar="NAME", help="what to look for; see --list")
    parser.add_argument("--benchmark-file", type=Path, metavar="YAML", help="benchmarks of your own")
    parser.add_argument("--list", action="store_true", help="print the names of the known benchmarks and suites")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="folder to write to")
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns that hold text, where rows are no conversations",
    )
    parser.add_argument(
        "--remove-at",
        type=int,
        default=97,
        metavar="PERCENT",
        help="remove rows with a hit from this level on (default: 97)",
    )
    parser.add_argument(
        "--levels",
        type=int,
        nargs="+",
        default=[100, 99, 98, 97],
        metavar="PERCENT",
        help="levels to count (default: 100 99 98 97)",
    )
    parser.add_argument(
        "--allow",
        type=Path,
        metavar="YAML",
        help="hits to let pass: a list of {benchmark, item, id, reason}; without id in all rows",
    )
    parser.add_argument("--hits-only", action="store_true", help="do not write clean/")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="processes to search with (default: 1)")
    parser.add_argument(
        "--index",
        type=Path,
        metavar="FOLDER",
        help="index of the benchmarks: read if it is there, else made (default: OUTPUT/index)",
    )
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N", help="check only part I of N of the files"
    )
    return parser


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text} is no shard; write 3/8 for the third of eight")
    return int(found[1]), int(found[2])


def _names() -> list[str]:
    benchmarks, suites = catalogue.known()
    return [*(f"{name}  (suite: {', '.join(members)})" for name, members in suites.items()), *benchmarks]


def _yaml(path: Path, kind: type) -> Any:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, kind):
        raise UserError(f"{path}: a {'mapping of names' if kind is dict else 'list'} was expected.")
    return value


def _validate(path: Path, key: str, value: Any) -> None:
    """UserError with the mistakes of a file that holds what `decontamination.<key>` of a configuration does."""
    if mistakes := part_mistakes("decontamination", key, value):
        raise UserError("\n  ".join([f"{path} has mistakes:", *mistakes]))


def _check_paths(files: list[Path], output: Path) -> None:
    """UserError if two results, or a result and a file to check, would be the same file."""
    names: set[str] = set()
    for path in files:
        if path.name in names:
            raise UserError(
                f"two files are named {path.name}: check them one after the other, into folders of their own."
            )
        if path.resolve().is_relative_to((output / "clean").resolve()):
            raise UserError(f"{path} lies in the folder to write to. Name another --output.")
        names.add(path.name)


def _prepare_index(folder: Path, args: argparse.Namespace, lowest: int, sample: list[Block]) -> dict[str, list[str]]:
    """Make the index, unless it is there and would be the same; returns the suites to count by."""
    own = {}
    if args.benchmark_file:
        own = {str(name): entry for name, entry in _yaml(args.benchmark_file, dict).items()}
        _validate(args.benchmark_file, "custom", own)
    entries, suites = catalogue.resolve(args.benchmarks or list(own), own)
    there = read_json(folder / "items.json") if (folder / "items.json").is_file() else None
    if not entries:
        if there is None:
            raise UserError("name the benchmarks to look for with --benchmarks; --list prints what is known.")
        if lowest < there["lowest_level"]:
            raise UserError(
                f"{folder} is an index for levels from {there['lowest_level']} % on. Delete it and run again."
            )
        path = folder / "suites.json"
        return read_json(path) if path.is_file() else {name: [name] for name in there["benchmarks"]}
    items, origins = [], {}
    for name, entry in entries.items():
        some, origins[name] = read_benchmark(name, entry)
        logging.info("%s: %d items of %s at %s", name, len(some), origins[name]["dataset"], origins[name]["revision"])
        items += some
    made_of = {"format": FORMAT, "lowest_level": lowest, "items": content_id(items)}
    stamp = folder / "made_of.json"
    if there is None or not stamp.is_file() or read_json(stamp) != made_of:
        stamp.unlink(missing_ok=True)
        write_benchmark_index(folder, items, lowest, _texts(sample, args.columns), origins)
        write_json(stamp, made_of)
    write_json(folder / "suites.json", suites)
    return suites


def _texts(sample: list[Block], columns: list[str]) -> Iterator[str]:
    for block in sample:
        for conversations, _ in read_block(block, columns):
            yield from ("\n".join(text for _, text in one.turns) for one in conversations)


def _check_files(
    mine: list[Block], index: Path, suites: dict[str, list[str]], suffix: str, args: argparse.Namespace
) -> None:
    levels = sorted({*args.levels, args.remove_at}, reverse=True)
    allowed = _yaml(args.allow, list) if args.allow else []
    if args.allow:
        _validate(args.allow, "allow", allowed)
    allow = AllowList(allowed)
    removed: dict[tuple[str, int], Row] = {}
    seen: list[Row] = []  # what the table needs of each hit
    rows = 0

    def judged() -> Iterator[Row]:
        nonlocal rows
        for found in scan(mine, index, args.columns, args.processes):
            rows += found.conversations
            for hit in judge(found.hits, levels, args.remove_at, allow):
                seen.append({key: hit[key] for key in KEPT})
                if hit["counts"]:
                    row = removed.setdefault(
                        (hit["file"], hit["row"]),
                        {
                            "id": hit["id"],
                            "reason": "contaminated",
                            "file": hit["file"],
                            "row": hit["row"],
                            "evidence": [],
                        },
                    )
                    row["evidence"].append({key: hit[key] for key in ("benchmark", "item", "field", "similarity")})
                yield hit

    write_jsonl(args.output / f"hits{suffix}.jsonl", judged())
    write_jsonl(args.output / f"rejected{suffix}.jsonl", removed.values())
    benchmarks = read_json(index / "items.json")["benchmarks"]
    for entry in allow.unused():
        logging.warning("--allow: no hit for %s %s", entry["benchmark"], entry["item"])
    table = contamination_table(seen, None, benchmarks, suites, levels)
    write_json(
        args.output / f"stats{suffix}.json",
        {"in": rows, "out": rows - len(removed), "rejected": {"contaminated": len(removed)}, "levels": levels,
         "remove_at": args.remove_at, "allow_unused": allow.unused(), **table},
    )  # fmt: skip
    if not args.hits_only:
        write_clean(args.files, mine, set(removed), args.output / "clean", suffix)
    _tell(table, levels)
    logging.info("%d of %d rows have a hit at %d %% or above: see %s", len(removed), rows, args.remove_at, args.output)


def _tell(table: Row, levels: list[int]) -> None:
    names = table["suites"]
    width = max(map(len, names))
    logging.info("%s  %8s  %s", "".ljust(width), "items", "  ".join(f"{f'{level} %':>11}" for level in levels))
    for name, entry in names.items():
        cells = (entry["levels"][str(level)] for level in levels)
        logging.info(
            "%s  %8d  %s", name.ljust(width), entry["items"],
            "  ".join(f"{cell['items']:>5}/{cell['conversations']:<5}" for cell in cells),
        )  # fmt: skip
    logging.info("%s  (items found / rows that hold them)", "".ljust(width))


if __name__ == "__main__":
    run(main)

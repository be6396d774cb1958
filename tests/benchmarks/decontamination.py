"""Compare decontamination with other tools and with brute force: time, memory and recall.

    python -m tests.benchmarks.decontamination --seeds FILE.parquet ... --hub FOLDER --folder OUT \\
        --peer decon=PYTHON --peer assay=PYTHON --peer datatrove=PYTHON

Conversations are rows of real seeds (all text columns), joined until a conversation has 4,200 characters, about 5 KB. One
word in forty of each row is replaced by a word of another row, and rows repeat if there are too few. Benchmark texts are
planted into some conversations, in these variants:

- inside a turn, unchanged or with random character edits (half substitutions, a quarter deletions, a quarter insertions)
- with one word replaced
- with other line breaks, bold face and capitals
- split across two turns
- prompts of HumanEval as code, unchanged or edited

The distance of each plant from its text is computed by edlib, independently of our code.

All tools search for the same texts, those for which we would remove a conversation. A plant is found if a tool reports its
conversation and, if the tool names items, its item. Each method runs in its own process, on one core unless stated
otherwise. Ours runs several times, and so does parsing the JSON (orjson), the lower bound; the fastest run counts. Prints
a table and writes all figures to OUT/decontamination.json.

--hub has the layout of the Hub (<organisation>/<name>/<config>/<split>.parquet); --items are files of fetch_benchmark. Each
--peer names the Python of an environment with its package: decontaminate, corpus-assay, datatrove (with spacy, xxhash<4).
"""

import argparse
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from tests.benchmarks.decontamination_exactness import Haystack, padded
from tests.benchmarks.decontamination_plants import KINDS, make_conversations, plant, seed_texts
from workflow_scripts.common.rows import read_jsonl, write_json, write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination import catalogue
from workflow_scripts.decontamination.index import allowed_edits
from workflow_scripts.decontamination.items import to_items
from workflow_scripts.decontamination.queries import queries, tiers

ROOT = Path(__file__).parents[2]
SLOW = {"datatrove", "janitor"}  # search only a sample of the conversations
OWN = ("orjson", "edlib", "janitor")
PEERS = {"decon": ("decon", "decon_short"), "assay": ("assay",), "datatrove": ("datatrove",)}


def hub_items(folder: Path) -> Iterable[Row]:
    """The items of all known benchmarks that the folder has."""
    for name, entry in catalogue.known()[0].items():
        hub = entry["hub"]
        files = {split: folder / hub["dataset"] / hub["name"] / f"{split}.parquet" for split in hub["splits"]}
        if all(file.is_file() for file in files.values()):
            for split, file in files.items():
                for number, row in enumerate(pq.read_table(file).to_pylist()):
                    yield from to_items(row, number, split, {**entry, "id_of_benchmark": name})


def prepare(args: argparse.Namespace) -> None:
    """Write the input files of all methods to the folder."""
    rng = random.Random(0)
    items = list(hub_items(args.hub)) if args.hub else [item for file in args.items for item in read_jsonl(file)]
    write_jsonl(args.folder / "items.jsonl", items)
    owners: dict[str, list[tuple[str, str]]] = defaultdict(list)
    texts: dict[str, str] = {}
    for query in queries(items, tiers(items)):
        if query.removes and not query.exact_only:
            owners[query.normal].append((query.benchmark, query.item))
            texts.setdefault(query.normal, query.text)
    rows = [{"key": key, "text": texts[normal], "normal": normal, "items": owners[normal]} for key, normal in enumerate(texts)]  # fmt: skip
    decon = {"eval_key": "texts", "split": "test", "answer": "", "passage": "", "config": "", "is_correct": True}
    write_jsonl(
        args.folder / "evals" / "texts.jsonl",
        ({"key": row["key"], "text": row["text"], "question": row["text"], "eval_instance_index": row["key"],
          "doc_id": row["key"], "fingerprint": str(row["key"]), **decon} for row in rows),
    )  # fmt: skip
    write_jsonl(args.folder / "texts.jsonl", rows)
    conversations = make_conversations(seed_texts(args.seeds), args.conversations, rng)
    plants = plant(conversations, rows, min(400, args.conversations // 50), rng)
    write_jsonl(args.folder / "plants.jsonl", map(asdict, plants))
    write_jsonl(
        args.folder / "conversations.jsonl",
        ({"id": f"c{number}", "source": "benchmark", "conversation": [{"input": one, "output": other} for one, other in zip(turns[::2], turns[1::2], strict=True)]}
         for number, turns in enumerate(conversations)),
    )  # fmt: skip
    write_jsonl(
        args.folder / "documents" / "documents.jsonl",
        ({"id": f"c{number}", "text": "\n".join(turns)} for number, turns in enumerate(conversations)),
    )


def measure(command: list[str], log: Path) -> tuple[float, float]:
    """(seconds, peak memory in MB summed over all its processes) of a command."""
    start, peak_bytes = time.monotonic(), 0
    with open(log, "w") as file:
        process = psutil.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=file, stderr=file)
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                peak_bytes = max(peak_bytes, sum(member.memory_info().rss for member in family))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return time.monotonic() - start, peak_bytes / 1e6


def run_method(name: str, python: str, folder: Path, number: int) -> Row:
    script = str(ROOT / "tests" / "benchmarks" / "decontamination_peers.py")
    _, memory = measure([python, script, name, str(folder), str(number)], folder / f"{name}.out")
    return {**json.loads((folder / f"{name}.json").read_text()), "memory": memory, "conversations": number}


def run_ours(folder: Path, processes: int) -> Row:
    """Our command line with an existing index; the time includes its start."""
    output = folder / f"ours-{processes}"
    command = [sys.executable, "-m", "workflow_scripts.cli.main", "decontaminate", str(folder / "conversations.jsonl")]
    command += ["--index", str(folder / "index"), "--output", str(output), "--hits-only", "--processes", str(processes)]
    seconds, memory = measure(command, folder / f"ours-{processes}.out")
    conversations = json.loads((output / "stats.json").read_text())["in"]
    return {"seconds": seconds, "memory": memory, "conversations": conversations}


def best(runs: list[Row]) -> Row:
    return {**min(runs, key=lambda run: run["seconds"]), "all_seconds": [round(run["seconds"], 2) for run in runs]}


def recall(found: Iterable[tuple[str, Any]], items: list[list], plants: list[Row]) -> Row:
    """[found plants, all plants] of each kind; `found` are pairs of a conversation and a text's key, or None."""
    reported: dict[str, set] = defaultdict(set)
    for conversation, key in found:
        reported[conversation] |= {None} if key is None else {tuple(item) for item in items[int(key)]}
    counts = {kind: [0, 0] for kind in KINDS}
    for row in plants:
        named = reported.get(row["id"], set())
        counts[row["kind"]][0] += None in named or bool(named & {tuple(item) for item in row["items"]})
        counts[row["kind"]][1] += 1
    return counts


def judge_ours(hits: list[Row], plants: list[Row], documents: dict[str, str]) -> Row:
    """Recall of our hits, the hits whose distance edlib contradicts, and the hits in tier A that were not planted."""
    places: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for hit in hits:
        places[hit["id"], hit["benchmark"], hit["item"]] += [hit] if hit["removes"] else []
    counts, wrong = {kind: [0, 0] for kind in KINDS}, 0
    for row in plants:
        found = [hit for item in row["items"] for hit in places[row["id"], *item]]
        counts[row["kind"]][0] += bool(found)
        counts[row["kind"]][1] += 1
        # A hit names the closest rendering of an item, which may differ from the planted one.
        own_text = padded(row["text"]).strip()
        wrong += any(hit["item_normal"] == own_text and hit["distance"] != row["distance"] for hit in found)
    haystacks: dict[str, Haystack] = {}
    contradicted = []
    for hit in hits:
        haystack = haystacks.setdefault(hit["id"], Haystack(padded(documents[hit["id"]])))
        pattern = f" {hit['item_normal']} "
        if haystack.distance(pattern, allowed_edits(len(pattern) - 2, 97)) != hit["distance"]:
            contradicted.append(hit)
    own = {row["id"]: (Haystack(padded(row["planted"])), {tuple(item) for item in row["items"]}) for row in plants}
    unplanted, siblings = [], 0
    for hit in hits:
        planted, items = own.get(hit["id"], (None, set()))
        if hit["tier"] != "A" or not hit["removes"] or (hit["benchmark"], hit["item"]) in items:
            continue
        if planted and planted.distance(f" {hit['item_normal']} ", allowed_edits(hit["length"], 97)) >= 0:
            siblings += 1  # the planted text contains this item, too
        else:
            unplanted.append(hit)
    return {"recall": counts, "distance_differs_from_plant": wrong, "contradicted_by_edlib": contradicted,
            "hits": len(hits), "siblings_of_plants": siblings, "unplanted_tier_a": unplanted}  # fmt: skip


def run_all(args: argparse.Namespace) -> Row:
    folder, number = args.folder, args.conversations
    peers = dict(peer.split("=", 1) for peer in args.peer)
    sizes = [len(line) for line in open(folder / "conversations.jsonl", "rb")]  # noqa: SIM115
    results: Row = {}
    indexes = [run_method("ours_index", sys.executable, folder, number) for _ in range(2)]
    index = min(indexes, key=lambda run: run["index_seconds"])
    shared = {"index_seconds": index["index_seconds"], "index_memory": index["memory"], "index_stages": index["stages"]}
    results["ours, without start-up"] = best(
        [run_method("ours", sys.executable, folder, number) for _ in range(args.runs)]
    )
    for processes in (1, 2):
        name = f"ours, command line, {processes} process{'es' if processes > 1 else ''}"
        results[name] = best([run_ours(folder, processes) for _ in range(args.runs)])
    for name in results:
        results[name] |= shared
    methods = [(name, sys.executable) for name in OWN]
    methods += [(method, peers[peer]) for peer in PEERS if peer in peers for method in PEERS[peer]]
    for name, python in methods:
        some = min(number, args.sample) if name in SLOW else number
        results[name] = run_method(name, python, folder, some)
    for entry in results.values():
        entry["bytes"] = sum(sizes[: entry["conversations"]])
        entry["mb_per_second"] = entry["bytes"] / 1e6 / entry["seconds"]
    return results


def judge(folder: Path, results: Row) -> Row:
    """Add recall and reported conversations to each method; returns the result of `judge_ours`."""
    plants = list(read_jsonl(folder / "plants.jsonl"))
    items = [row["items"] for row in read_jsonl(folder / "texts.jsonl")]
    documents = {row["id"]: row["text"] for row in read_jsonl(folder / "documents" / "documents.jsonl")}
    order = {name: number for number, name in enumerate(documents)}
    hits = list(read_jsonl(folder / "ours-1" / "hits.jsonl"))
    if hits != list(read_jsonl(folder / "ours-2" / "hits.jsonl")):
        raise SystemExit("the hits with one and with two processes differ")
    mine = judge_ours(hits, plants, documents)
    true = {hit["id"] for hit in hits if hit["removes"]}
    for name, entry in results.items():
        if name.startswith("ours"):
            entry |= {"recall": mine["recall"], "reported": len(true), "without_hit": 0}
        elif "found" in entry:
            found = entry.pop("found")
            reported = {conversation for conversation, _ in found}
            sampled = [row for row in plants if order[row["id"]] < entry["conversations"]]
            entry |= {
                "recall": recall(found, items, sampled),
                "reported": len(reported),
                "without_hit": len(reported - true),
            }
    return mine


def show(results: Row) -> None:
    names = {"orjson": "orjson, parsing alone", "edlib": "edlib, extrapolated", "decon_short": "decon, short texts too"}
    head = ["method", "conv.", "index s", "seconds", "MB/s", "peak MB", *KINDS, "reported", "of them without a hit"]
    lines = []
    for name, entry in results.items():
        counts = entry.get("recall", dict.fromkeys(KINDS, (0, 0))).values()
        found = [f"{100 * some // every} %" if every else "-" for some, every in counts]
        index = f"{entry['index_seconds']:.1f}" if "index_seconds" in entry else "-"
        lines.append(
            [names.get(name, name), str(entry["conversations"]), index, f"{entry['seconds']:.2f}", f"{entry['mb_per_second']:.3g}",
             f"{entry['memory']:.0f}", *found, str(entry.get("reported", "-")), str(entry.get("without_hit", "-"))]
        )  # fmt: skip
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    for line in [head, *lines]:
        print(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="parquet files of real rows")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--hub", type=Path, help="folder of benchmarks in the layout of the Hub")
    source.add_argument("--items", type=Path, nargs="+", help="JSONL files of items")
    parser.add_argument("--folder", type=Path, required=True, help="folder to work in")
    parser.add_argument("--conversations", type=int, default=20_000, help="conversations to search (default: 20000)")
    parser.add_argument("--sample", type=int, default=4_000, help="conversations for the slow peers (default: 4000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of ours; the fastest counts (default: 3)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"one of {', '.join(PEERS)}")
    args = parser.parse_args()

    args.folder = args.folder.absolute()
    args.folder.mkdir(parents=True, exist_ok=True)
    prepare(args)
    results = run_all(args)
    mine = judge(args.folder, results)
    in_process = results["ours, without start-up"]
    figures = {
        "conversations": args.conversations,
        "megabytes": in_process["bytes"] / 1e6,
        "texts": sum(1 for _ in read_jsonl(args.folder / "texts.jsonl")),
        "items": sum(1 for _ in read_jsonl(args.folder / "items.jsonl")),
        "plants": dict(Counter(row["kind"] for row in read_jsonl(args.folder / "plants.jsonl"))),
        "ours_over_parsing": in_process["seconds"] / results["orjson"]["seconds"],
        "ours_over_parsing_cpu": in_process["cpu_seconds"] / results["orjson"]["cpu_seconds"],
        "methods": results,
        "ours": mine,
    }
    write_json(args.folder / "decontamination.json", figures)
    show(results)
    print(
        f"\n{figures['items']} items, {figures['texts']} texts, {args.conversations} conversations, {figures['megabytes']:.1f} MB"
    )
    print(f"plants that we found, of all: { {kind: tuple(some) for kind, some in mine['recall'].items()} }")
    print(
        f"ours without start-up, {in_process['cpu_seconds']:.2f} CPU seconds: { {k: round(v, 2) for k, v in in_process['stages'].items()} }"
    )
    print(f"our index: {in_process['index_stages']}, {in_process['index_memory']:.0f} MB")
    print(
        f"our search relative to parsing the JSON: {figures['ours_over_parsing']:.2f} in wall time, {figures['ours_over_parsing_cpu']:.2f} in CPU time"
    )
    print(
        f"brute force without a bound on the distance: {results['edlib']['seconds_unbounded'] / 3600:.1f} h, with: {results['edlib']['seconds'] / 3600:.1f} h"
    )
    print(
        f"our hits: {mine['hits']}; contradicted by edlib: {len(mine['contradicted_by_edlib'])}; distance differs from the plant: {mine['distance_differs_from_plant']}"
    )
    print(f"tier A: {mine['siblings_of_plants']} siblings of plants, {len(mine['unplanted_tier_a'])} unplanted:")
    for hit in mine["unplanted_tier_a"]:
        print(
            f"  {hit['id']} {hit['benchmark']} {hit['item']} {hit['field']} {hit['similarity']}: {hit['found_text'][:160]!r}"
        )


if __name__ == "__main__":
    main()

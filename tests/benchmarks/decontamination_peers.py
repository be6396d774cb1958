"""The methods that tests/benchmarks/decontamination.py compares; each runs in its own process.

    PYTHON tests/benchmarks/decontamination_peers.py METHOD FOLDER NUMBER

Searches the first NUMBER conversations of FOLDER and writes FOLDER/METHOD.json: `seconds` of the search, `index_seconds`,
and `found`, pairs of a conversation's id and a text's key (null if the tool names no text). Each peer runs in its own
environment, so each function imports what it needs.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def rows(path: Path, number: int | None = None) -> Iterator[dict]:
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, islice(file, number))


def timed(function: Any, *args: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


def ours_index(folder: Path, number: int) -> Figures:
    """Our index; the first conversations are the sample that gives the frequencies of grams."""
    from workflow_scripts.common.rows import read_jsonl
    from workflow_scripts.decontamination.benchmark_index import write_benchmark_index

    write_benchmark_index(
        folder / "warm-up", [next(read_jsonl(folder / "items.jsonl"))], 97, [], {}
    )  # compiles with numba
    reading, items = timed(lambda: list(read_jsonl(folder / "items.jsonl")))
    texts = (row["text"] for row in rows(folder / "documents" / "documents.jsonl", number))
    making, _ = timed(write_benchmark_index, folder / "index", items, 97, texts, {})
    return {"index_seconds": reading + making, "stages": {"items": reading, "index": making}}


def ours(folder: Path, _number: int) -> Figures:
    """Our search in this process, without the start of Python and numba's compilation.

    `stages` are CPU seconds, measured in extra passes: normal forms, matches in them, hits built from the matches.
    """
    from workflow_scripts.decontamination.benchmark_index import find_hits, load_benchmark_index
    from workflow_scripts.decontamination.corpus import blocks, read_block
    from workflow_scripts.decontamination.matching import find_matches
    from workflow_scripts.decontamination.text import normal_texts

    loading, index = timed(load_benchmark_index, folder / "index")
    find_matches(index.texts, ["a text", "ein Täxt", "e\u0301"])
    stages = dict.fromkeys(("parse", "normalise", "search", "hits"), 0.0)
    wall = 0.0
    for block in blocks([folder / "conversations.jsonl"]):
        start, begin = time.perf_counter(), time.process_time()
        conversations = [one for batch, _ in read_block(block, []) for one in batch]
        parsed = time.process_time()
        find_hits(index, conversations)
        found = time.process_time()
        wall += time.perf_counter() - start
        texts = ["\n".join(text for _, text in one.turns) for one in conversations]
        again = time.process_time()
        normal_texts(texts)
        normal = time.process_time()
        find_matches(index.texts, texts)
        matched = time.process_time()
        searching = matched - normal - (normal - again)
        taken = (parsed - begin, normal - again, searching, found - parsed - (matched - normal))
        stages = {stage: seconds + more for (stage, seconds), more in zip(stages.items(), taken, strict=True)}
    return {"seconds": wall, "cpu_seconds": sum(stages.values()), "load_seconds": loading, "stages": stages}


def orjson(folder: Path, _number: int) -> Figures:
    """Only parsing the conversations, the lower bound; the fastest of five runs."""
    import orjson as parser

    def parse() -> float:
        begin = time.process_time()
        with open(folder / "conversations.jsonl", "rb") as file:
            for line in file:
                parser.loads(line)
        return time.process_time() - begin

    runs = [timed(parse) for _ in range(5)]
    return {"seconds": min(wall for wall, _ in runs), "cpu_seconds": min(cpu for _, cpu in runs)}


def edlib(folder: Path, number: int) -> Figures:
    """Time of brute force, extrapolated from a sample of pairs: edlib with a bound of the allowed edits, and without.

    Only the time is measured: all characters outside of ASCII are one symbol here.
    """
    import edlib as aligner

    from tests.benchmarks.decontamination_exactness import padded

    texts = [padded(row["text"]).encode("ascii", "replace") for row in rows(folder / "evals" / "texts.jsonl")]
    documents = [row["text"] for row in rows(folder / "documents" / "documents.jsonl")]
    some_texts = texts[:: max(1, len(texts) // 2000)]
    some = [padded(text).encode("ascii", "replace") for text in documents[:: max(1, len(documents) // 10)]]

    def scan(bounded: bool) -> None:
        for text in some:
            for one in some_texts:
                aligner.align(one, text, mode="HW", task="distance", k=(len(one) - 2) * 3 // 100 if bounded else -1)

    pairs, all_pairs = len(some) * len(some_texts), number * len(texts)
    bounded, unbounded = timed(scan, True)[0] / pairs, timed(scan, False)[0] / pairs
    return {
        "seconds": bounded * all_pairs,
        "seconds_unbounded": unbounded * all_pairs,
        "pairs_measured": pairs,
        "microseconds_a_pair": {"bounded": bounded * 1e6, "unbounded": unbounded * 1e6},
    }


def decon(folder: Path, _number: int) -> Figures:
    """Ai2's decon with its defaults: it skips texts with fewer than 20 tokens or 4 different words."""
    return _decon(folder, "decon")


def decon_short(folder: Path, _number: int) -> Figures:
    """Ai2's decon without a minimum length."""
    return _decon(folder, "decon_short", eval_min_token_length=0, eval_min_unique_word_count=0)


def _decon(folder: Path, name: str, **settings: Any) -> Figures:
    import decon as tool

    reports, log = folder / f"{name}-reports", folder / f"{name}.log"
    reports.mkdir(exist_ok=True)
    shown = os.dup(1)
    with open(log, "w") as file:  # the tool prints its times to stdout
        os.dup2(file.fileno(), 1)
        config = tool.Config(
            str(folder / "documents"), str(folder / "evals"), str(reports), worker_threads=1, **settings
        )
        tool.detect(config)
    os.dup2(shown, 1)
    times = dict(re.findall(r"(Index building time|Detection time|Lines indexed) +([\d.,]+)", log.read_text()))
    ids = [row["id"] for row in rows(folder / "documents" / "documents.jsonl")]
    found = [
        (ids[row["training_line"]], row["eval_instance_index"])
        for path in reports.glob("*.jsonl")
        for row in rows(path)
    ]
    return {
        "index_seconds": float(times["Index building time"]),
        "seconds": float(times["Detection time"]),
        "texts_indexed": int(times["Lines indexed"].replace(",", "")),
        "found": found,
    }


def assay(folder: Path, _number: int) -> Figures:
    """corpus-assay through its command line; the times include its start."""
    config = folder / "assay.yaml"
    texts = {"name": "texts", "dataset": "json", "splits": ["test"], "fields": ["text"]}
    texts["data_files"] = {"test": str(folder / "evals" / "texts.jsonl")}
    config.write_text(json.dumps({"benchmarks": [texts]}))
    os.environ |= {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    index, out = str(folder / "assay.native"), folder / "assay-reports"
    tool = [str(Path(sys.executable).parent / "corpus-assay"), "-q"]
    build = [*tool, "build-index", "--config", str(config), "--out-index", index, "--allow-unpinned"]
    scan = [*tool, "scan", "--config", str(config), "--index", index, "--out-dir", str(out), "--id-key", "id"]
    scan += ["--input", str(folder / "documents" / "documents.jsonl"), "--workers", "1"]
    scan += ["--max-return-records", "1000000000"]
    indexing, _ = timed(lambda: subprocess.run(build, check=True))
    scanning, _ = timed(lambda: subprocess.run(scan, check=True))
    found = [
        (row["doc_id"].removesuffix("-part-0"), hit["item_id"])
        for path in out.glob("contaminated_docs/*.ndjson")
        for row in rows(path)
        for hit in row["item_hits"]
    ]
    return {"index_seconds": indexing, "seconds": scanning, "found": found}


def datatrove(folder: Path, number: int) -> Figures:
    """datatrove's NGramsDecontFilter. Its indexer needs lighteval, so its hash function is called directly."""
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontFilter, NGramsDecontIndexer

    step = NGramsDecontFilter(str(folder))

    def index() -> dict[int, str]:
        texts = (row["text"] for row in rows(folder / "evals" / "texts.jsonl"))
        return {value: "texts" for text in texts for value in NGramsDecontIndexer.compute_hashes(step, text)}

    def scan() -> list[tuple[str, None]]:
        documents = rows(folder / "documents" / "documents.jsonl", number)
        return [(row["id"], None) for row in documents if step.filter(Document(row["text"], row["id"])) is not True]

    indexing, step._index_hashes = timed(index)
    scanning, found = timed(scan)
    return {"index_seconds": indexing, "seconds": scanning, "found": found}


def janitor(folder: Path, number: int) -> Figures:
    """lm-eval's janitor (GPT-3's 13-grams), in its Python version: the package lacks the C++ module."""
    from lm_eval.decontamination.janitor import Janitor

    tool = Janitor()

    def index() -> None:
        for row in rows(folder / "evals" / "texts.jsonl"):
            tool.register_contaminant_python(row["text"])

    def scan() -> list[tuple[str, None]]:
        documents = rows(folder / "documents" / "documents.jsonl", number)
        return [(row["id"], None) for row in documents if tool.clean_python(row["text"]) != [row["text"]]]

    indexing, _ = timed(index)
    scanning, found = timed(scan)
    return {"index_seconds": indexing, "seconds": scanning, "found": found}


METHODS = (ours_index, ours, orjson, edlib, decon, decon_short, assay, datatrove, janitor)

if __name__ == "__main__":
    name, where, count = sys.argv[1:]
    chosen = next(method for method in METHODS if method.__name__ == name)
    figures = chosen(Path(where), int(count))
    (Path(where) / f"{name}.json").write_text(json.dumps(figures))

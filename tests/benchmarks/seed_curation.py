"""Measure seed curation on many rows and compare it with datasketch's MinHash LSH alone on the same texts.

    python -m tests.benchmarks.seed_curation --rows 1000000 --folder /tmp/curation FILE.parquet ...

The files hold real instruction rows (columns instruction/prompt/message_1 and response/output/message_2). Their rows
are repeated with variations: in each copy a share of the words is replaced by words of other rows, so that some copies
are near-duplicates and some are not. The workflow curates them (adapt, clean, exact and near-duplicates, selection; no
embeddings); datasketch searches the clean seeds for near-duplicates. Prints rows per second and peak memory of each, and
writes them to FOLDER/curation.json.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).parents[2]
ASKED, ANSWERED = ("instruction", "prompt", "message_1"), ("response", "output", "message_2")
CHUNK = 50_000


def column(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    return frame[next(name for name in names if name in frame)].fillna("")


def vary(texts: list[str], share: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Each text with its `share` of words replaced by random `words`."""
    varied = []
    for text, part in zip(texts, share, strict=True):
        own = text.split(" ")
        places = np.flatnonzero(rng.random(len(own)) < part)
        for place, word in zip(places, rng.choice(words, len(places)), strict=True):
            own[place] = word
        varied.append(" ".join(own))
    return varied


def make_source(file: Path, target: Path, rows: int, rng: np.random.Generator) -> None:
    """Write `rows` rows of a file to a parquet file; the first copy of each row is unchanged."""
    frame = pq.read_table(file).to_pandas()
    asked, answered = column(frame, ASKED).to_numpy(), column(frame, ANSWERED).to_numpy()
    context = frame["input"].fillna("").to_numpy() if "input" in frame else np.full(len(frame), "")
    words = np.unique(" ".join(asked).split())
    schema = pa.schema([("instruction", pa.string()), ("input", pa.string()), ("response", pa.string())])
    with pq.ParquetWriter(target, schema) as writer:
        for start in range(0, rows, CHUNK):
            numbers = np.arange(start, min(start + CHUNK, rows))
            own = numbers % len(frame)
            share = np.where(numbers < len(frame), 0.0, rng.random(len(numbers)) * 0.5)
            table = [vary(list(asked[own]), share, words, rng), list(context[own]), list(answered[own])]
            writer.write_table(pa.table(table, schema=schema))


def curate(folder: Path, sources: list[Path], rows: int) -> dict:
    """Run the workflow up to seeds/data.jsonl; returns rows, seconds, and seconds and peak memory by rule from its benchmarks."""
    config = {
        "run": "curation",
        "results": str(folder),
        "seeds": {
            "limit": rows,
            "sources": [
                {"id": path.stem, "label": path.stem, "path": str(path), "layout": "instruction", "license": "MIT"}
                for path in sources
            ],
            "deduplication": {"semantic_distance": None},
            "labels": {"by": "none"},
            "scores": {"by": "none"},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    start = time.monotonic()
    target = folder / "curation" / "seeds" / "data.jsonl"
    command = ["snakemake", "--cores", "2", str(target), "--configfile", str(folder / "config.yaml"), "--forceall"]
    subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], cwd=ROOT, check=True)
    seconds = time.monotonic() - start
    jobs = pd.concat(
        pd.read_csv(path, sep="\t").assign(job=path.relative_to(folder / "curation" / "benchmarks").as_posix())
        for path in sorted((folder / "curation" / "benchmarks").rglob("*.tsv"))
    )
    stats = json.loads((target.parent / "stats.json").read_text())
    jobs["rule"] = jobs["job"].str.split("[/.]", regex=True).str[0]
    return {
        "rows": stats["in"],
        "out": stats["out"],
        "rejected": stats["rejected"],
        "seconds": round(seconds, 1),
        "rows_per_second": round(stats["in"] / seconds),
        "seconds_by_rule": jobs.groupby("rule")["s"].sum().round(1).to_dict(),
        "max_rss_mib": round(float(jobs["max_rss"].max())),
        "max_rss_mib_by_rule": jobs.groupby("rule")["max_rss"].max().round().to_dict(),
    }


def peer(folder: Path, sources: list[Path]) -> None:
    """Run datasketch alone on the clean seeds: MinHash of character 5-grams, LSH at 0.8; prints figures as JSON."""
    from datasketch import MinHash, MinHashLSH

    from workflow_scripts.common.tables import batches
    from workflow_scripts.seeds.duplicates import COLUMNS, comparison_texts

    start = time.monotonic()
    index = MinHashLSH(threshold=0.8, num_perm=128)
    rows = kept = 0
    for source in sources:
        for table in batches(folder / "curation" / "seeds" / "clean" / source.name, COLUMNS):
            for text in comparison_texts(table).to_pylist():
                sketch = MinHash(num_perm=128, seed=1)
                sketch.update_batch([text[at : at + 5].encode() for at in range(max(1, len(text) - 4))])
                if not index.query(sketch):
                    index.insert(rows, sketch)
                    kept += 1
                rows += 1
                if rows % 50_000 == 0:
                    print(f"datasketch: {rows} rows, {rows / (time.monotonic() - start):.0f} rows/s", file=sys.stderr)
    seconds = time.monotonic() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"rows": rows, "kept": kept, "seconds": round(seconds, 1), "rows_per_second": round(rows / seconds)}
    print(json.dumps(figures | {"max_rss_mib": round(memory)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="parquet files of real rows")
    parser.add_argument("--rows", type=int, required=True, help="total number of rows")
    parser.add_argument("--folder", type=Path, required=True, help="folder to work in")
    parser.add_argument("--peer-only", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()

    args.folder.mkdir(parents=True, exist_ok=True)
    sources = [args.folder.absolute() / f"{file.stem}.parquet" for file in args.files]
    if args.peer_only:
        peer(args.folder, sources)
        return
    rng = np.random.default_rng(0)
    for number, (file, target) in enumerate(zip(args.files, sources, strict=True)):
        share = args.rows * (number + 1) // len(sources) - args.rows * number // len(sources)
        make_source(file, target, share, rng)
    ours = curate(args.folder.absolute(), sources, args.rows)
    print(json.dumps(ours))
    command = [sys.executable, "-m", "tests.benchmarks.seed_curation", *sys.argv[1:], "--peer-only"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    near = ours["seconds_by_rule"]["deduplicate_seeds"]
    figures = {
        "workflow": ours,
        "datasketch": theirs,
        "workflow_over_datasketch": round(theirs["seconds"] / ours["seconds"], 2),
        "deduplicate_seeds_over_datasketch": round(theirs["seconds"] / near, 2),
    }
    (args.folder / "curation.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

"""CPU time of the readers: from a published file of many rows to the parquet file of the fetch rules.

    python -m tests.benchmarks.reading_at_size [--rows 1000000] [--folder DIR] [--against PROJECT]

Writes JSON Lines, CSV and parquet files of instructions and a JSON Lines file of conversations, fetches each in a process of
its own, and prints rows/s, CPU seconds and peak memory. With --against, the same with another working copy of the project,
alternately, and the ratio of CPU times.
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
WORDS = [
    "granite",
    "stone",
    "river",
    "wheel",
    "mill",
    "water",
    "slowly",
    "frost",
    "crystal",
    "valley",
    "because",
    "erode",
    "limestone",
    "climate",
    "the",
    "of",
    "a",
]
REPEATS = 3
RUN = """
import json, resource, sys
from workflow_scripts.conversations.fetch_conversations import main
main(["--number", "0", "--settings", json.dumps({"path": sys.argv[1]}), "--rows", sys.argv[2], "--origin", sys.argv[3]])
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}))
"""


def write_files(folder: Path, rows: int) -> list[Path]:
    """The files to read: `rows` instructions in three formats, and a quarter as many conversations."""
    rng = random.Random(0)
    text = lambda words: " ".join(rng.choices(WORDS, k=words)).capitalize()  # noqa: E731
    paths = [
        folder / name for name in ("instructions.jsonl", "instructions.csv", "instructions.parquet", "chats.jsonl")
    ]
    if not all(path.exists() for path in paths):
        with open(paths[0], "w") as lines, open(paths[1], "w", newline="") as table:
            sheet = csv.writer(table)
            sheet.writerow(["id", "instruction", "response", "category"])
            for number in range(rows):
                row = {"id": number, "instruction": text(15), "response": text(50), "category": rng.choice(WORDS)}
                lines.write(json.dumps(row) + "\n")
                sheet.writerow(row.values())
        with open(paths[0]) as lines:
            columns = list(zip(*(json.loads(line).values() for line in lines), strict=True))
        pq.write_table(
            pa.table(dict(zip(("id", "instruction", "response", "category"), map(list, columns), strict=True))),
            paths[2],
        )
        with open(paths[3], "w") as lines:
            for _ in range(rows // 4):
                turns = [{"from": ("human", "gpt")[turn % 2], "value": text(40)} for turn in range(6)]
                lines.write(json.dumps({"id": str(rng.random()), "conversations": turns}) + "\n")
    return paths


def measure(project: Path, path: Path) -> dict[str, float]:
    """CPU seconds and peak memory of one fetch with the code of `project`."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", RUN, str(path), f"{out}/rows.parquet", f"{out}/origin.json"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "reading_at_size")
    parser.add_argument("--against", type=Path, help="another working copy of the project")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for path in write_files(args.folder, args.rows):
        projects = {"here": ROOT} | ({"there": args.against} if args.against else {})
        found = {name: [] for name in projects}
        for _ in range(REPEATS):
            for name, project in projects.items():
                found[name].append(measure(project, path))
        rows = args.rows if path.stem == "instructions" else args.rows // 4
        cpu = {name: statistics.median(run["cpu"] for run in runs) for name, runs in found.items()}
        memory = {name: max(run["mib"] for run in runs) for name, runs in found.items()}
        ratio = f", ratio {cpu['here'] / cpu['there']:.2f}" if args.against else ""
        print(f"{path.name}: {rows} rows, {path.stat().st_size / 2**20:.0f} MiB{ratio}")
        for name in projects:
            print(
                f"  {name}: CPU {cpu[name]:.1f} s, {rows / cpu[name]:,.0f} rows per CPU second, peak {memory[name]:.0f} MiB"
            )


if __name__ == "__main__":
    main()

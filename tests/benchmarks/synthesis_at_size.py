"""Run the stages seeds and synthesis on real instruction rows, with a recipe that uses every technique.

    python -m tests.benchmarks.synthesis_at_size --seeds 300 FILE.parquet ...

The files have columns of a known layout: instruction or prompt with an answer, CAMEL's message_1 and message_2, or
LessWrong's htmlBody. The teacher is the scripted server (tests/support/scripted_teacher.py). The benchmark shows that every
technique runs, that no row is lost and that the statistics add up. It does not measure the quality of texts; their
lengths follow the server's rules, which imitate the published lengths. Prints the results as JSON, next to the published
figures (Data-Provenance-Collection, data_summaries/Capybara.json).
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean

import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).parents[2]
DATA = "results/size/synthesis/data.jsonl"
LAYOUTS = {"message_1": "problem", "htmlBody": "post", "instruction": "instruction", "prompt": "instruction"}
PATHS = {
    "amplify": 2, "orca": 1, "evol_instruct": 1, "evol_instruct orca": 1, "airoboros": 1, "lamini_example": 1, "lamini_topic": 1,
    "know_logic": 1, "flask": 1, "flask orca": 1,
}  # fmt: skip
PUBLISHED = {
    "exchanges": {"3": 0.62, "4": 0.38},
    "user_chars": "120-200 (means of sources, without LessWrong's posts)",
    "answer_chars": "1200-1900 (means of sources)",
    "chars_a_conversation": "about 5600, or 1300 tokens",
}


def sources(files: list[Path], seeds: int) -> list[dict]:
    """An entry of `seeds.sources` for each file."""
    entries = []
    for path in files:
        columns = pq.read_schema(path).names
        layout = next(layout for column, layout in LAYOUTS.items() if column in columns)
        entries.append(
            {
                "id": path.stem, "label": path.stem, "path": str(path.resolve()), "layout": layout, "license": "MIT",
                "rows": -(-seeds * 3 // (2 * len(files))), **({"post_chars": 6000} if layout == "post" else {}),
            }
        )  # fmt: skip
    return entries


def overlay(args: argparse.Namespace, base_url: str) -> dict:
    """The configuration of the run, an overlay on config.yaml."""
    sampling = yaml.safe_load((ROOT / "config.yaml").read_text())["synthesis"]["sampling"]
    return {
        "run": "size",
        "seeds": {"sources": sources(args.files, args.seeds), "limit": args.seeds, "oversample": 1},
        "teacher": {
            "kind": "endpoint", "model": "scripted", "base_url": base_url, "prefill": False, "concurrency": args.concurrency,
            "timeout": 30,
        },
        "synthesis": {
            "shard_size": -(-args.seeds // 4),
            "exchanges": [{"count": 3, "weight": 0.62}, {"count": 4, "weight": 0.38}],
            "recipe": [
                {"path": [name for name in path.split() if name != "amplify"] + ["amplify"], "weight": weight}
                for path, weight in PATHS.items()
            ],
            "judge": {"min_mean": args.judge},
            "sampling": {kind: values | {"max_tokens": 700} for kind, values in sampling.items()},
        },
    }  # fmt: skip


def shares(counts: Counter) -> dict[str, float]:
    return {str(key): round(count / counts.total(), 3) for key, count in sorted(counts.items())}


def summarise(stage: Path) -> dict:
    """Counts, lengths and shares of a finished synthesis stage."""
    conversations = [json.loads(line) for line in (stage / "data.jsonl").read_text().splitlines()]
    stats = json.loads((stage / "stats.json").read_text())
    exchanges = [exchange for row in conversations for exchange in row["conversation"]]
    follow_ups = [exchange["input"] for row in conversations for exchange in row["conversation"][1:]]
    return {
        "in": stats["in"],
        "out": stats["out"],
        "rejected": stats["rejected"],
        "adds_up": stats["in"] == stats["out"] + sum(stats["rejected"].values()),
        "techniques": dict(
            Counter(name for row in conversations for name in row["provenance"]["techniques"]).most_common()
        ),
        "paths": dict(Counter(" ".join(row["provenance"]["techniques"]) for row in conversations).most_common()),
        "exchanges": shares(Counter(len(row["conversation"]) for row in conversations)),
        "user_chars": round(mean(len(exchange["input"]) for exchange in exchanges)),
        "first_user_chars": round(mean(len(row["conversation"][0]["input"]) for row in conversations)),
        "follow_up_chars": round(mean(map(len, follow_ups))),
        "answer_chars": round(mean(len(exchange["output"]) for exchange in exchanges)),
        "chars_a_conversation": round(
            sum(len(text) for each in exchanges for text in each.values()) / len(conversations)
        ),
        "moves": len(
            {move for row in conversations for step in row["provenance"]["steps"] for move in step.get("moves", [])}
        ),
        "faults": stats.get("faults"),
        "requests": stats["requests"],
        "stats_keys": sorted(stats),
    }


def main() -> None:
    """Run the two stages and print their results. Exits with a message if a technique was never used."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="parquet files of instruction rows")
    parser.add_argument("--seeds", type=int, default=300, help="seeds to keep")
    parser.add_argument("--concurrency", type=int, default=32, help="concurrent requests of each shard")
    parser.add_argument(
        "--judge", type=float, help="judge every answer with FLASK's criteria and require this mean score"
    )
    parser.add_argument("--delay", type=float, default=0.5, help="seconds before every reply")
    parser.add_argument(
        "--delay-per-token", type=float, default=0.002, help="additional seconds for each token of the reply"
    )
    args = parser.parse_args()

    sys.path.insert(0, str(ROOT))
    from tests.support.runs import Project
    from tests.support.scripted_teacher import served

    with tempfile.TemporaryDirectory() as name:
        (folder := Path(name) / "project").mkdir()
        project = Project(folder)
        delays = ("--delay", str(args.delay), "--delay-per-token", str(args.delay_per_token))
        with served(Path(name) / "server", *delays) as server:
            (folder / "size.yaml").write_text(yaml.safe_dump(overlay(args, server.base_url)))
            options = ["--configfile", "size.yaml", "--set-threads", "synthesize_shard=1"]
            project.run("results/size/seeds/data.jsonl", *options)
            began = time.monotonic()
            project.run(DATA, *options)
            seconds = time.monotonic() - began
            replies = Counter(event["hash"] for event in server.events("reply"))
        results = summarise((folder / DATA).parent)
    results |= {
        "synthesis_seconds": round(seconds, 1),
        "server_replies": replies.total(),
        "repeated_requests": replies.total() - len(replies),
    }
    print(json.dumps({"results": results, "published": PUBLISHED}, indent=1))
    unused = {name for path in PATHS for name in path.split()} - set(results["techniques"])
    sys.exit(f"never used: {', '.join(sorted(unused))}" if unused else 0)


if __name__ == "__main__":
    main()

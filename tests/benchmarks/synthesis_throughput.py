"""How fast synthesis asks its teacher, beside distilabel and beside a client that does nothing else, in one run.

    python -m venv /tmp/distilabel-venv && /tmp/distilabel-venv/bin/pip install "distilabel[openai]" requests
    python tests/benchmarks/synthesis_throughput.py --peer-python /tmp/distilabel-venv/bin/python

All ask the same scripted server on loopback (tests/scripted_teacher.py), with the same number of processes and the same
number of requests at once:

`ours`        shards of synthesize_shard, one a process, side by side as snakemake starts them: conversations of three
              or four exchanges, each request waiting for the reply before it, every reply checked and stored on disk
`bare`        the very bodies that ours sent, posted with aiohttp: as much as the server gives
`distilabel`  its ChatGeneration with OpenAILLM on the same messages, as independent requests in batches. It has no
              multi-turn growth with an OpenAI-compatible server, so it never waits for an earlier turn

Requests a second are those of the server's own record, from the first arrival to the last reply, so that starting
Python counts for nobody. Figures hold for this machine only; the ratios are what to look at.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUBJECTS = "lighthouses glaciers sourdough violins compasses monsoons beehives viaducts estuaries typefaces".split()  # noqa: SIM905
ASKED = "Why do {} behave as they do when case {} is considered, and what did early observers believe about them?"


def write_seeds(path: Path, count: int) -> None:
    """Seeds without an answer, so that the teacher writes every turn."""
    rows = [
        {
            "id": f"{number:016x}", "source": "Made", "dataset": "made", "revision": "0", "license": "Apache-2.0",
            "kind": "instruction", "instruction": ASKED.format(SUBJECTS[number % len(SUBJECTS)], number), "context": "",
            "response": "", "domain": "Natural Science", "skills": ["Factuality", "Insightfulness", "Completeness"],
            "difficulty": "formal education", "meta": {},
        }
        for number in range(count)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def settings(count: int, processes: int) -> dict:
    """`synthesis` of config.yaml for plain Amplify-Instruct at the published size."""
    import yaml

    own = yaml.safe_load((ROOT / "config.yaml").read_text())["synthesis"]
    return own | {
        "shard_size": -(-count // processes),
        "exchanges": [{"count": 3, "weight": 0.62}, {"count": 4, "weight": 0.38}],
        "recipe": [{"path": ["amplify"], "weight": 1}],
        "judge": {"min_mean": None},
        "sampling": {kind: values | {"max_tokens": 700} for kind, values in own["sampling"].items()},
    }


def share_teacher(base_url: str, concurrency: int) -> dict:
    """What synthesize_shard is told of the teacher; the rest goes through the environment, as snakemake does it."""
    import yaml

    from workflow_scripts.teacher.runtime_settings import ANSWERING, share_limits

    own = yaml.safe_load((ROOT / "config.yaml").read_text())["teacher"] | {
        "kind": "endpoint", "model": "scripted", "base_url": base_url, "prefill": False, "concurrency": concurrency,
    }  # fmt: skip
    share_limits(own)
    return {name: own[name] for name in ANSWERING}


def start(python: str, *words: str) -> subprocess.Popen:
    own = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([python, *words], cwd=ROOT, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        _, printed = process.communicate()
        if process.returncode:
            raise SystemExit(printed.decode()[-4000:])


def ours(base_url: str, args: argparse.Namespace, folder: Path) -> None:
    words = [
        "-m", "workflow_scripts.synthesis.synthesize_shard", "--seeds", str(folder / "seeds.jsonl"), "--threads", "1",
        "--settings", json.dumps(settings(args.seeds, args.processes)), "--cache", str(folder / "cache"),
        "--teacher", json.dumps(share_teacher(base_url, args.concurrency // args.processes)),
    ]  # fmt: skip
    finish(
        [
            start(
                sys.executable, *words, "--shard", f"{shard:04d}", "--data", str(folder / f"{shard}.jsonl"),
                "--rejected", str(folder / f"{shard}.rejected.jsonl"), "--stats", str(folder / f"{shard}.stats.json"), "--server-log", str(folder / f"{shard}.log"),
            )
            for shard in range(args.processes)
        ]
    )  # fmt: skip


def bare(base_url: str, args: argparse.Namespace, folder: Path) -> None:
    words = [
        __file__, "--as", "bare", "--base-url", base_url, "--concurrency", str(args.concurrency // args.processes),
    ]  # fmt: skip
    finish([start(sys.executable, *words, "--bodies", str(part)) for part in sorted(folder.glob("bodies.*.json"))])


def distilabel(base_url: str, args: argparse.Namespace, folder: Path) -> None:
    words = [
        __file__, "--as", "distilabel", "--base-url", base_url, "--concurrency", str(args.concurrency),
        "--processes", str(args.processes), "--bodies", str(folder / "bodies.json"),
    ]  # fmt: skip
    finish([start(args.peer_python, *words)])


def be_bare(args: argparse.Namespace) -> None:
    """Post the bodies, so many at once, and read the replies."""
    import aiohttp

    async def post_all() -> None:
        left = iter(json.loads(args.bodies.read_text()))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def post() -> None:
                for body in left:
                    async with session.post(f"{args.base_url}/chat/completions", json=body) as reply:
                        assert (await reply.json())["choices"]

            await asyncio.gather(*(post() for _ in range(args.concurrency)))

    asyncio.run(post_all())


def be_distilabel(args: argparse.Namespace) -> None:
    """A pipeline of the peer's: load, and ask for each list of messages."""
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts, StepResources
    from distilabel.steps.tasks import ChatGeneration

    batch = args.concurrency // args.processes
    data = [{"messages": body["messages"]} for body in json.loads(args.bodies.read_text())]
    with tempfile.TemporaryDirectory() as folder, Pipeline(name="throughput", cache_dir=folder) as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=args.concurrency)
        ask = ChatGeneration(
            llm=OpenAILLM(
                model="scripted", base_url=args.base_url, api_key="none",
                generation_kwargs={"max_new_tokens": 700, "temperature": 0.6, "top_p": 0.95},
            ),
            input_batch_size=batch,
            resources=StepResources(replicas=args.processes),
        )  # fmt: skip
        load >> ask
        made = pipeline.run(use_cache=False)
        rows = made["default"]["train"]
        assert len(rows) == len(data) and all(rows["generation"])


def measured(ask, delay: float, args: argparse.Namespace, folder: Path) -> dict:
    """One client on a fresh server: what the server saw of it."""
    from tests.scripted_teacher import served

    server_folder = Path(tempfile.mkdtemp(dir=folder))
    began = time.monotonic()
    with served(server_folder, "--delay", str(delay)) as server:
        ask(server.base_url, args, folder)
        wall = time.monotonic() - began
        events = server.events("arrival", "reply")
    replies = [event for event in events if event["event"] == "reply"]
    seconds = replies[-1]["time"] - events[0]["time"]
    return {
        "requests": len(replies),
        "requests_per_second": round(len(replies) / seconds, 1),
        "wall_seconds_with_start": round(wall, 2),
    }


def bodies_of(cache: Path, folder: Path, processes: int) -> None:
    """The requests that ours has sent, as it stored them: all in one file, and a part for each process."""
    bodies = [json.loads(path.read_text())["request"] for path in sorted(cache.glob("??/*.json"))]
    (folder / "bodies.json").write_text(json.dumps(bodies))
    for number in range(processes):
        (folder / f"bodies.{number}.json").write_text(json.dumps(bodies[number::processes]))


def compare(delay: float, args: argparse.Namespace) -> dict:
    """All clients in turn, several times; the median of each."""
    runs: dict[str, list[dict]] = {}
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_seeds(folder / "seeds.jsonl", args.seeds)
            runs.setdefault("ours", []).append(measured(ours, delay, args, folder))
            bodies_of(folder / "cache", folder, args.processes)
            runs.setdefault("bare", []).append(measured(bare, delay, args, folder))
            if args.peer_python:
                runs.setdefault("distilabel", []).append(measured(distilabel, delay, args, folder))
    found = {name: {key: statistics.median(run[key] for run in made) for key in made[0]} for name, made in runs.items()}
    speed = {name: row["requests_per_second"] for name, row in found.items()}
    ratios = {
        f"ours_to_{name}": [
            round(one["requests_per_second"] / other["requests_per_second"], 3)
            for one, other in zip(runs["ours"], runs[name], strict=True)
        ]
        for name in speed
        if name != "ours"
    }
    return {
        "delay": delay,
        "most_possible": round(args.concurrency / delay, 1) if delay else None,
        **found,
        "ratios": {name: {"median": statistics.median(values), "each": values} for name, values in ratios.items()},
    }


def main() -> None:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=400, help="conversations to grow")
    parser.add_argument("--concurrency", type=int, default=64, help="requests at once, of all processes together")
    parser.add_argument("--processes", type=int, default=2, help="shards side by side")
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 0.5], help="seconds the server takes to reply")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--peer-python", help="a Python that has distilabel; left out without one")
    parser.add_argument("--as", dest="role", choices=["bare", "distilabel"], help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    parser.add_argument("--bodies", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        {"bare": be_bare, "distilabel": be_distilabel}[args.role](args)
        return
    sys.path.insert(0, str(ROOT))
    shown = {"seeds": args.seeds, "concurrency": args.concurrency, "processes": args.processes, "repeats": args.repeats}
    print(json.dumps(shown | {"runs": [compare(delay, args) for delay in args.delays]}, indent=1))


if __name__ == "__main__":
    main()

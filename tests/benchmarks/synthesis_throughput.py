"""Compare the request throughput of the synthesis with distilabel and with a minimal client.

    python -m venv /tmp/distilabel-venv && /tmp/distilabel-venv/bin/pip install "distilabel[openai]" requests
    python -m tests.benchmarks.synthesis_throughput --peer-python /tmp/distilabel-venv/bin/python

All clients query the same scripted server on loopback (tests/support/scripted_teacher.py), with the same number of processes and
of concurrent requests:

`ours`        jobs of synthesize_shard, one shard per process, concurrently as snakemake starts them: conversations of
              three or four exchanges, each request waits for the reply before it, every reply is checked and cached
`bare`        the same request bodies, posted with aiohttp: the server's maximum throughput
`distilabel`  its ChatGeneration with OpenAILLM on the same messages, as independent requests in batches. It has no
              multi-turn generation with an OpenAI-compatible server, so it never waits for an earlier turn

Requests/s are computed from the server's record, from the first arrival to the last reply, so the start of Python is not
included. They depend on the machine; compare the ratios.
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


def write_seeds(folder: Path, count: int, processes: int) -> None:
    """Write a shard for each process: seeds without a response, so that the teacher writes every turn."""
    rows = [
        {
            "id": f"{number:016x}", "source": "Made", "dataset": "made", "revision": "0", "license": "Apache-2.0",
            "kind": "instruction", "instruction": ASKED.format(SUBJECTS[number % len(SUBJECTS)], number), "context": "",
            "response": "", "domain": "Natural Science", "skills": ["Factuality", "Insightfulness", "Completeness"],
            "difficulty": "formal education", "meta": {}, "examples": [],
        }
        for number in range(count)
    ]  # fmt: skip
    for shard in range(processes):
        lines = (json.dumps(row) + "\n" for row in rows[shard::processes])
        (folder / f"{shard}.seeds.jsonl").write_text("".join(lines))


def settings() -> dict:
    """The section `synthesis` for Amplify-Instruct alone, with the published number of exchanges."""
    import yaml

    own = yaml.safe_load((ROOT / "config.yaml").read_text())["synthesis"]
    return own | {
        "exchanges": [{"count": 3, "weight": 0.62}, {"count": 4, "weight": 0.38}],
        "recipe": [{"path": ["amplify"], "weight": 1}],
        "judge": {"min_mean": None, "references": False},
        "sampling": {kind: values | {"max_tokens": 700} for kind, values in own["sampling"].items()},
    }


def share_teacher(base_url: str, concurrency: int) -> dict:
    """The argument `--teacher` of synthesize_shard; sets the environment variable with the rest, as the Snakefile does."""
    import yaml

    from workflow_scripts.teacher.runtime_settings import answer_settings, export_runtime_settings

    own = yaml.safe_load((ROOT / "config.yaml").read_text())["teacher"] | {
        "kind": "endpoint", "model": "scripted", "base_url": base_url, "prefill": False, "concurrency": concurrency,
    }  # fmt: skip
    export_runtime_settings(own)
    return answer_settings(own)


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
        "-m", "workflow_scripts.synthesis.synthesize_shard", "--threads", "1",
        "--topics=", "--labels", "none", "--judge", "{}", "--settings", json.dumps(settings()), "--teacher-folder", str(folder),
        "--teacher", json.dumps(share_teacher(base_url, args.concurrency // args.processes)),
    ]  # fmt: skip
    finish(
        [
            start(
                sys.executable, *words, "--seeds", str(folder / f"{shard}.seeds.jsonl"), "--shard", f"{shard:04d}", "--data", str(folder / f"{shard}.jsonl"),
                "--rejected", str(folder / f"{shard}.rejected.jsonl"), "--stats", str(folder / f"{shard}.stats.json"),
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
    """Post the bodies, `--concurrency` at a time, and read the replies."""
    import aiohttp

    async def post_all() -> None:
        bodies = iter(json.loads(args.bodies.read_text()))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def post() -> None:
                for body in bodies:
                    async with session.post(f"{args.base_url}/chat/completions", json=body) as reply:
                        assert (await reply.json())["choices"]

            await asyncio.gather(*(post() for _ in range(args.concurrency)))

    asyncio.run(post_all())


def be_distilabel(args: argparse.Namespace) -> None:
    """Run a pipeline of distilabel: load the lists of messages and generate a reply to each."""
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
        rows = pipeline.run(use_cache=False)["default"]["train"]
        assert len(rows) == len(data) and all(rows["generation"])


def measure(client, delay: float, args: argparse.Namespace, folder: Path) -> dict:
    """Run a client on a new server; returns requests and requests/s from the server's record, and wall seconds."""
    from tests.support.scripted_teacher import served

    server_folder = Path(tempfile.mkdtemp(dir=folder))
    began = time.monotonic()
    with served(server_folder, "--delay", str(delay)) as server:
        client(server.base_url, args, folder)
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
    """Write the requests of `ours` from its cache: all to one file, and an equal part for each process."""
    from workflow_scripts.teacher.cache import RequestCache

    bodies = [request for _, request, _ in RequestCache(cache).rows()]
    (folder / "bodies.json").write_text(json.dumps(bodies))
    for number in range(processes):
        (folder / f"bodies.{number}.json").write_text(json.dumps(bodies[number::processes]))


def compare(delay: float, args: argparse.Namespace) -> dict:
    """Run all clients in turn, `--repeats` times; returns medians and ratios."""
    runs: dict[str, list[dict]] = {}
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_seeds(folder, args.seeds, args.processes)
            runs.setdefault("ours", []).append(measure(ours, delay, args, folder))
            bodies_of(folder / "cache", folder, args.processes)
            runs.setdefault("bare", []).append(measure(bare, delay, args, folder))
            if args.peer_python:
                runs.setdefault("distilabel", []).append(measure(distilabel, delay, args, folder))
    medians = {
        name: {key: statistics.median(run[key] for run in repeats) for key in repeats[0]}
        for name, repeats in runs.items()
    }
    ratios = {
        f"ours_to_{name}": [
            round(own["requests_per_second"] / other["requests_per_second"], 3)
            for own, other in zip(runs["ours"], runs[name], strict=True)
        ]
        for name in medians
        if name != "ours"
    }
    return {
        "delay": delay,
        "max_requests_per_second": round(args.concurrency / delay, 1) if delay else None,
        **medians,
        "ratios": {name: {"median": statistics.median(values), "each": values} for name, values in ratios.items()},
    }


def main() -> None:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=400, help="seeds, each grown into a conversation")
    parser.add_argument("--concurrency", type=int, default=64, help="concurrent requests, summed over all processes")
    parser.add_argument("--processes", type=int, default=2, help="processes, each with one shard")
    parser.add_argument(
        "--delays", type=float, nargs="+", default=[0.0, 0.5], help="seconds before each reply of the server"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each client; medians are reported")
    parser.add_argument(
        "--peer-python", help="Python of an environment with distilabel; distilabel is skipped without it"
    )
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

"""Measure the embedded teacher and training, idle and next to busy processes, for ways in which OpenMP threads wait.

    python -m tests.benchmarks.busy_machine [--busy 2] [--repeats 3]

`active` is OMP_WAIT_POLICY=active, `default` sets nothing, `passive` is OMP_WAIT_POLICY=passive, and `workflow` is what
jobs get (`workflow_scripts.config.setup.SPIN`). Tokens/s are medians; they depend on the machine, compare the ratios. Teacher:
a text of `--tokens` tokens for each of four requests at once. Training: the rule's command on a random Llama, as in
training_throughput.py.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.training_throughput import prepare
from workflow_scripts.config.setup import SPIN

POLICIES: dict[str, dict[str, str]] = {
    "active": {"OMP_WAIT_POLICY": "active"},
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "workflow": SPIN,
}
TEACHER = """
import asyncio, json, sys, time
import openai, yaml
from workflow_scripts.teacher.servers import serve
settings = yaml.safe_load(open("config.yaml"))["teacher"]
threads, tokens = int(sys.argv[1]), int(sys.argv[2])

async def ask(client, model, number):
    reply = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": f"Tell a long story about lighthouse number {number}."}],
        max_tokens=tokens, seed=number, temperature=1.0, extra_body={"ignore_eos": True})
    return reply.usage.completion_tokens

async def main(teacher):
    client = openai.AsyncOpenAI(base_url=teacher.base_url, api_key=teacher.key, timeout=600)
    await ask(client, teacher.model, 99)
    started = time.monotonic()
    written = sum(await asyncio.gather(*(ask(client, teacher.model, number) for number in range(4))))
    print(json.dumps(written / (time.monotonic() - started)))

with serve(settings, threads) as teacher:
    asyncio.run(main(teacher))
"""


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes that compute without a pause."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(policy: str, *command: str) -> str:
    """The last line that a program prints. AssertionError if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment |= POLICIES[policy] | {"OMP_NUM_THREADS": str(os.cpu_count())}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, default=os.cpu_count(), help="busy processes (default: one per CPU)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each cell (default: 3)")
    parser.add_argument("--rows", type=int, default=24, help="conversations to train on (default: 24)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens per request (default: 64)")
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    args = parser.parse_args()
    cells: dict[tuple[str, str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        tokens = prepare(Path(name), args.rows)["tokens"]
        program = Path(__file__).with_name("training_throughput.py")
        for _ in range(args.repeats):
            for load in (0, args.busy):
                for policy in args.policies:
                    with busy(load):
                        teacher = float(run(policy, "-c", TEACHER, str(os.cpu_count()), str(args.tokens)))
                        trained = json.loads(run(policy, str(program), "--side", "ours", "--folder", name))
                    cells.setdefault(("teacher", policy, load), []).append(teacher)
                    cells.setdefault(("training", policy, load), []).append(tokens / trained["seconds"])
    print(
        f"tokens/s, median of {args.repeats}, {os.cpu_count()} CPUs\n{'':24}{'idle':>10}{f'{args.busy} busy':>10}{'ratio':>10}"
    )
    for part in ("teacher", "training"):
        for policy in args.policies:
            idle, loaded = (median(cells[part, policy, load]) for load in (0, args.busy))
            print(f"{part + ', ' + policy:24}{idle:10.1f}{loaded:10.1f}{loaded / idle:10.2f}")


if __name__ == "__main__":
    main()

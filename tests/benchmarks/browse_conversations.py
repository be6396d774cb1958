"""The browser of conversations at size, beside one plain HTML page that holds everything, in a real Chromium, in one run.

    pip install playwright      # into an environment that also has requirements.txt; it needs no browser of its own
    python tests/benchmarks/browse_conversations.py --rows 20000 --folder /tmp/browse --chromium /usr/bin/chromium

Conversations are of invented words, drawn as rarely as words of a language are, of 5,500 characters on average, as long as
the released ones. Both pages are opened from disk. Times are medians of `--times` fresh browsers; memory is what the page's
process holds. A search is typed nowhere: the address asks for it. Prints a table and writes FOLDER/browse.json.
"""

import argparse
import html
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page, sync_playwright

from workflow_scripts.common.rows import content_id, write_jsonl

ROOT = Path(__file__).parents[2]
VOCABULARY = 60_000
CHARACTERS = 5_500
PLANTED = {"once": "zyxwvutsr", "often": "abcabcabca"}  # words of one conversation, and of a hundredth of them
PARTS = "0123456789abcdef"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def conversations(count: int) -> Iterator[dict]:
    """Rows as assemble_conversations writes them, in no order."""
    rng = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(rng.choices(letters, range(26, 0, -1), k=rng.randint(2, 10))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
    for number in range(count):
        exchanges = rng.choice((3, 3, 4))
        texts = [
            " ".join(rng.choices(words, cum_weights=weights, k=int(size * rng.uniform(0.6, 1.4) / 6.4)))
            for size in (CHARACTERS * 0.12 / exchanges, CHARACTERS * 0.88 / exchanges) * exchanges
        ]
        texts[-1] += f" {PLANTED['often']}" * (number % 100 == 0) + f" {PLANTED['once']}" * (number == count // 2)
        talk = [{"input": asked, "output": answer} for asked, answer in zip(texts[::2], texts[1::2], strict=True)]
        yield {
            "id": content_id(talk),
            "source": f"Source {number % 11}",
            "conversation": talk,
            "provenance": {
                "seed": content_id(number), "dataset": "invented", "revision": "0" * 40, "license": "MIT", "kind": "instruction",
                "domain": f"Domain {number % 9}", "skills": ["Comprehension"], "difficulty": "general",
                "techniques": ["evol_instruct", "amplify"] if number % 4 == 0 else ["amplify"],
                "steps": [{"name": "amplify", "planned": exchanges, "moves": ["deepen", "challenge", "compare"][: exchanges - 1]}],
                "first_answer": "seed", "stopped": None, "scores": None, "teacher": {"model": "none", "kind": "endpoint"},
                "prompts": {"expert": "0" * 16, "follow_up": "1" * 16}, "sampling": {"answer": {"temperature": 0.6, "top_p": 0.95}},
            },
        }  # fmt: skip


def make_run(folder: Path, count: int) -> list[dict]:
    """A run's files with so many conversations, a tenth of them rejected as contaminated; returns the conversations."""
    rows = sorted(conversations(count), key=lambda row: row["id"])
    write_jsonl(folder / "decontamination" / "assembled.jsonl", rows)
    write_jsonl(folder / "decontamination" / "hits.jsonl", [])
    for stage in ("seeds", "synthesis", "dataset"):
        write_jsonl(folder / stage / "rejected.jsonl", [])
    gone = [{"id": row["id"], "reason": "contaminated", "evidence": {"source": row["source"]}} for row in rows[::10]]
    write_jsonl(folder / "decontamination" / "rejected.jsonl", gone)
    kept = [row["id"] for number, row in enumerate(rows) if number % 10]
    for name, ids in (("train", kept[1::2] + kept[2::2]), ("test", kept[:1])):
        pd.DataFrame({"id": ids}).to_parquet(folder / "dataset" / f"{name}.parquet", index=False)
    return rows


def render(folder: Path) -> dict[str, float]:
    """Our page, made as the rule makes it; seconds and the largest memory in MB."""
    report = folder / "report"
    stages = ("seeds", "synthesis", "decontamination", "dataset")
    command = [
        sys.executable, "-m", "workflow_scripts.report.render_conversations", "--run", "invented",
        "--conversations", folder / "decontamination" / "assembled.jsonl", "--hits", folder / "decontamination" / "hits.jsonl",
        "--train", folder / "dataset" / "train.parquet", "--test", folder / "dataset" / "test.parquet",
        "--rejected", *(folder / stage / "rejected.jsonl" for stage in stages), "--seeds", "--adapted", "--shards", folder, "--shard-count", "0",
        "--page", report / "conversations.html", "--parts", *(report / "conversations" / f"{name}.js" for name in PARTS),
    ]  # fmt: skip
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT)
    peak = 0.0
    # Not ru_maxrss: a child inherits that of its parent, which holds all conversations.
    while process.poll() is None:
        peak = max(peak, memory_mb(process.pid, "VmHWM"))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(process.returncode)
    return {"render_s": time.monotonic() - start, "render_mb": peak}


def memory_mb(process: int, name: str) -> float:
    """VmRSS (held now) or VmHWM (held at most) of a process in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


def write_plain(path: Path, rows: list[dict]) -> None:
    """The peer: every conversation in one page, each a closed <details>, and a search that hides what does not match."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("<!doctype html><meta charset=utf-8><title>plain</title>")
        for row in rows:
            turns = "".join(
                f"<p>{html.escape(turn[key])}</p>" for turn in row["conversation"] for key in ("input", "output")
            )
            title = html.escape(row["conversation"][0]["input"][:100])
            file.write(f'<details id="{row["id"]}"><summary>{title}</summary>{turns}</details>\n')
        file.write(
            "<script>function look(word) { let n = 0; for (const one of document.querySelectorAll('details')) {"
            "one.hidden = !one.textContent.toLowerCase().includes(word); n += !one.hidden; } return n; }</script>"
        )


class Ours:
    """What is done with our page."""

    name = "ours"

    def __init__(self, folder: Path):
        self.path = folder / "report" / "conversations.html"
        self.bytes = self.path.stat().st_size + sum(
            path.stat().st_size for path in self.path.parent.glob("conversations/*")
        )

    def load(self, page: Page) -> None:
        page.goto(self.path.as_uri())
        page.wait_for_selector("#list li")

    def open(self, page: Page, key: str) -> None:
        page.evaluate("key => location.hash = key", key)
        page.wait_for_selector(f"#conversation .link[href='#{key}']")

    def search(self, page: Page, word: str) -> int:
        page.evaluate(
            "word => { document.getElementById('count').dataset.done = 0; location.hash = 'q=' + word; }", word
        )
        page.wait_for_selector("#count[data-done='1']")
        return int(page.inner_text("#count").split()[0].replace(",", ""))


class Plain:
    """The same with the plain page."""

    name = "plain page"

    def __init__(self, folder: Path):
        self.path = folder / "plain.html"
        self.bytes = self.path.stat().st_size

    def load(self, page: Page) -> None:
        page.goto(self.path.as_uri())

    def open(self, page: Page, key: str) -> None:
        page.evaluate(
            "key => new Promise(done => { const one = document.getElementById(key); one.open = true; one.scrollIntoView();"
            "requestAnimationFrame(() => requestAnimationFrame(done)); })",
            key,
        )

    def search(self, page: Page, word: str) -> int:
        return page.evaluate(
            "word => new Promise(done => { const n = look(word); requestAnimationFrame(() => requestAnimationFrame(() => done(n))); })",
            word,
        )


def held_mb(page: Page) -> float:
    """What the page's process holds, in MB."""
    session = page.context.browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return max(memory_mb(process["id"], "VmRSS") for process in processes if process["type"] == "renderer")


def measure(way: Ours | Plain, chromium: str, keys: list[str], expected: dict[str, int]) -> dict[str, float]:
    """Milliseconds of each act in a fresh browser, and memory in MB after loading and at the end."""
    told: dict[str, float] = {"mb_on_disk": way.bytes / 1e6}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)

        def timed(name: str, act: Callable[..., Any], *values: Any) -> Any:
            start = time.perf_counter()
            result = act(page, *values)
            told[f"{name}_ms"] = 1000 * (time.perf_counter() - start)
            return result

        timed("load", way.load)
        told["loaded_mb"] = held_mb(page)
        timed("open_first", way.open, keys[0])
        timed("open_next", way.open, keys[1])
        assert timed("search_first", way.search, PLANTED["once"]) == expected["once"]
        assert timed("search_next", way.search, PLANTED["often"]) == expected["often"]
        told["searched_mb"] = held_mb(page)
        browser.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()

    rows = make_run(args.folder, args.rows)
    characters = sum(len(text) for row in rows for turn in row["conversation"] for text in turn.values())
    rendered = render(args.folder)
    write_plain(args.folder / "plain.html", rows)
    expected = {"once": 1, "often": len(range(0, args.rows, 100))}
    keys = [rows[1]["id"], rows[-2]["id"]]
    table = {}
    for way in (Ours(args.folder), Plain(args.folder)):
        runs = [measure(way, args.chromium, keys, expected) for _ in range(args.times)]
        table[way.name] = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    ours, plain = table.values()
    print(f"{args.rows} conversations, {characters / 1e6:.0f} million characters; page made in "
          f"{rendered['render_s']:.1f} s with {rendered['render_mb']:.0f} MB")  # fmt: skip
    print(f"{'':16}{'ours':>12}{'plain page':>12}{'plain/ours':>12}")
    for name in ours:
        print(f"{name:16}{ours[name]:12.1f}{plain[name]:12.1f}{plain[name] / ours[name]:12.2f}")
    told = {"rows": args.rows, "characters": characters, **rendered, **table}
    (args.folder / "browse.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

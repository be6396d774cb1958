"""Compare the conversation browser with one plain HTML page that holds all conversations, in a real Chromium.

    pip install playwright      # in an environment with requirements.txt; the browser of playwright is not needed
    python -m tests.benchmarks.browse_conversations --rows 20000 --folder /tmp/browse --chromium /usr/bin/chromium

Conversations consist of invented words with the word frequencies of a natural language, and have 5,500 characters on
average, like the released ones. Both pages are opened from disk. Times are medians of `--times` fresh browsers; memory is
that of the renderer process. Searches are started through the page's address. Prints a table and writes
FOLDER/browse.json.
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
from workflow_scripts.common.stage import rejected_row

ROOT = Path(__file__).parents[2]
VOCABULARY = 60_000
CHARACTERS = 5_500
PLANTED = {"once": "zyxwvutsr", "often": "abcabcabca"}  # a word of one conversation, and one of 1 % of them
PARTS = "0123456789abcdef"
STAGES = ("seeds", "synthesis", "verification", "conversations", "decontamination", "dataset")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def conversations(count: int) -> Iterator[dict]:
    """Rows in the layout of assemble_conversations, unsorted."""
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
    """Write a run's files with `count` conversations, a tenth of them rejected as contaminated; returns the conversations."""
    rows = sorted(conversations(count), key=lambda row: row["id"])
    write_jsonl(folder / "conversations" / "data.jsonl", rows)
    write_jsonl(folder / "decontamination" / "hits.jsonl", [])
    for stage in STAGES:
        write_jsonl(folder / stage / "rejected.jsonl", [])
    contaminated = [rejected_row(row, "contaminated", []) for row in rows[::10]]
    write_jsonl(folder / "decontamination" / "rejected.jsonl", contaminated)
    kept = [row["id"] for number, row in enumerate(rows) if number % 10]
    for name, ids in (("train", kept[1::2] + kept[2::2]), ("test", kept[:1])):
        pd.DataFrame({"id": ids}).to_parquet(folder / "dataset" / f"{name}.parquet", index=False)
    return rows


def render(folder: Path) -> dict[str, float]:
    """Render our page with the command of the rule; returns seconds and peak memory in MB."""
    report = folder / "report"
    command = [
        sys.executable, "-m", "workflow_scripts.report.render_conversations", "--run", "invented",
        "--conversations", folder / "conversations" / "data.jsonl", "--hits", folder / "decontamination" / "hits.jsonl", "--searched", "1",
        "--train", folder / "dataset" / "train.parquet", "--test", folder / "dataset" / "test.parquet",
        "--rejected", *(folder / stage / "rejected.jsonl" for stage in STAGES), "--seeds",
        "--page", report / "conversations.html", "--parts", *(report / "conversations" / f"{name}.js" for name in PARTS),
    ]  # fmt: skip
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT)
    peak = 0.0
    # Not ru_maxrss: a child inherits its parent's, and the parent holds all conversations.
    while process.poll() is None:
        peak = max(peak, memory_mb(process.pid, "VmHWM"))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(process.returncode)
    return {"render_s": time.monotonic() - start, "render_mb": peak}


def memory_mb(process: int, name: str) -> float:
    """VmRSS (current) or VmHWM (peak) of a process in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


def write_plain(path: Path, rows: list[dict]) -> None:
    """Write the page to compare with: each conversation is a closed <details>; a search hides those that do not match."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("<!doctype html><meta charset=utf-8><title>plain</title>")
        for row in rows:
            turns = "".join(
                f"<p>{html.escape(turn[key])}</p>" for turn in row["conversation"] for key in ("input", "output")
            )
            title = html.escape(row["conversation"][0]["input"][:100])
            file.write(f'<details id="{row["id"]}"><summary>{title}</summary>{turns}</details>\n')
        file.write(
            "<script>function search(word) { let n = 0; for (const item of document.querySelectorAll('details')) {"
            "item.hidden = !item.textContent.toLowerCase().includes(word); n += !item.hidden; } return n; }</script>"
        )


class Ours:
    """The conversation browser."""

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
    """The plain page."""

    name = "plain page"

    def __init__(self, folder: Path):
        self.path = folder / "plain.html"
        self.bytes = self.path.stat().st_size

    def load(self, page: Page) -> None:
        page.goto(self.path.as_uri())

    def open(self, page: Page, key: str) -> None:
        page.evaluate(
            "key => new Promise(done => { const item = document.getElementById(key); item.open = true; item.scrollIntoView();"
            "requestAnimationFrame(() => requestAnimationFrame(done)); })",
            key,
        )

    def search(self, page: Page, word: str) -> int:
        return page.evaluate(
            "word => new Promise(done => { const n = search(word); requestAnimationFrame(() => requestAnimationFrame(() => done(n))); })",
            word,
        )


def renderer_mb(page: Page) -> float:
    """Memory of the renderer process, in MB."""
    session = page.context.browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return max(memory_mb(process["id"], "VmRSS") for process in processes if process["type"] == "renderer")


def measure(variant: Ours | Plain, chromium: str, keys: list[str], expected: dict[str, int]) -> dict[str, float]:
    """Milliseconds of each action in a fresh browser, and memory in MB after loading and at the end."""
    figures: dict[str, float] = {"mb_on_disk": variant.bytes / 1e6}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)

        def timed(name: str, action: Callable[..., Any], *values: Any) -> Any:
            start = time.perf_counter()
            result = action(page, *values)
            figures[f"{name}_ms"] = 1000 * (time.perf_counter() - start)
            return result

        timed("load", variant.load)
        figures["loaded_mb"] = renderer_mb(page)
        timed("open_first", variant.open, keys[0])
        timed("open_next", variant.open, keys[1])
        assert timed("search_first", variant.search, PLANTED["once"]) == expected["once"]
        assert timed("search_next", variant.search, PLANTED["often"]) == expected["often"]
        figures["searched_mb"] = renderer_mb(page)
        browser.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="conversations (default: 20000)")
    parser.add_argument("--times", type=int, default=3, help="fresh browsers for each page (default: 3)")
    parser.add_argument("--folder", type=Path, required=True, help="folder to write to")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    args = parser.parse_args()

    rows = make_run(args.folder, args.rows)
    characters = sum(len(text) for row in rows for turn in row["conversation"] for text in turn.values())
    rendered = render(args.folder)
    write_plain(args.folder / "plain.html", rows)
    expected = {"once": 1, "often": len(range(0, args.rows, 100))}
    keys = [rows[1]["id"], rows[-2]["id"]]
    table = {}
    for variant in (Ours(args.folder), Plain(args.folder)):
        runs = [measure(variant, args.chromium, keys, expected) for _ in range(args.times)]
        table[variant.name] = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    ours, plain = table.values()
    print(f"{args.rows} conversations, {characters / 1e6:.0f} million characters; page rendered in "
          f"{rendered['render_s']:.1f} s with {rendered['render_mb']:.0f} MB")  # fmt: skip
    print(f"{'':16}{'ours':>12}{'plain page':>12}{'plain/ours':>12}")
    for name in ours:
        print(f"{name:16}{ours[name]:12.1f}{plain[name]:12.1f}{plain[name] / ours[name]:12.2f}")
    figures = {"rows": args.rows, "characters": characters, **rendered, **table}
    (args.folder / "browse.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

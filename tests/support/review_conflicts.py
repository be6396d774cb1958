"""Disagreeing reviewers, an adjudicator, a growing queue and corrupt exports, in a real Label Studio. Run it manually:

    .venv-review/bin/pip install playwright
    .venv-review/bin/python tests/support/review_conflicts.py --configfile mine.yaml --work /tmp/conflicts

The run of mine.yaml must have finished the synthesis stage. The script overwrites the section `verification` of mine.yaml.
Two reviewers judge a small queue in the browser, a third decides the disputed items, and every outcome is compared with
the script. Then the queue grows, and exports of the server are corrupted: an unknown item, a missing verdict, another
project. The script stops at the first difference.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.review_in_browser import CHROMIUM, Review, Reviewer, options, scripted, send

NAMES = ("anna", "ben", "cara")
OTHER = '<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="yes"/></Choices></View>'


class Run:
    """A run of the workflow and its configuration file."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.config = args, yaml.safe_load(args.configfile.read_text())
        self.folder = Path(self.config.get("results", "results")) / self.config["run"] / "verification"
        self.options = ["--configfile", str(args.configfile)]

    def set_verification(self, problems: int, decisions: list[str]) -> None:
        """Write the section `verification`: the number of problems in the queue, and the files of decisions."""
        section = {
            "reviewers": str(self.args.work / "reviewers.yaml"), "adjudicators": ["cara"], "resolve": "majority",
            "decisions": [str(self.args.work / name) for name in decisions], "reviewers_per_item": 2,
            "queue": {"problems": problems, "conversations": 0, "auto_flagged": False, "gold": {"share": 0.0}},
        }  # fmt: skip
        self.args.configfile.write_text(yaml.safe_dump(self.config | {"verification": section}))

    def make(self, file: str, check: bool = True) -> str:
        """Run snakemake for a file of the stage; returns its output. SystemExit if it fails, or succeeds without `check`."""
        command = [str(self.args.python), "-m", "snakemake", "--cores", "2", str(self.folder / file), *self.options]
        done = subprocess.run(command, capture_output=True, text=True)
        printed = done.stdout + done.stderr
        if (done.returncode == 0) != check:
            raise SystemExit(printed)
        return printed

    def rows(self, file: str) -> list[dict]:
        return [json.loads(line) for line in (self.folder / file).read_text().splitlines()]

    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.rows("items.jsonl")}


def expect(description: str, actual: object, expected: object) -> None:
    """Print a comparison; SystemExit if the values differ."""
    print(f"{'as expected' if actual == expected else 'DIFFERENT'}: {description}: {actual}", flush=True)
    if actual != expected:
        raise SystemExit(f"expected {expected}")


def assigned(person: Reviewer) -> set[str]:
    """The items of a reviewer's project."""
    path = f"/api/projects/{person.project}/export?exportType=JSON&download_all_tasks=true"
    return {task["data"]["item"] for task in person.ask(path)}


def judge_all(person: Reviewer, count: int) -> None:
    """Judge and submit `count` items."""
    person.open()
    for number in range(1, count + 1):
        person.judge()
        person.submit(last=number == count)


def conflict(review: Review, run: Run, people: dict[str, Reviewer], fetch: list[str]) -> None:
    """Two reviewers disagree, the adjudicator decides."""
    anna, ben, cara = (people[name] for name in NAMES)
    items = {row["id"] for row in run.rows("queue.jsonl")}
    for person in (anna, ben):
        expect(f"{person.name} has every item of the queue", assigned(person) == items, True)
        judge_all(person, len(items))
    review.command(*fetch)
    run.set_verification(run.args.problems, ["decisions.jsonl"])
    run.make("items.jsonl")
    accepted = {
        item: [
            {person.submitted[item][answer] == "correct" for person in (anna, ben)} for answer in anna.submitted[item]
        ]
        for item in items
    }
    differ = {item for item, answers in accepted.items() if any(len(sides) == 2 for sides in answers)}
    disputed = {item for item, state in run.states().items() if state == "disputed"}
    if not differ:
        raise SystemExit("the two reviewers agree on every item. Set a larger --problems.")
    expect(f"the {len(differ)} of {len(items)} items with different verdicts are disputed", disputed == differ, True)

    review.command("push", *run.options, "--url", review.url)
    cara.log_in()
    expect("the adjudicator has exactly the disputed items", assigned(cara) == disputed, True)
    judge_all(cara, len(disputed))
    review.command(*fetch)
    run.make("items.jsonl")
    expect("disputed after the adjudicator", [i for i, state in run.states().items() if state == "disputed"], [])
    rejected = {row["evidence"]["seed"] for row in run.rows("rejected.jsonl")}
    corrected = {
        row["provenance"]["seed"] for row in run.rows("data.jsonl")
        if row["provenance"].get("verification", {}).get("status") == "corrected"
    }  # fmt: skip
    wrong = {item for item in disputed if scripted("cara", item, 1) != "correct"}
    print(f"the adjudicator faults {len(wrong)} of {len(disputed)} items")
    grown = {row["provenance"]["seed"] for row in run.rows("data.jsonl")} | rejected
    expect("the faulted items are rejected or corrected", wrong & grown <= rejected | corrected, True)
    expect("the accepted items pass unchanged", (disputed - wrong) & (rejected | corrected), set())


def growth(review: Review, run: Run, people: dict[str, Reviewer]) -> None:
    """The queue grows after decisions exist."""
    before, decided = {row["id"] for row in run.rows("queue.jsonl")}, run.rows("decisions.jsonl")
    run.set_verification(run.args.problems + 4, ["decisions.jsonl"])
    run.make("items.jsonl")
    after = {row["id"] for row in run.rows("queue.jsonl")}
    expect("the larger queue contains the smaller one", before <= after, True)
    expect("decisions are unchanged", run.rows("decisions.jsonl") == decided, True)
    review.command("push", *run.options, "--url", review.url)
    for name in NAMES[:2]:
        expect(
            f"{name} has the {len(after - before)} new items and the old ones", assigned(people[name]) == after, True
        )
    tasks = people["anna"].ask(f"/api/projects/{people['anna'].project}/export?exportType=JSON")
    expect("anna's annotated tasks", len(tasks), len(before))


def corrupt_exports(review: Review, run: Run, anna: Reviewer) -> None:
    """Exports with an unknown item, with another project, and with a missing verdict."""
    work = run.args.work
    export = anna.ask(f"/api/projects/{anna.project}/export?exportType=JSON")
    total = len(run.rows("decisions.jsonl"))

    unknown = json.loads(json.dumps(export[:1]))
    unknown[0]["data"]["item"] = "0123456789abcdef"
    (work / "unknown.json").write_text(json.dumps(unknown))
    other = send(anna, "POST", "/api/projects", {"title": "Something else", "label_config": OTHER})
    project = other.json()["id"]
    send(anna, "POST", f"/api/projects/{project}/import", [{"text": "A text of another project."}])
    task = anna.ask(f"/api/tasks?project={project}")["tasks"][0]["id"]
    answer = {"result": [{"from_name": "c", "to_name": "text", "type": "choices", "value": {"choices": ["yes"]}}]}
    judged = send(anna, "POST", f"/api/tasks/{task}/annotations/", answer)
    expect("status of an annotation in another project", judged.status, 201)
    (work / "other.json").write_text(json.dumps(anna.ask(f"/api/projects/{project}/export?exportType=JSON")))
    run.set_verification(run.args.problems, ["decisions.jsonl", "unknown.json", "other.json"])
    print("\n".join(line for line in run.make("items.jsonl").splitlines() if line.startswith("unmatched")))
    expect(
        "reasons of unmatched decisions",
        sorted({row["reason"] for row in run.rows("decisions.unmatched.jsonl")}),
        ["other_project", "unknown_item"],
    )
    expect("number of matched decisions", len(run.rows("decisions.jsonl")), total)

    lacking = json.loads(json.dumps(export[:2]))
    lacking[1]["annotations"][0]["result"] = [
        part for part in lacking[1]["annotations"][0]["result"] if part["from_name"] != "verdict_0"
    ]
    (work / "lacking.json").write_text(json.dumps(lacking))
    run.set_verification(run.args.problems, ["decisions.jsonl", "lacking.json"])
    errors = [line for line in run.make("items.jsonl", check=False).splitlines() if line.startswith("error: ")]
    print("\n".join(dict.fromkeys(errors)))
    expect("the message names the missing field", any("entry 2, answer 1: no verdict" in line for line in errors), True)
    run.set_verification(run.args.problems, ["decisions.jsonl", "decisions.jsonl"])
    run.make("items.jsonl")
    expect("number of decisions with the same file given twice", len(run.rows("decisions.jsonl")), total)


def main() -> None:
    """Run all scenarios."""
    parser = options(__doc__)
    parser.add_argument("--problems", type=int, default=14, help="problems in the first queue (default: 14)")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    run = Run(args)
    review = Review(args, NAMES)
    print(f"the server started after {review.start():.0f} s", flush=True)
    try:
        run.set_verification(args.problems, [])
        for name in NAMES:
            profile = ["--name", name, "--fields", *args.fields, "--degree", "MSc"]
            review.command("invite", *run.options, *review.local, *profile, REVIEWER_PASSWORD=review.passwords[name])
        run.make("queue.jsonl")
        review.command("push", *run.options, "--url", review.url)
        fetch = ["fetch", *run.options, "--url", review.url, "--file", str(args.work / "decisions.jsonl")]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            people = {name: Reviewer(review, browser.new_context().new_page(), name) for name in NAMES}
            people["anna"].log_in()
            people["ben"].log_in()
            conflict(review, run, people, fetch)
            growth(review, run, people)
            corrupt_exports(review, run, people["anna"])
    finally:
        review.kill()


if __name__ == "__main__":
    main()

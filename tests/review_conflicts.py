"""Reviewers who differ, an adjudicator, a queue that grows and damaged exports, in a real Label Studio; run by hand.

    .venv-review/bin/pip install playwright
    .venv-review/bin/python tests/review_conflicts.py --configfile mine.yaml --work /tmp/conflicts

Of the configuration's run the synthesis must be made; its `verification` is written anew, in that file. Two reviewers judge a small queue in the browser,
a third decides what is disputed, and every outcome is compared with what was scripted. Then the queue grows, and exports of
the server are damaged: an item that nobody knows, a missing verdict, another project. It stops at the first thing that is not as it must be.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.review_in_browser import CHROMIUM, Review, Reviewer, options, scripted, send

NAMES = ("anna", "ben", "cara")
OTHER = '<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="yes"/></Choices></View>'


class Run:
    """The workflow's run, and the file of its configuration."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.config = args, yaml.safe_load(args.configfile.read_text())
        self.folder = Path(self.config.get("results", "results")) / self.config["run"] / "verification"
        self.words = ["--configfile", str(args.configfile)]

    def set(self, problems: int, decisions: list[str]) -> None:
        section = {
            "reviewers": str(self.args.work / "reviewers.yaml"), "adjudicators": ["cara"], "resolve": "majority",
            "decisions": [str(self.args.work / name) for name in decisions], "reviewers_per_item": 2,
            "queue": {"problems": problems, "conversations": 0, "auto_flagged": False, "gold": {"share": 0.0}},
        }  # fmt: skip
        self.args.configfile.write_text(yaml.safe_dump(self.config | {"verification": section}))

    def make(self, file: str, check: bool = True) -> str:
        """What snakemake printed on its way to a file of the stage."""
        command = [str(self.args.python), "-m", "snakemake", "--cores", "2", str(self.folder / file), *self.words]
        done = subprocess.run(command, capture_output=True, text=True)
        printed = done.stdout + done.stderr
        if (done.returncode == 0) != check:
            raise SystemExit(printed)
        return printed

    def rows(self, file: str) -> list[dict]:
        return [json.loads(line) for line in (self.folder / file).read_text().splitlines()]

    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.rows("items.jsonl")}


def must(told: str, found: object, wanted: object) -> None:
    """Print what was compared; end at a difference."""
    print(f"{'as it must be' if found == wanted else 'DIFFERENT'}: {told}: {found}", flush=True)
    if found != wanted:
        raise SystemExit(f"wanted was {wanted}")


def held(person: Reviewer) -> set[str]:
    """The items that a reviewer has."""
    path = f"/api/projects/{person.project}/export?exportType=JSON&download_all_tasks=true"
    return {task["data"]["item"] for task in person.ask(path)}


def judge_all(person: Reviewer, count: int) -> None:
    person.open()
    for number in range(1, count + 1):
        person.judge()
        person.submit(last=number == count)


def conflict(review: Review, run: Run, people: dict[str, Reviewer], fetch: list[str]) -> None:
    """Two differ, the third decides."""
    anna, ben, cara = (people[name] for name in NAMES)
    items = {row["id"] for row in run.rows("queue.jsonl")}
    for person in (anna, ben):
        must(f"{person.name} has the whole queue", held(person) == items, True)
        judge_all(person, len(items))
    review.command(*fetch)
    run.set(run.args.problems, ["decisions.jsonl"])
    run.make("items.jsonl")
    accepted = {
        item: [{person.gave[item][answer] == "correct" for person in (anna, ben)} for answer in anna.gave[item]]
        for item in items
    }
    differ = {item for item, answers in accepted.items() if any(len(sides) == 2 for sides in answers)}
    disputed = {item for item, state in run.states().items() if state == "disputed"}
    if not differ:
        raise SystemExit("the two differ on nothing; take more --problems")
    must(f"disputed are the {len(differ)} of {len(items)} items on which they differ", disputed == differ, True)

    review.command("push", *run.words, "--url", review.url)
    cara.log_in()
    must("the adjudicator has what is disputed and nothing else", held(cara) == disputed, True)
    judge_all(cara, len(disputed))
    review.command(*fetch)
    run.make("items.jsonl")
    must("disputed after the adjudicator", [i for i, state in run.states().items() if state == "disputed"], [])
    rejected = {row["evidence"]["seed"] for row in run.rows("rejected.jsonl")}
    corrected = {
        row["provenance"]["seed"] for row in run.rows("data.jsonl")
        if row["provenance"].get("verification", {}).get("status") == "corrected"
    }  # fmt: skip
    wrong = {item for item in disputed if scripted("cara", item, 1) != "correct"}
    print(f"the adjudicator found a fault in {len(wrong)} of {len(disputed)}")
    grown = {row["provenance"]["seed"] for row in run.rows("data.jsonl")} | rejected
    must("what she faults is rejected or corrected", wrong & grown <= rejected | corrected, True)
    must("what she accepts passes as it is", (disputed - wrong) & (rejected | corrected), set())


def growth(review: Review, run: Run, people: dict[str, Reviewer]) -> None:
    """More items after decisions exist."""
    before, decided = {row["id"] for row in run.rows("queue.jsonl")}, run.rows("decisions.jsonl")
    run.set(run.args.problems + 4, ["decisions.jsonl"])
    run.make("items.jsonl")
    after = {row["id"] for row in run.rows("queue.jsonl")}
    must("the larger queue holds the smaller one", before <= after, True)
    must("decisions are the same", run.rows("decisions.jsonl") == decided, True)
    review.command("push", *run.words, "--url", review.url)
    for name in NAMES[:2]:
        must(f"{name} got the {len(after - before)} new ones beside the old", held(people[name]) == after, True)
    tasks = people["anna"].ask(f"/api/projects/{people['anna'].project}/export?exportType=JSON")
    must("anna's decided tasks", len(tasks), len(before))


def damage(review: Review, run: Run, anna: Reviewer) -> None:
    """Exports that are not what they should be."""
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
    must("another project's task is judged", judged.status, 201)
    (work / "other.json").write_text(json.dumps(anna.ask(f"/api/projects/{project}/export?exportType=JSON")))
    run.set(run.args.problems, ["decisions.jsonl", "unknown.json", "other.json"])
    print("\n".join(line for line in run.make("items.jsonl").splitlines() if line.startswith("set aside")))
    must(
        "set aside",
        sorted({row["reason"] for row in run.rows("decisions.aside.jsonl")}),
        ["other_project", "unknown_item"],
    )
    must("decisions beside them", len(run.rows("decisions.jsonl")), total)

    lacking = json.loads(json.dumps(export[:2]))
    lacking[1]["annotations"][0]["result"] = [
        part for part in lacking[1]["annotations"][0]["result"] if part["from_name"] != "verdict_0"
    ]
    (work / "lacking.json").write_text(json.dumps(lacking))
    run.set(run.args.problems, ["decisions.jsonl", "lacking.json"])
    errors = [line for line in run.make("items.jsonl", check=False).splitlines() if line.startswith("error: ")]
    print("\n".join(dict.fromkeys(errors)))
    must("the missing field is named", any("entry 2, answer 1: has no verdict" in line for line in errors), True)
    run.set(run.args.problems, ["decisions.jsonl", "decisions.jsonl"])
    run.make("items.jsonl")
    must("decisions after it, the file named twice", len(run.rows("decisions.jsonl")), total)


def main() -> None:
    """Run all of it."""
    parser = options(__doc__)
    parser.add_argument("--problems", type=int, default=14, help="items of the first queue")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    run = Run(args)
    review = Review(args, NAMES)
    print(f"the server answered after {review.start():.0f} s", flush=True)
    try:
        run.set(args.problems, [])
        for name in NAMES:
            profile = ["--name", name, "--fields", *args.fields, "--degree", "MSc"]
            review.command("invite", *run.words, *review.local, *profile, REVIEWER_PASSWORD=review.passwords[name])
        run.make("queue.jsonl")
        review.command("push", *run.words, "--url", review.url)
        fetch = ["fetch", *run.words, "--url", review.url, "--file", str(args.work / "decisions.jsonl")]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            people = {name: Reviewer(review, browser.new_context().new_page(), name) for name in NAMES}
            people["anna"].log_in()
            people["ben"].log_in()
            conflict(review, run, people, fetch)
            growth(review, run, people)
            damage(review, run, people["anna"])
    finally:
        review.kill()


if __name__ == "__main__":
    main()

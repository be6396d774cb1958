"""Two reviewers submit scripted verdicts on Label Studio's page in a real browser. Run it manually:

    .venv-review/bin/pip install playwright
    .venv-review/bin/python tests/support/review_in_browser.py --configfile mine.yaml --work /tmp/review

The run of mine.yaml must have its review queue, and `verification.reviewers` must be set. The script

1. starts a Label Studio server, invites two reviewers and pushes the queue,
2. judges with keyboard and mouse, kills the server with SIGKILL during the first reviewer's work and starts it again,
3. changes one verdict of the second reviewer,
4. requests each reviewer's work as the other one,
5. fetches the decisions twice and compares them with the script.

It prints the results and writes `scripted.json`. Chromium is Debian's.
"""

import argparse
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import APIResponse, Page, sync_playwright

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
VERDICTS = ["correct", "minor_error", "wrong", "incoherent"]
NAMES = ("anna", "ben")


def scripted(reviewer: str, item: str, answer: int) -> str:
    """The verdict of a reviewer: 60 % are correct; ben differs from anna in a quarter of the answers."""

    def draw(text: str, sides: int) -> int:
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % sides

    verdict = (["correct"] * 6 + ["minor_error", "wrong", "wrong", "incoherent"])[draw(f"{item}:{answer}", 10)]
    if reviewer == "ben" and draw(f"ben:{item}:{answer}", 4) == 0:
        return "wrong" if verdict == "correct" else "correct"
    return verdict


class Review:
    """The Label Studio server and the commands of `capybara review`."""

    def __init__(self, args: argparse.Namespace, names: tuple[str, ...] = NAMES):
        self.args, self.url = args, f"http://127.0.0.1:{args.port}"
        self.passwords = {name: secrets.token_urlsafe(9) for name in ("lead", *names)}
        self.environment = os.environ | {
            "LABEL_STUDIO_PASSWORD": self.passwords["lead"], "LABEL_STUDIO_USER_TOKEN": secrets.token_hex(20),
        }  # fmt: skip
        self.capybara_review = [str(args.python), "-m", "workflow_scripts.cli.main", "review"]
        self.local = ["--label-studio", str(args.label_studio), "--data", str(args.work / "label-studio")]

    def command(self, *words: str, **more: str) -> str:
        """Run `capybara review`; returns its stderr. CalledProcessError if it fails."""
        command = [*self.capybara_review, *words]
        done = subprocess.run(command, env=self.environment | more, capture_output=True, text=True)
        print(f"$ capybara review {' '.join(words)}\n{done.stderr.strip()}", flush=True)
        done.check_returncode()
        return done.stderr

    def start(self) -> float:
        """Start the server; returns the seconds until it replied. SystemExit if it ends."""
        command = [*self.capybara_review, "start", *self.local, "--port", str(self.args.port)]
        log = open(self.args.work / "server.log", "a")  # noqa: SIM115
        began = time.monotonic()
        self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        while True:
            time.sleep(1)
            try:
                urllib.request.urlopen(self.url + "/health", timeout=5)
                return time.monotonic() - began
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f"the server ended while starting. See {log.name}.") from None

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Reviewer:
    """A reviewer logged in to the page; `submitted` holds the submitted verdicts by item and answer."""

    def __init__(self, review: Review, page: Page, name: str):
        self.review, self.page, self.name = review, page, name
        self.submitted: dict[str, dict[int, str]] = {}
        self.project = 0
        page.on("dialog", lambda dialog: (print(f"A DIALOG OPENED: {dialog.message}"), dialog.dismiss()))

    def log_in(self) -> None:
        self.page.goto(f"{self.review.url}/user/login/")
        self.page.fill("input[name=email]", f"{self.name}@reviewers.invalid")
        self.page.fill("input[name=password]", self.review.passwords[self.name])
        self.page.click("button[type=submit]")
        self.page.wait_for_load_state("networkidle")
        self.project = self.ask("/api/projects")["results"][0]["id"]

    def ask(self, path: str) -> dict:
        """The API's JSON reply to a GET request in this reviewer's session."""
        return self.page.request.get(self.review.url + path).json()

    def open(self, task: int | None = None) -> None:
        where = "labeling=1" if task is None else f"task={task}"
        self.page.goto(f"{self.review.url}/projects/{self.project}/data?{where}")
        self.wait()

    def wait(self, other_than: int | None = None) -> None:
        """Wait until the page shows a task other than `other_than`."""
        self.page.wait_for_selector("text=QUESTION 1", timeout=60_000)
        deadline = time.monotonic() + 30
        while self.task() in (None, other_than) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.7)  # the keys of a new page are bound after it is drawn

    def task(self) -> int | None:
        """The number of the task in the page's bottom bar; None while no task is shown."""
        found = re.search(r"(\d+)\s+\d+ of \d+", self.page.locator("body").inner_text())
        return int(found[1]) if found else None

    def judge(self) -> str:
        """Fill in the page as scripted; returns the item's id. Verdicts are given by key, the rest by mouse and typing."""
        data = self.ask(f"/api/tasks/{self.task()}")["data"]
        item, count = data["item"], len(data["exchanges"])
        for number in range(1, count + 1):
            self.press(number, scripted(self.name, item, number))
        self.page.locator(".ant-rate").first.locator(".ant-rate-star").nth(3).click()
        for number in range(1, count + 1):
            if scripted(self.name, item, number) == "wrong":
                box = self.page.locator(f"[name=corrected_{number - 1}]")
                box.fill(f"{self.name}'s better answer {number} to {item}.")
                if number % 2:
                    box.press("Shift+Enter")
                self.page.locator(f"[name=note_{number - 1}]").fill("A sign is wrong.")
        self.submitted[item] = {number: scripted(self.name, item, number) for number in range(1, count + 1)}
        return item

    def press(self, number: int, verdict: str) -> None:
        """Choose a verdict with the key that the page shows next to it."""
        choices = self.page.locator(".lsf-choices").nth(number - 1)
        choice = choices.locator(".lsf-choice__item").nth(VERDICTS.index(verdict))
        if not choice.locator("input").is_checked():  # a second press would remove it
            self.page.locator("body").press(re.search(r"\[(\w)\]", choice.inner_text())[1])
            choice.locator("input:checked").wait_for(timeout=5_000)

    def submit(self, last: bool = False) -> None:
        before = self.task()
        self.page.locator("button[name=submit]").first.click()
        if last:  # there may be no other task to wait for
            self.page.locator("text=saved successfully").first.wait_for(timeout=30_000)
        else:
            self.wait(before)


def picture(page: Page, path: Path) -> None:
    """Write a screenshot as a small PNG, after the notice of the last submission has gone."""
    page.locator("text=saved successfully").first.wait_for(state="detached", timeout=30_000)
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(48).save(path, optimize=True)


def send(reviewer: Reviewer, method: str, path: str, body: object = None) -> APIResponse:
    """The API's reply to a request from a reviewer's browser."""
    token = next(cookie["value"] for cookie in reviewer.page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": reviewer.review.url}
    return reviewer.page.request.fetch(reviewer.review.url + path, method=method, data=body, headers=headers)


def isolation(one: Reviewer, other: Reviewer) -> dict[str, int]:
    """The status of each request of `other` for the work of `one`."""
    theirs = one.ask(f"/api/tasks?project={one.project}&page_size=1")["tasks"][0]["id"]
    organisation = one.ask("/api/current-user/whoami")
    own = other.ask("/api/current-user/whoami")
    answers = {
        "project": send(other, "GET", f"/api/projects/{one.project}"),
        "task": send(other, "GET", f"/api/tasks/{theirs}"),
        "annotations": send(other, "GET", f"/api/tasks/{theirs}/annotations/"),
        "export": send(other, "GET", f"/api/projects/{one.project}/export?exportType=JSON"),
        "enter the organisation": send(
            other, "PATCH", f"/api/users/{own['id']}/", {"active_organization": organisation["active_organization"]}
        ),
    }
    return {what: answer.status for what, answer in answers.items()}


def options(description: str) -> argparse.ArgumentParser:
    """The command line options that both review scripts share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--configfile",
        required=True,
        type=Path,
        help="configuration of the run, whose sources include CamelAI's problems",
    )
    parser.add_argument("--work", required=True, type=Path, help="empty folder for the server's data and the results")
    parser.add_argument("--python", type=Path, default=Path(".venv/bin/python"), help="the workflow's Python")
    parser.add_argument("--label-studio", type=Path, default=Path(".venv-review"), help="Label Studio's environment")
    parser.add_argument("--port", type=int, default=8765, help="port that the server listens on")
    parser.add_argument("--fields", nargs="+", default=["physics", "chemistry"], help="fields of every reviewer")
    return parser


def main() -> None:
    """Run all steps."""
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=20, help="items that each reviewer judges")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the page")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    review, configuration = Review(args), ["--configfile", str(args.configfile)]
    print(f"the server started after {review.start():.0f} s", flush=True)
    try:
        for name in NAMES:
            profile = ["--name", name, "--fields", *args.fields, "--degree", "MSc"]
            review.command("invite", *configuration, *review.local, *profile, REVIEWER_PASSWORD=review.passwords[name])
        review.command("push", *configuration, "--url", review.url)
        review.command("push", *configuration, "--url", review.url)  # pushes nothing new
        with sync_playwright() as playwright:
            judge_in_browser(review, playwright, configuration)
    finally:
        review.kill()


def judge_in_browser(review: Review, playwright, configuration: list[str]) -> None:
    """The steps in the browser."""
    args = review.args
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
    people = {}
    for name in NAMES:
        context = browser.new_context(viewport={"width": 1100, "height": 800})
        people[name] = Reviewer(review, context.new_page(), name)
        people[name].log_in()
    anna, ben = people["anna"], people["ben"]
    fetch = ["fetch", *configuration, "--url", review.url, "--file", str(args.work / "decisions.jsonl")]

    anna.open()
    for number in range(1, args.items + 1):
        anna.judge()
        shown = anna.page.locator("body").inner_text()
        if args.pictures and ("<script>" in shown or anna.page.locator("math").count()):
            picture(anna.page, args.pictures / f"review-{'script' if '<script>' in shown else 'formulas'}.png")
        if args.pictures and number == 2:
            picture(anna.page, args.pictures / "review-page.png")
        if number == args.items // 2:
            time.sleep(10)  # Label Studio saves a draft every few seconds
            review.kill()
            print(f"killed after {number - 1} submitted items; the next one is filled in but not submitted", flush=True)
            print(f"the server restarted after {review.start():.0f} s", flush=True)
            done = sum(
                bool(task["annotations"]) for task in anna.ask(f"/api/projects/{anna.project}/export?exportType=JSON")
            )
            anna.open()
            kept = anna.page.locator(".lsf-choices input:checked").count()
            print(
                f"after the restart {done} items are annotated, and {kept} verdicts of the draft are present",
                flush=True,
            )
            anna.judge()
        anna.submit(last=number == args.items)
    review.command(*fetch)
    ben.open()
    for number in range(1, args.items + 1):
        ben.judge()
        ben.submit(last=number == args.items)
    review.command(*fetch)

    first = next(iter(ben.submitted))
    task = next(
        task for task in ben.ask(f"/api/projects/{ben.project}/export?exportType=JSON") if task["data"]["item"] == first
    )
    ben.open(task["id"])
    changed = "incoherent" if ben.submitted[first][1] != "incoherent" else "correct"
    ben.press(1, changed)
    ben.page.locator("[aria-label=submit]").first.click()
    time.sleep(3)
    if args.pictures:
        ben.page.goto(f"{review.url}/projects/{ben.project}/data")
        time.sleep(4)
        picture(ben.page, args.pictures / "review-list.png")
    review.command(*fetch)
    review.command(*fetch)  # adds no duplicates
    print("ben requests anna's work:", isolation(anna, ben), flush=True)
    print("anna requests ben's work:", isolation(ben, anna), flush=True)
    browser.close()

    rows = [json.loads(line) for line in (args.work / "decisions.jsonl").read_text().splitlines()]
    expected = {
        (name, item, number, verdict)
        for name in NAMES
        for item, verdicts in people[name].submitted.items()
        for number, verdict in verdicts.items()
    }
    expected |= {
        ("ben", first, number, changed if number == 1 else said) for number, said in ben.submitted[first].items()
    }
    found = {(row["reviewer"], row["item"], row["answer"], row["verdict"]) for row in rows}
    corrected = sum(row["corrected"] is not None for row in rows)
    print(f"{len(rows)} decisions, {corrected} with a correction; as scripted: {found == expected}")
    script = {name: people[name].submitted for name in NAMES} | {"changed": {"item": first, "to": changed}}
    (args.work / "scripted.json").write_text(json.dumps(script, indent=1))
    if found != expected:
        raise SystemExit(f"missing {expected - found}, unexpected {found - expected}")


if __name__ == "__main__":
    main()

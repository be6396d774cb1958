"""Synthesis with a teacher that fails: no row is lost, no request paid twice, no key disclosed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.support.runs import (
    CANARY,
    CONCURRENCY,
    DATA,
    JOBS,
    SUBJECTS,
    Project,
    alive,
    configure,
    environment,
    interruptible,
    kill,
    nothing_is_lost,
    places_with,
    rows,
)
from tests.support.scripted_replies import fingerprint
from tests.support.scripted_teacher import Served, served
from workflow_scripts.teacher.cache import RequestCache

pytestmark = pytest.mark.slow

KILLS = 10
CHEAP_FAULTS = "429,500,truncated,empty_choices,content_type,reset"


def stored(project: Project) -> set[str]:
    """Fingerprints of the requests whose answers are on disk."""
    cache = RequestCache((project.folder / DATA).parents[1] / "teacher" / "cache")
    return {fingerprint(request) for _, request, _ in cache.rows()}


class Recorded:
    """A finished run with faults: its project, and the record of its server, which is stopped."""

    def __init__(self, folder: Path):
        folder.joinpath("project").mkdir()
        self.project = Project(folder / "project")
        options = ("--delay", "0.02", "--fault-rate", "0.3", "--slow", "30", "--retry-after", "0.5")
        with served(folder / "server", *options) as server:
            self.base_url = server.base_url
            self.printed = self.project.run(DATA, *configure(self.project, server.base_url))
            self.events = server.events()
        self.data = (self.project.folder / DATA).read_bytes()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Recorded:
    """One run for all tests that read or replay it."""
    return Recorded(tmp_path_factory.mktemp("faults"))


def test_every_seed_ends_as_a_conversation_or_a_rejected_row(recorded):
    stats = nothing_is_lost(recorded.project)
    assert stats["out"] >= 36
    met = Counter(event.get("fault") for event in recorded.events if event["event"] == "fault")
    arrivals = sum(event["event"] == "arrival" for event in recorded.events)
    gone = sum(event["event"] == "gone" for event in recorded.events)  # clients that timed out
    assert {"429", "500", "truncated", "empty_choices", "content_type", "reset"} == set(met) and gone > 0
    assert 0.2 < (sum(met.values()) + gone) / arrivals < 0.4


def test_no_valid_reply_is_requested_again(recorded):
    replies = Counter(event["hash"] for event in recorded.events if event["event"] == "reply")
    assert set(replies.values()) == {1}
    assert set(replies) == stored(recorded.project)


@pytest.mark.parametrize("change", [{}, {"shard_size": 7, "reverse": True}], ids=["same", "other shards, other order"])
def test_a_recorded_run_is_repeated_byte_for_byte_without_its_server(project, recorded, change):
    cache = "results/mine/teacher/cache"
    shutil.copytree(recorded.project.folder / cache, project.folder / cache)
    project.run(DATA, *configure(project, recorded.base_url, **change))
    assert (project.folder / DATA).read_bytes() == recorded.data
    assert json.loads((project.folder / DATA).with_name("stats.json").read_text())["requests"] == 0


def test_forgotten_answers_are_requested_again_by_the_same_command(project, recorded, tmp_path_factory):
    """Deleting a shard alone replays the same answers."""
    with served(tmp_path_factory.mktemp("server")) as server:
        words = configure(project, server.base_url)
        shutil.copytree(recorded.project.folder / "results", project.folder / "results", dirs_exist_ok=True)
        project.run("synthesis", *words)
        (project.folder / "results/mine/synthesis/shards/0001.jsonl").unlink()
        project.run("synthesis", *words)
        assert server.events("reply") == []
        before = stored(project)
        command = [sys.executable, "-m", "workflow_scripts.cli.main", "cache", "forget", "--shard", "1", "--yes"]
        subprocess.run([*command, "--configfile", "mine.yaml"], cwd=project.folder, check=True, env=environment())
        forgotten = before - stored(project)
        assert project.planned("synthesis", *words) == {
            "synthesize_shard": 1, "collect_synthesis": 1, "judge_conversations": 1, "synthesis": 1,
        }  # fmt: skip
        project.run("synthesis", *words)
        assert {event["hash"] for event in server.events("reply")} == forgotten > set()
    assert stored(project) == before
    assert (project.folder / DATA).read_bytes() == recorded.data


def test_hostile_replies_reject_their_rows_and_no_others(project, tmp_path_factory):
    """Nested, oversized and newline-flooded replies to every request about three of the ten subjects."""
    hostile = {"glaciers": "nested", "violins": "oversized", "beehives": "newlines"}
    words = ",".join(f"{subject}={kind}" for subject, kind in hostile.items())
    with served(tmp_path_factory.mktemp("server"), "--hostile", words) as server:
        options = configure(project, server.base_url, retries=1, timeout=20)
        file = project.folder / "mine.yaml"
        own = yaml.safe_load(file.read_text())
        own["synthesis"]["recipe"] = [
            {"path": ["amplify"], "weight": 1}
        ]  # others show a seed to the teacher with another one
        file.write_text(yaml.safe_dump(own))
        printed = project.run(DATA, *options)
    stats = nothing_is_lost(project)
    assert f"{stats['out']} conversations, rejected {stats['rejected']}" in printed
    reasons = {
        (subject, row["reason"])
        for row in rows((project.folder / DATA).with_name("rejected.jsonl"))
        for subject in SUBJECTS
        if subject in json.dumps(row["conversation"])
    }
    assert reasons == {("glaciers", "teacher_error"), ("violins", "teacher_error"), ("beehives", "bad_turn")}
    assert stats["out"] == 40 - 12
    assert not any(subject in (project.folder / DATA).read_text() for subject in hostile)


def killed_at_random(project: Project, server: Served, options: list[str]) -> list[tuple[int, set[str]]]:
    """Runs that are killed at random moments. For each kill: number of events until then, and what was on disk."""
    rng = random.Random(4)
    kills = []
    for _ in range(KILLS):
        before = len(server.events("reply"))
        project.run("--unlock", *options)
        leader = subprocess.Popen(
            project.command(DATA, *options), cwd=project.folder, start_new_session=True, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wanted, deadline = before + rng.randint(0, 18), time.monotonic() + 120
        while len(server.events("reply")) < wanted:
            assert leader.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2))
        assert leader.poll() is None, "the run was over before it could be killed"
        kill(project, leader)
        kills.append((len(server.events()), stored(project)))
    return kills


def test_killed_ten_times_no_stored_answer_is_requested_again(project, tmp_path_factory):
    options = ("--delay", "0.1", "--fault-rate", "0.3", "--faults", CHEAP_FAULTS, "--retry-after", "0.5")
    with served(tmp_path_factory.mktemp("server"), *options) as server:
        words = configure(project, server.base_url)
        project.run("results/mine/seeds/data.jsonl", *words)
        kills = killed_at_random(project, server, words)
        project.run("--unlock", *words)
        project.run(DATA, *words)
        events = server.events()

    delivered, lost = set(), set()
    for until, on_disk in kills:
        assert not on_disk & {event["hash"] for event in events[until:] if event["event"] == "arrival"}
        delivered = {event["hash"] for event in events[:until] if event["event"] == "reply"}
        assert on_disk <= delivered
        # Delivered at the moment of a kill and not stored yet: at most those in flight.
        fresh = delivered - on_disk - lost
        assert len(fresh) <= CONCURRENCY * JOBS
        lost |= fresh
    replies = Counter(event["hash"] for event in events if event["event"] == "reply")
    twice = {request for request, times in replies.items() if times > 1}
    print(
        f"{len(events)} events, {len(replies)} requests, {len(kills[-1][1])} on disk at the last kill, {len(lost)} lost in a kill, {len(twice)} asked twice"
    )
    assert twice <= lost
    assert set(replies) == stored(project)
    assert nothing_is_lost(project)["out"] >= 36


def test_ctrl_c_twice_ends_the_jobs_at_once(project, tmp_path_factory):
    """A terminal sends SIGINT to snakemake and its jobs. After the first, a job waits for answers that are paid for."""
    with served(tmp_path_factory.mktemp("server"), "--delay", "120") as server:
        words = configure(project, server.base_url, timeout=300)
        started = subprocess.Popen(
            project.command(DATA, *words), cwd=project.folder, start_new_session=True, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=interruptible,
        )  # fmt: skip
        while not server.events("arrival"):
            assert started.poll() is None
            time.sleep(0.1)
        os.killpg(started.pid, signal.SIGINT)
        time.sleep(3)
        assert alive(project), "the first did not wait"
        os.killpg(started.pid, signal.SIGINT)
        deadline = time.monotonic() + 15
        while left := alive(project):
            started.poll()
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.1)


@pytest.mark.parametrize("rate", [0.3, 1.0], ids=["some refused", "all refused"])
def test_a_key_is_sent_to_the_teacher_only(project, monkeypatch, tmp_path_factory, rate):
    """Even when error replies of the server repeat it and the openai package logs everything."""
    monkeypatch.setenv("MY_TEACHER", CANARY)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    options = ("--api-key", CANARY, "--faults", "401,500,content_type", "--fault-rate", str(rate))
    with served(tmp_path_factory.mktemp("server"), *options) as server:
        words = configure(project, server.base_url, api_key_env="MY_TEACHER", retries=1, max_failure_rate=0.99)
        printed = project.run(DATA, "--show-failed-logs", "--printshellcmds", *words, check=rate < 1)
        events = server.events("reply", "fault")
    assert {"401", "500", "content_type"} == {event["fault"] for event in events if event["event"] == "fault"}
    assert rate == 1 or nothing_is_lost(project)["out"] > 0
    assert CANARY not in printed and places_with(CANARY, project.folder) == []
    assert "MY_TEACHER" in (project.folder / "mine.yaml").read_text()


def test_a_key_that_cannot_be_sent_is_not_disclosed(project, monkeypatch, tmp_path_factory):
    """A line break in the key makes HTTP libraries raise an error that quotes it."""
    monkeypatch.setenv("MY_TEACHER", f"{CANARY}\n{CANARY}")
    with served(tmp_path_factory.mktemp("server")) as server:
        words = configure(project, server.base_url, api_key_env="MY_TEACHER", retries=0, max_failure_rate=0.0)
        printed = project.run(DATA, "--show-failed-logs", *words, check=False)
        assert server.events() == []
    assert CANARY not in printed and places_with(CANARY, project.folder) == []

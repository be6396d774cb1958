"""One tiny run through every stage: killed in synthesis and in training, resumed, replayed without its teacher."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.runs import CANARY, Project, environment, kill, places_with
from tests.support.scripted_teacher import Served, served
from tests.support.tiny_run import RESULTS, configure_all
from workflow_scripts.teacher.cache import RequestCache

DATA_STAGES = ["seeds", "synthesis", "verification", "conversations", "decontamination", "dataset"]
# Files with the same bytes in every run on the same answers.
REPLAYED = [
    "seeds/data.jsonl", "seeds/rejected.jsonl", "synthesis/data.jsonl", "synthesis/rejected.jsonl", "verification/data.jsonl",
    "conversations/data.jsonl", "decontamination/data.jsonl", "decontamination/hits.jsonl", "dataset/train.jsonl",
    "dataset/test.jsonl", "dataset/train.parquet",
]  # fmt: skip


class TinyRun:
    """A finished run: its project, options and server, what it printed, and the requests stored at the first kill."""

    def __init__(self, folder: Path, server: Served):
        self.project, self.server = Project(folder), server
        self.words = configure_all(
            self.project,
            server.base_url,
            teacher={"api_key_env": "MY_TEACHER"},
            training={"epochs": 8, "save_steps": 5},
        )
        self.results = folder / RESULTS
        self.stored_at_kill = self._killed(lambda: len(self.answers()) >= 8)
        self._killed(
            lambda: any((self.results / "training" / "capybara" / "checkpoints").glob("*/checkpoint-*/checksums.json"))
        )
        self.project.run("--unlock", *self.words)
        self.printed = self.project.run(*self.words)

    def answers(self) -> set[str]:
        """Hashes of the stored answers."""
        return set(RequestCache(self.results / "teacher" / "cache").keys())

    def _killed(self, condition: Callable[[], bool]) -> set[str]:
        """Start the run, `kill -9` it once the condition holds; returns the answers stored then."""
        shutil.rmtree(self.project.folder / ".snakemake" / "locks", ignore_errors=True)  # as --unlock does
        leader = subprocess.Popen(
            self.project.command(*self.words), cwd=self.project.folder, start_new_session=True, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while not condition():
            assert leader.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        kill(self.project, leader)
        return self.answers()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    with (
        pytest.MonkeyPatch.context() as patch,
        served(tmp_path_factory.mktemp("server"), "--delay", "0.05", "--api-key", CANARY) as server,
    ):
        patch.setenv("MY_TEACHER", CANARY)
        yield TinyRun(tmp_path_factory.mktemp("tiny"), server)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_stage_has_its_files(tiny):
    for name in (
        "report/index.html",
        "report/claims.json",
        "release/README.md",
        "release/SHA256SUMS",
        "evaluation/scores.csv",
    ):
        assert (tiny.results / name).stat().st_size > 0, name


@pytest.mark.parametrize("stage", DATA_STAGES)
def test_in_is_out_plus_rejected(tiny, stage):
    stats, rejected = (
        json.loads((tiny.results / stage / "stats.json").read_text()),
        rows(tiny.results / stage / "rejected.jsonl"),
    )
    assert stats["in"] == stats["out"] + len(rejected) > 0
    assert all({"id", "reason", "evidence", "conversation"} <= set(row) for row in rejected)


def test_no_stored_answer_was_requested_again(tiny):
    """The answers that were on disk at the kill in synthesis are not among the requests after it."""
    assert len(tiny.stored_at_kill) >= 8 and tiny.stored_at_kill < tiny.answers()
    replies = [event["hash"] for event in tiny.server.events("reply")]
    assert len(replies) - len(set(replies)) <= 8  # delivered, but not stored yet when the jobs were killed


def test_training_resumed_from_its_checkpoint(tiny):
    assert "resuming from the checkpoint of step" in tiny.printed


def test_a_second_start_has_nothing_to_do(tiny):
    assert "Nothing to be done" in tiny.project.run("--dry-run", *tiny.words)


def test_the_key_is_in_no_file(tiny):
    assert CANARY not in tiny.printed and places_with(CANARY, tiny.project.folder) == []


def test_a_replay_without_the_teacher_has_the_same_bytes(tiny, tmp_path):
    """Only the stored answers are taken along; the address leads nowhere, and no key is set."""
    project = Project(tmp_path)
    words = configure_all(project, "http://127.0.0.1:9/v1", teacher={"api_key_env": "MY_TEACHER"})
    shutil.copytree(tiny.results / "teacher" / "cache", tmp_path / RESULTS / "teacher" / "cache")
    project.run(*words, "--", "dataset")
    for name in REPLAYED:
        assert (tmp_path / RESULTS / name).read_bytes() == (tiny.results / name).read_bytes(), name


@pytest.mark.parametrize(
    ("path", "old", "new", "first", "never"),
    [
        ("workflow_scripts/synthesis/prompts/follow_up.jinja", "Now write", "Please write", "synthesize_shard", "select_seeds"),
        ("workflow_scripts/seeds/cleaning/rules.py", "RULES", "RULES ", "clean_source", "adapt_source"),
        ("config.yaml", "learning_rate: 1.0e-3", "learning_rate: 2.0e-3", "train_model", "audit_loss_mask"),
        ("config.yaml", "levels: [100, 99, 98, 97]", "levels: [100, 99, 98]", "decontaminate_conversations", "search_benchmarks"),
        ("config.yaml", "remove_at: 97", "remove_at: 99", "decontaminate_seeds", "deduplicate_seeds"),
        ("resources/pocket/benchmarks/pocket_science.jsonl", "ozone", "Ozone", "fetch_benchmark", "deduplicate_seeds"),
    ],
    ids=["prompt", "module", "learning rate", "levels", "threshold", "benchmark"],
)  # fmt: skip
def test_a_change_reruns_its_users(tiny, path, old, new, first, never):
    """`first` and what follows rerun, `never` does not."""
    file = tiny.project.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        planned = tiny.project.planned(*tiny.words)
    finally:
        file.write_text(text)
    assert first in planned and never not in planned

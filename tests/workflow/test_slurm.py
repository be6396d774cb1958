"""The slurm profile on a real SLURM cluster: jobs, resources, retries, cancelled and lost jobs, a training on two nodes."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter

import pytest
import yaml

from tests.support.runs import CONCURRENCY, Project, configure, environment, nothing_is_lost
from tests.support.scripted_teacher import served
from tests.support.slurm_cluster import Cluster, cluster, missing
from tests.support.tiny_run import RESULTS, configure_all
from tests.support.tiny_training import conversations, make_base

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "")]

# What the profile leaves to the user: here no accounts are kept, and jobs are short.
WORDS = [
    "--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5", "--jobs", "3",
]  # fmt: skip


@pytest.fixture
def slurm():
    """A cluster of its own for each test."""
    with cluster() as started:
        yield started


class Submitted:
    """A snakemake that submits, in the background."""

    def __init__(self, project: Project, *words: str):
        snakemake, *_ = project.command()
        self.log = project.folder / "head.log"
        with self.log.open("ab") as log:
            self.head = subprocess.Popen(
                [snakemake, *WORDS, *words], cwd=project.folder, env=environment(), start_new_session=True,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def finished(self, timeout: float = 1800) -> str:
        """The output; AssertionError unless it succeeded."""
        assert self.head.wait(timeout) == 0, self.printed()[-5000:]
        return self.printed()

    def kill(self) -> None:
        """`kill -9` of snakemake; its jobs keep running."""
        os.killpg(self.head.pid, signal.SIGKILL)
        self.head.wait()


def until(condition, timeout: float = 900):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.3)
    return value


def rule_of(job: dict[str, str]) -> str:
    return re.fullmatch(r"rule_(\w+?)(_wildcards_.*)?", job["Comment"])[1]


def running(slurm: Cluster, rule: str) -> list[dict[str, str]]:
    return [job for job in slurm.jobs() if job["JobState"] == "RUNNING" and rule_of(job) == rule]


def states(slurm: Cluster) -> dict[str, list[str]]:
    """States of all jobs, oldest first, by rule and wildcards."""
    found: dict[str, list[str]] = {}
    for job in slurm.jobs():
        found.setdefault(job["Comment"], []).append(job["JobState"])
    return found


def test_a_run_in_which_everything_happens_ends_complete_and_nothing_is_done_twice(project, slurm, tmp_path_factory):
    """scancel, a node drained and resumed, snakemake killed while its jobs run: one run, one result."""
    results = project.folder / RESULTS
    with served(tmp_path_factory.mktemp("server"), "--delay", "0.2") as server:
        words = configure_all(project, server.base_url)
        first = Submitted(project, *words)
        job = until(lambda: running(slurm, "synthesize_shard"))[0]
        slurm.do("scancel", job["JobId"])

        slurm.node("drain")  # jobs at work go on, others wait
        until(lambda: not any(job["JobState"] == "RUNNING" for job in slurm.jobs()))
        slurm.node("resume")

        until(lambda: running(slurm, "train_model"))
        first.kill()
        left = [job["JobId"] for job in slurm.jobs() if job["JobState"] in ("RUNNING", "PENDING")]
        assert left

        project.run("--unlock", *words)
        printed = Submitted(project, *words).finished()
        assert "SLURM jobs of an earlier start in this folder" in printed and "scancel" in printed
        replies = Counter(event["hash"] for event in server.events("reply"))

    assert (results / "report" / "index.html").is_file()
    ended = states(slurm)
    assert ended.pop(job["Comment"]) == ["CANCELLED", "COMPLETED"]
    assert {tuple(one) for one in ended.values()} == {("COMPLETED",)}
    assert sum(times > 1 for times in replies.values()) <= CONCURRENCY  # under way when their job was cancelled
    # Downloads run where snakemake was started, nothing else does.
    submitted = {rule_of(job) for job in slurm.jobs()}
    assert not [rule for rule in submitted if rule.startswith("fetch_")]
    begun = set(re.findall(r"^(?:local)?rule (\w+):", printed, re.MULTILINE))
    assert begun - submitted == {
        "all",
        "fetch_source",
        "fetch_benchmark",
        "fetch_base",
        "fetch_peer",
        "check_base",
        "fetch_task",
    }
    # Each with what its rule asks for.
    asked = {rule_of(job): (job["MinMemoryNode"], job["TimeLimit"], job["NumCPUs"]) for job in slurm.jobs()}
    assert asked["split_dataset"] == ("4000M", "01:00:00", "1")
    assert asked["train_model"] == ("6G", "01:00:00", "8")
    # A log where the README says, and SLURM's own of what failed.
    assert (results / "logs" / "train_model" / "capybara.log").stat().st_size > 0
    assert list((project.folder / ".snakemake" / "slurm_logs").rglob(f"{job['JobId']}.log"))
    assert "Nothing to be done" in project.run(*words)


def test_what_took_too_long_gets_more_time_and_goes_on_where_it_was(project, slurm, tmp_path_factory):
    """A shard is killed at its limit of a minute; the retry has two minutes and requests only unanswered prompts."""
    with served(tmp_path_factory.mktemp("server"), "--delay", "1.5") as server:
        words = configure(project, server.base_url, shard_size=40, timeout=30)
        own = project.folder / "mine.yaml"
        settings = yaml.safe_load(own.read_text())
        settings["teacher"]["resources"] = {"minutes": 1}
        own.write_text(yaml.safe_dump(settings))
        project.run("results/mine/seeds/data.jsonl", *words)  # without SLURM, which takes its time
        Submitted(project, "results/mine/synthesis/data.jsonl", *words).finished()
        replies = Counter(event["hash"] for event in server.events("reply"))
    shards = [job for job in slurm.jobs() if rule_of(job) == "synthesize_shard"]
    assert [(job["JobState"], job["TimeLimit"]) for job in shards] == [
        ("TIMEOUT", "00:01:00"),
        ("COMPLETED", "00:02:00"),
    ]
    # Only what was under way at the kill is asked again.
    assert sum(times > 1 for times in replies.values()) <= CONCURRENCY
    assert nothing_is_lost(project)["out"] >= 36


def test_what_took_too_much_memory_gets_more(project, slurm):
    resources = {"memory_gb": 0.6}  # less than torch and the embedding model take
    words = configure_all(
        project, "http://127.0.0.1:9/v1", seeds={"resources": resources, "deduplication": {"semantic_distance": 0.07}}
    )
    project.run("results/mine/seeds/unique.parquet", *words)
    Submitted(project, "results/mine/seeds/embedded.parquet", *words, "--retries", "4").finished()
    tried = [job for job in slurm.jobs() if rule_of(job) == "embed_seeds"]
    assert len(tried) > 1 and tried[-1]["JobState"] == "COMPLETED"
    assert [job["MinMemoryNode"] for job in tried] == [f"{614 * attempt}M" for attempt in range(1, len(tried) + 1)]


def test_training_on_two_nodes_is_one_job_of_two_tasks(project):
    """Its loss curve is that of one process."""
    make_base(project.folder)
    talks = [json.dumps({"conversation": row["conversation"]}) for row in conversations(40)]
    (project.folder / "talks.jsonl").write_text("\n".join(talks) + "\n")
    curves = []
    for run, training in (
        ("one", {}),
        ("two", {"launcher": "accelerate launch --multi_gpu --num_processes 2", "nodes": 2}),
    ):
        own = {
            "run": run,
            "seeds": {"sources": []},
            "conversations": {"include": [{"path": "talks.jsonl", "label": "Made", "license": "MIT", "cleaning": {"rules": []}}]},
            "verification": {"decisions": [], "queue": {"gold": {"path": None}}},
            "training": {
                "base": {"model": "./base", "revision": None}, "method": "full", "micro_batch_size": 1, "global_batch_size": 4,
                "resources": {"gpus": 0, "memory_gb": 2, "minutes": 10}, **training,
            },
        }  # fmt: skip
        (project.folder / f"{run}.yaml").write_text(yaml.safe_dump(own))
        words = ["--configfile", f"{run}.yaml"]
        trained = f"results/{run}/training/capybara/metrics.jsonl"
        if training:
            audited = f"results/{run}/training/capybara/audit.json"
            project.run(
                *words, "--", audited, audited.replace("audit", "checked")
            )  # without SLURM, which takes its time
            assert "training.nodes: 2 nodes need SLURM" in project.run(*words, "--", trained, check=False)
            with cluster(nodes=2) as slurm:
                Submitted(project, *words, "--", trained).finished()
                (job,) = slurm.jobs()
                assert (rule_of(job), job["JobState"], job["NumNodes"], job["NumTasks"]) == (
                    "train_model",
                    "COMPLETED",
                    "2",
                    "2",
                )
            log = (project.folder / f"results/{run}/logs/train_model/capybara.log").read_text()
            assert "2 processes; 4 rows per step: 1 per process, gradient accumulation 2" in log
        else:
            project.run(*words, "--", trained)
        curves.append(
            [
                row["loss"]
                for row in map(json.loads, (project.folder / trained).read_text().splitlines())
                if "loss" in row
            ]
        )
    assert len(curves[0]) > 5 and curves[1] == pytest.approx(curves[0], abs=1e-4)


def test_the_profile_for_any_scheduler(project, slurm):
    """With SLURM's submit command instead of Grid Engine's."""
    words = configure_all(project, "http://127.0.0.1:9/v1")
    profile = project.folder / "profiles" / "cluster-generic" / "profile.v9+.yaml"
    settings = yaml.safe_load(profile.read_text())
    settings["cluster-generic-submit-cmd"] = (
        "sbatch --parsable --output=/dev/null --comment=rule_{rule} --cpus-per-task={threads} --mem={resources.mem_mb} --time={resources.runtime}"
    )
    settings["cluster-generic-cancel-cmd"] = "scancel"
    profile.write_text(yaml.safe_dump(settings))
    project.run(
        "results/mine/seeds/clean/made.parquet",
        *words,
        "--workflow-profile",
        "profiles/cluster-generic",
        "--latency-wait",
        "5",
    )
    assert [(rule_of(job), job["JobState"], job["MinMemoryNode"]) for job in slurm.jobs()] == [
        ("adapt_source", "COMPLETED", "4000M"), ("clean_source", "COMPLETED", "4000M"),
    ]  # fmt: skip

"""Checks of a start that depend on the jobs to run: GPUs, nodes, a gated base model, a teacher that the jobs can reach."""

import ipaddress
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from workflow_scripts.common.types import Config
from workflow_scripts.config.gpus import Limit, job_mistakes

GATED = ("meta-llama/",)  # organisations whose models ask for a licence first; the Hub knows others only with a network
TEACHER_RULES = {
    "draw_topics",
    "synthesize_shard",
    "judge_conversations",
    "label_seeds",
    "score_seeds",
    "judge_answers",
}


def access_mistakes(rules: set[str], config: Config) -> Iterator[str]:
    """The error of a gated base model that is to be fetched from the Hub without a token."""
    from huggingface_hub import get_token

    model = config["training"]["base"]["model"]
    if "fetch_base" in rules and model.startswith(GATED) and "HF_ENDPOINT" not in os.environ and not get_token():
        yield (
            f"training.base.model: {model} is gated, and there is no token. Accept its licence on https://huggingface.co/{model}, "
            "then export HF_TOKEN or run `hf auth login`."
        )


def is_loopback(address: str | None) -> bool:
    """Whether a URL names the machine itself."""
    host = urlsplit(address or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def warn_of_loopback(rules: set[str], config: Config, on_cluster: bool) -> None:
    """Warn if jobs on other nodes are to use a teacher at an address of the machine itself."""
    teacher = config["teacher"]
    if on_cluster and teacher["kind"] == "endpoint" and is_loopback(teacher["base_url"]) and TEACHER_RULES & rules:
        logging.getLogger("snakemake").warning(
            "teacher.base_url: %s is a different machine for each job of a cluster. Use the name of the server's node "
            "(docs/cluster.md), unless a server runs on every node.",
            teacher["base_url"],
        )


def node_mistakes(rules: set[str], config: Config, on_slurm: bool) -> Iterator[str]:
    """The error of a training on several nodes without SLURM."""
    nodes = config["training"]["nodes"]
    if nodes > 1 and "train_model" in rules and not on_slurm:
        yield f"training.nodes: {nodes} nodes need SLURM. Start with `--workflow-profile profiles/slurm`, or set it to 1."


def start_mistakes(jobs: Iterable[Any], config: Config, limit: Limit, executor: str, on_cluster: bool) -> list[str]:
    """One line for each reason why these jobs of Snakemake cannot run here. `executor` is the name of Snakemake's executor."""
    jobs = list(jobs)
    rules = {job.rule.name for job in jobs}
    warn_of_loopback(rules, config, on_cluster)
    return [
        *job_mistakes(jobs, config, limit),
        *node_mistakes(rules, config, executor == "slurm"),
        *access_mistakes(rules, config),
    ]

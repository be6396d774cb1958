"""GPUs that jobs request, compared with those there are, before any job starts.

Snakemake silently caps a request at the limit of `--resources gpu=N`: eight processes would then share one GPU.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.on_gpus import list_cards, visible_cards
from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Config

SECTIONS = ("training", "evaluation", "teacher", "seeds")  # of the configuration, with `resources.gpus`


@dataclass(frozen=True)
class Limit:
    """The largest number of GPUs of a job, None for no limit, and where it comes from."""

    count: int | None
    origin: str = ""


def requested(config: Config) -> dict[str, int]:
    """The GPUs of a job by the key that sets them, where it is more than 0."""
    counts = {f"{name}.resources.gpus": config[name]["resources"]["gpus"] for name in SECTIONS}
    counts["judge.teacher.resources.gpus"] = config["judge"]["teacher"].get("resources", {}).get("gpus", 0)
    counts["training.resources.gpus"] *= config["training"]["nodes"]
    return {key: count for key, count in counts.items() if count}


def of_this_machine(stated: int | None) -> Limit:
    """The GPUs that jobs on this machine may use. `stated` is the number of `--resources gpu=N`.

    nvidia-smi lists NVIDIA's only; where it is not installed, the stated number counts. UserError if nvidia-smi fails.
    """
    cards = list_cards()
    if cards is None:
        here = "nvidia-smi is not installed; state the number of other GPUs with `--resources gpu=N`"
        return Limit(stated or 0, "`--resources gpu`" if stated else here)
    visible = len(visible_cards(cards, os.environ))
    if stated is not None and stated < visible:
        return Limit(stated, "`--resources gpu`")
    return Limit(visible, "nvidia-smi, CUDA_VISIBLE_DEVICES")


def set_limit(workflow: Any, config: Config) -> Limit:
    """Limit the concurrent jobs of this machine by its GPUs, and return the limit of a job.

    A dry run is not limited: it prints what jobs request, and warns if this machine has fewer. Nor is a cluster, except by
    the profile's own `resources: [gpu=N]`. UserError if nvidia-smi fails.
    """
    if not workflow.is_main_process:
        return Limit(None)
    resources, needed = workflow.global_resources, requested(config)
    stated = resources.get("gpu").value
    on_cluster = workflow.resource_settings.nodes is not None
    limit = Limit(stated, "`resources: [gpu=…]` of the profile")
    if needed and not on_cluster:
        limit = of_this_machine(stated)
    if workflow.output_settings.dryrun:
        resources["gpu"] = None
        lacking = [f"{key} ({count})" for key, count in needed.items() if count > (limit.count or 0)]
        if lacking and not on_cluster:
            logging.getLogger("snakemake").warning(
                "Found here: %s (%s). A start would stop before jobs that need more: %s.",
                counted(limit.count or 0, "GPU"),
                limit.origin,
                ", ".join(lacking),
            )
    elif needed and not on_cluster:
        resources["gpu"] = limit.count
    return limit


def job_mistakes(jobs: Iterable[Any], config: Config, limit: Limit) -> Iterator[str]:
    """One line for each key that makes Snakemake's jobs require more GPUs than the limit, the largest number first."""
    rules: dict[int, list[str]] = {}  # by number of GPUs
    for job in jobs if limit.count is not None else ():
        gpus = job.rule.resources.get("gpu")  # not `job.resources`, where it is capped
        count = job.resources.get("gpu", 0) if gpus.is_evaluable() else gpus.value or 0
        if isinstance(count, int) and count > (limit.count or 0) and job.rule.name not in rules.setdefault(count, []):
            rules[count].append(job.rule.name)
    keys = {count: key for key, count in reversed(requested(config).items())}
    for count, names in sorted(rules.items(), reverse=True):
        more = f" and {counted(len(names) - 1, 'other rule')} require" if len(names) > 1 else " requires"
        yield (
            f"{keys.get(count, 'resources.gpus')}: {names[0]}{more} {counted(count, 'GPU')}. Found: {limit.count} ({limit.origin}). "
            "Start on a machine with enough, lower `gpus`, or stop earlier: every stage is a target, such as `snakemake dataset`."
        )

"""The section about the run itself: configuration, versions, machine, time and cost."""

from pathlib import Path

import yaml

from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.report.cost import Cost, format_duration
from workflow_scripts.teacher.budget import Ledger

RECORD = "run.json"  # written by config/record.py, which is not imported: its changes need not rerun the report


def section(folder: Path, cost: Cost, synthesis: Row | None) -> Row:
    """Values for run.html.jinja. `folder` is the run's folder, `synthesis` the statistics of the synthesis stage, if it ran.

    A run that was not started by Snakemake has no run.json.
    """
    path = folder / RECORD
    record = read_json(path) if path.is_file() else None
    return {
        "record": record,
        "differs": [(key, _text(old), _text(new)) for key, (old, new) in record["differs"].items()] if record else [],
        "config": yaml.safe_dump(record["config"], sort_keys=False, allow_unicode=True, width=100) if record else "",
        "in_jobs": format_duration(cost.seconds),
        "busy": format_duration(cost.busy),
        "jobs": cost.jobs,
        "teacher": teacher_cost(folder, record, synthesis),
        "models": record["config"]["training"]["models"] if record else None,
    }


def _text(value: object) -> str:
    """A configuration value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def teacher_cost(folder: Path, record: Row | None, synthesis: Row | None) -> Row | None:
    """Tokens and money spent on the teacher by all jobs of this run, failed jobs included; None without a teacher."""
    tokens, money = Ledger(folder / "teacher" / "cache" / "ledger").spent()
    if not tokens and not synthesis:
        return None
    price = record["config"]["teacher"]["price"] if record else None
    priced = bool(price and (price["input"] or price["output"]))
    return {"tokens": tokens, "money": money, "currency": price["currency"] if price else "", "priced": priced}

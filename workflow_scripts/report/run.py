"""What the page tells of the run itself: configuration, versions, machine, time, money."""

from pathlib import Path

import yaml

from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.report.cost import Cost, spoken
from workflow_scripts.teacher.budget import Ledger

RECORD = "run.json"  # of config/record.py, which is not imported: a page does not depend on how a start is recorded


def section(folder: Path, cost: Cost, teacher_asked: Row | None) -> Row:
    """All that run.html.jinja shows. A run that was not started by Snakemake has no record, and then says so."""
    path = folder / RECORD
    written = read_json(path) if path.is_file() else None
    return {
        "record": written,
        "differs": [(key, _text(old), _text(new)) for key, (old, new) in written["differs"].items()] if written else [],
        "config": yaml.safe_dump(written["config"], sort_keys=False, allow_unicode=True, width=100) if written else "",
        "in_jobs": spoken(cost.seconds),
        "busy": spoken(cost.busy),
        "jobs": cost.jobs,
        "teacher": spent(folder, written, teacher_asked),
        "models": written["config"]["training"]["models"] if written else None,
    }


def _text(value: object) -> str:
    """A value of the configuration on one line, as YAML writes it."""
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def spent(folder: Path, written: Row | None, asked: Row | None) -> Row | None:
    """Tokens and money that the teacher took, over all jobs of this run's folder, failed ones included; None if none was asked."""
    tokens, money = Ledger(folder / "synthesis" / "cache" / "ledger").spent()
    if not tokens and not asked:
        return None
    price = written["config"]["teacher"]["price"] if written else None
    priced = bool(price and (price["input"] or price["output"]))
    return {"tokens": tokens, "money": money, "currency": price["currency"] if price else "", "priced": priced}

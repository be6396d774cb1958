"""Time and memory by rule, from the benchmark files that Snakemake writes for every job."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.types import Row
from workflow_scripts.report import figures

OWN_RULE = "render_report"  # its benchmark file is from an earlier run of the rule
MAX_RULES_IN_FIGURE = 14  # the table lists all rules


@dataclass
class Rule:
    """Totals over the jobs of a rule: count, wall-clock seconds, CPU seconds; and the highest memory of a job in MiB."""

    name: str
    jobs: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0


@dataclass
class Cost:
    """All rules, slowest first. `busy` is the time during which at least one job ran, in seconds, from file timestamps."""

    rules: list[Rule]
    busy: float

    @property
    def seconds(self) -> float:
        return sum(rule.seconds for rule in self.rules)

    @property
    def jobs(self) -> int:
        return sum(rule.jobs for rule in self.rules)


def _number(text: str | None) -> float:
    """A cell as a number; 0 for `-` or `NA`, which Snakemake writes for jobs too short to measure."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def read(folder: Path) -> Cost:
    """Cost of the last run of every job, from the benchmark files `RULE.tsv` or `RULE/JOB.tsv` below a folder."""
    rules: dict[str, Rule] = {}
    spans = []
    for path in sorted(folder.rglob("*.tsv")):
        name = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if name == OWN_RULE:
            continue
        rule = rules.setdefault(name, Rule(name))
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        taken = sum(_number(row.get("s")) for row in rows)
        rule.jobs += 1
        rule.seconds += taken
        rule.cpu += sum(_number(row.get("cpu_time")) for row in rows)
        rule.peak = max([rule.peak, *(_number(row.get("max_rss")) for row in rows)])
        ended = path.stat().st_mtime
        spans.append((ended - taken, ended))
    return Cost(sorted(rules.values(), key=lambda rule: (-rule.seconds, rule.name)), union_seconds(spans))


def union_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of (start, end) intervals."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def format_duration(seconds: float) -> str:
    """A duration in its two largest units: 3 h 12 min, 2 min 19 s, 7.4 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def format_memory(mebibytes: float) -> str:
    """Memory in MiB, or in GiB from 1024 MiB on."""
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.0f} MiB"


def section(cost: Cost) -> Row:
    """Values for cost.html.jinja: figures of time and memory, and the table of all rules."""
    slow = cost.rules[:MAX_RULES_IN_FIGURE]
    large = sorted(cost.rules, key=lambda rule: (-rule.peak, rule.name))[:MAX_RULES_IN_FIGURE]
    return {
        "figures": [
            figures.bar_chart(
                "seconds-by-rule",
                "Total time by rule, in seconds",
                {rule.name: rule.seconds for rule in slow},
                "total time of all jobs, s",
                {rule.name: format_duration(rule.seconds) for rule in slow},
            ),
            figures.bar_chart(
                "memory-by-rule",
                "Highest memory of a job by rule, in MiB",
                {rule.name: rule.peak for rule in large},
                "highest memory of a job, MiB",
                {rule.name: format_memory(rule.peak) for rule in large},
            ),
        ]
        if cost.rules
        else [],
        "rows": [
            (rule.name, rule.jobs, format_duration(rule.seconds), format_duration(rule.cpu), format_memory(rule.peak))
            for rule in cost.rules
        ],
        "seconds": format_duration(cost.seconds),
    }

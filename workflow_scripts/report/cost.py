"""Time and memory by rule, from the benchmark files that Snakemake leaves of every job."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.types import Row
from workflow_scripts.report import figures

OWN = "render_report"  # its file is of an earlier page
SHOWN = 14  # rules in a picture; the table has all


@dataclass
class Rule:
    """One rule's jobs: how many, their seconds in sum, seconds of processors, and the highest memory of one, in MiB."""

    name: str
    jobs: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0


@dataclass
class Cost:
    """All rules, slowest first. `busy` counts the seconds in which at least one job ran, by the files' time stamps."""

    rules: list[Rule]
    busy: float

    @property
    def seconds(self) -> float:
        return sum(rule.seconds for rule in self.rules)

    @property
    def jobs(self) -> int:
        return sum(rule.jobs for rule in self.rules)


def _number(text: str | None) -> float:
    """A cell as a number; a job of an instant has `-` or `NA` for what could not be measured."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def read(folder: Path) -> Cost:
    """What the benchmark files below a folder tell: `RULE.tsv`, or one a job below `RULE/`, of the last time that it ran."""
    rules: dict[str, Rule] = {}
    spans = []
    for path in sorted(folder.rglob("*.tsv")):
        name = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if name == OWN:
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
    return Cost(sorted(rules.values(), key=lambda rule: (-rule.seconds, rule.name)), covered(spans))


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def spoken(seconds: float) -> str:
    """A time in the two units that matter: 3 h 12 min, 2 min 19 s, 7.4 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def memory(mebibytes: float) -> str:
    """Memory in GiB or MiB."""
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.0f} MiB"


def section(cost: Cost) -> Row:
    """What cost.html.jinja shows: pictures of time and of memory, and the table of all rules."""
    slow = cost.rules[:SHOWN]
    large = sorted(cost.rules, key=lambda rule: (-rule.peak, rule.name))[:SHOWN]
    return {
        "pictures": [
            figures.bars(
                "seconds-by-rule",
                "Seconds of all jobs, by rule",
                {rule.name: rule.seconds for rule in slow},
                "seconds of all jobs",
                {rule.name: spoken(rule.seconds) for rule in slow},
            ),
            figures.bars(
                "memory-by-rule",
                "Highest memory of one job, by rule",
                {rule.name: rule.peak for rule in large},
                "highest memory of one job, MiB",
                {rule.name: memory(rule.peak) for rule in large},
            ),
        ]
        if cost.rules
        else [],
        "rows": [
            (rule.name, rule.jobs, spoken(rule.seconds), spoken(rule.cpu), memory(rule.peak)) for rule in cost.rules
        ],
        "seconds": spoken(cost.seconds),
    }

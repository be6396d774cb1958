"""What the page tells of the experts: error rates beside the published one, agreement, the reviewers, and what is left."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.report.figures import WIDTH
from workflow_scripts.report.svg import GRID, TRAIN, Picture, inline, label, plt


def section(stats: Path) -> Row:
    """The statistics of the stage, the rates in the order of the page's table, and their picture if there is a rate."""
    told = read_json(stats)
    rates = told["error_rates"]
    groups = [("all", "all items", rates["all"])]
    groups += [
        (kind, name, rate) for kind in ("field", "source", "topic") for name, rate in rates[f"by_{kind}"].items()
    ]
    shown = [(name, rate) for kind, name, rate in groups if kind in ("all", "field") and rate["n"]]
    return {
        "stats": told,
        "rates": [{"kind": kind, "name": name, **rate} for kind, name, rate in groups if rate["n"]],
        "picture": error_rates(shown, rates["published"]) if shown else None,
    }


def error_rates(rates: list[tuple[str, Row]], published: dict[str, Any]) -> Picture:
    """Each rate as a dot with its interval, over the published span."""
    figure, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.36 * len(rates)), layout="constrained")
    axes.axvspan(100 * published["low"], 100 * published["high"], color=GRID, lw=0, label="published")
    for place, (_, rate) in enumerate(rates):
        low, middle, high = (100 * rate[name] for name in ("low", "rate", "high"))
        axes.plot([low, high], [place, place], color=TRAIN, lw=2)
        axes.plot(middle, place, "o", color=TRAIN)
    axes.set_yticks(range(len(rates)), [f"{label(name)} ({rate['n']})" for name, rate in rates])
    axes.set_ylim(len(rates) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("items with at least a minor error, %")
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right")
    alt = "Share of faulty items with its 95 % interval, beside the published span"
    links = [("stats.json", "../verification/stats.json")]
    return Picture(inline(figure, "error-rates", alt), alt, links=links)

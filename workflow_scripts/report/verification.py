"""The verification section: error rates compared with the published one, agreement, reviewers, and open items."""

from pathlib import Path

from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.report.figures import WIDTH
from workflow_scripts.report.svg import GRID, TRAIN, Figure, inline, label, plt


def section(path: Path) -> Row:
    """Values for verification.html.jinja: statistics, error rates in table order, and their figure if there is a rate."""
    stats = read_json(path)
    rates = stats["error_rates"]
    groups = [("all", "all items", rates["all"])]
    groups += [
        (kind, name, rate) for kind in ("field", "source", "topic") for name, rate in rates[f"by_{kind}"].items()
    ]
    drawn = [(name, rate) for kind, name, rate in groups if kind in ("all", "field") and rate["n"]]
    return {
        "stats": stats,
        "rates": [{"kind": kind, "name": name, **rate} for kind, name, rate in groups if rate["n"]],
        "figure": error_rate_figure(drawn, rates["published"]) if drawn else None,
    }


def error_rate_figure(rates: list[tuple[str, Row]], published: Row) -> Figure:
    """Each error rate with its 95 % interval, over the published range."""
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
    alt = "Share of faulty items with 95 % intervals, compared with the published range"
    links = [("stats.json", "../verification/stats.json")]
    return Figure(inline(figure, "error-rates", alt), alt, links=links)

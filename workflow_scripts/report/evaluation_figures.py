"""The figures of the evaluation: scores of every suite, task and model, published scores, and paired differences."""

from typing import Any

from workflow_scripts.common.types import Row
from workflow_scripts.report.figures import WIDTH
from workflow_scripts.report.svg import BASE, GRID, HELD_OUT, LINE, PAPER, SERIES, SOFT, Figure, inline, label, plt

MARKERS = {"V1": ("D", HELD_OUT, "Capybara-7B V1, published"), "Llama-2-7B": ("s", SOFT, "Llama-2-7B, published")}


def score_figures(lines: list[Row], models: list[str], trained: list[str]) -> list[Figure]:
    """Two figures: scores with one standard error and published scores, in percent; and differences from the base model
    in percentage points with 95 % intervals, filled if significant.

    Args:
        lines: {label, bold, models: {model: {value, stderr}}, differences: {model: {difference, low, high, beyond_noise}},
            published: {name: value}}, from top to bottom.
        models: names, the base model and the peers included.
        trained: names of the models whose differences are drawn.
    """
    others = [model for model in models if model != "base"]
    colour = {"base": BASE, **{model: SERIES[number % len(SERIES)] for number, model in enumerate(others)}}
    return [_scores(lines, models, colour), _differences(lines, trained, colour)]


def _axes(lines: list[Row]) -> tuple[Any, Any]:
    """A matplotlib figure and its axes with one line per row, the first on top."""
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.36 * len(lines)), layout="constrained")
    axes.set_yticks(range(len(lines)), [label(line["label"], 30) for line in lines])
    for text, line in zip(axes.get_yticklabels(), lines, strict=True):
        text.set_fontweight("bold" if line["bold"] else "normal")
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.tick_params(left=False)
    return figure, axes


def _positions(number: int, count: int, lines: list[Row]) -> list[tuple[float, Row]]:
    """Each line with the y position of model `number` of `count` models."""
    shift = 0.18 * (number - (count - 1) / 2)
    return [(place + shift, line) for place, line in enumerate(lines)]


def _scores(lines: list[Row], models: list[str], colour: dict[str, str]) -> Figure:
    figure, axes = _axes(lines)
    for number, model in enumerate(models):
        points = [
            (y, line["models"][model])
            for y, line in _positions(number, len(models), lines)
            if line["models"].get(model)
        ]
        axes.errorbar(
            [row["value"] for _, row in points], [y for y, _ in points], xerr=[row["stderr"] or 0 for _, row in points],
            fmt="o", ms=5, capsize=2, color=colour[model], label=label(model, 24),
        )  # fmt: skip
    for name, (marker, shade, text) in MARKERS.items():
        points = [(place, line["published"][name]) for place, line in enumerate(lines) if name in line["published"]]
        if points:
            axes.plot(
                [value for _, value in points], [y for y, _ in points], marker, ms=6, mfc="none", mec=shade, label=text
            )
    axes.set_xlabel("score, %, with one standard error")
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2)
    alt = "Scores of every suite and task, in percent, with one standard error"
    return Figure(inline(figure, "scores", alt), alt, links=[("scores.csv", "../evaluation/scores.csv"), ("averages.csv", "../evaluation/averages.csv")])  # fmt: skip


def _differences(lines: list[Row], trained: list[str], colour: dict[str, str]) -> Figure:
    figure, axes = _axes(lines)
    for number, model in enumerate(trained):
        named = False
        for y, line in _positions(number, len(trained), lines):
            row = line["differences"].get(model)
            if row is None or row["low"] is None:
                continue
            ends = [[100 * (row["difference"] - row["low"])], [100 * (row["high"] - row["difference"])]]
            axes.errorbar(
                [100 * row["difference"]], [y], xerr=ends, fmt="o", ms=5, capsize=2, color=colour[model],
                mfc=colour[model] if row["beyond_noise"] else PAPER, label=None if named else label(model, 24),
            )  # fmt: skip
            named = True
    axes.axvline(0, color=LINE, lw=0.8)
    axes.set_xlabel("tuned − base, percentage points, 95 % interval")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, frameon=False, loc="outside upper right", ncols=2)
    alt = "Difference of every suite and task from the base model, in percentage points, with 95 % intervals"
    return Figure(inline(figure, "differences", alt), alt, links=[("comparisons.csv", "../evaluation/comparisons.csv"), ("suite_comparisons.csv", "../evaluation/suite_comparisons.csv")])  # fmt: skip

"""The figures of the report: bar charts of counts and shares, and loss curves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Row
from workflow_scripts.report.svg import BASE, GRID, HELD_OUT, LINE, PAPER, SERIES, TRAIN, Figure, inline, label, plt

WIDTH = 4.3  # inches: about the width of a phone screen
MAX_BARS = 30


def bar_chart(
    name: str, alt: str, counts: Mapping[str, float], axis: str, texts: Mapping[str, str] | None = None, **more: Any
) -> Figure:
    """One bar per name, the first on top, labelled with its number or its entry in `texts`.

    Names beyond the first `MAX_BARS` share one bar.
    """
    if len(counts) > MAX_BARS:
        rest = list(counts)[MAX_BARS:]
        counts = {key: counts[key] for key in list(counts)[:MAX_BARS]} | {
            counted(len(rest), "other"): sum(counts[key] for key in rest)
        }
    names = list(counts)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.65 + 0.27 * max(len(names), 1)), layout="constrained")
    bars = axes.barh(range(len(names)), list(counts.values()), 0.68, color=TRAIN)
    labels = [(texts or {}).get(name, f"{counts[name]:,}") for name in names]
    axes.bar_label(bars, labels, padding=3)
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(axis)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.2)
    axes.tick_params(left=False)
    rows = [[name, text] for name, text in zip(names, labels, strict=True)]
    return Figure(inline(figure, name, alt), alt, ("", axis), rows, **more)


def share_chart(name: str, alt: str, ours: Mapping[str, float], published: Mapping[str, float], **more: Any) -> Figure:
    """Share of each source in this run and in the released file, in percent, largest published share on top."""
    names = sorted({*ours, *published}, key=lambda name: (-published.get(name, 0), -ours.get(name, 0), name))
    places = range(len(names))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.36 * len(names)), layout="constrained")
    for shift, values, colour, text in ((-0.18, ours, TRAIN, "this run"), (0.18, published, BASE, "released file")):
        axes.barh(
            [place + shift for place in places], [values.get(name, 0) for name in names], 0.34, color=colour, label=text
        )
    axes.set_yticks(places, [label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("% of the conversations")
    axes.tick_params(left=False)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2)
    rows = [
        [name, *(f"{values[name]:.1f} %" if name in values else "–" for values in (ours, published))] for name in names
    ]
    return Figure(inline(figure, name, alt), alt, ("source", "this run", "released file"), rows, **more)


def loss_curve(name: str, metrics: Sequence[Row], **more: Any) -> Figure:
    """Training loss, loss on held-out conversations, and learning rate by optimiser step."""
    steps = [row for row in metrics if "loss" in row]
    held_out = [row for row in metrics if "eval_loss" in row]
    rates = [row for row in steps if "learning_rate" in row]
    figure, (axes, below) = plt.subplots(
        2, 1, figsize=(WIDTH, 3.6), layout="constrained", sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    axes.plot(
        [row["step"] for row in steps], [float(row["loss"]) for row in steps], color=TRAIN, lw=1.5, label="training"
    )
    axes.plot(
        [row["step"] for row in held_out], [float(row["eval_loss"]) for row in held_out], color=HELD_OUT, marker="o",
        ms=4, ls="--", label="held-out conversations",
    )  # fmt: skip
    axes.set_ylabel("loss, nats per token")
    below.plot([row["step"] for row in rates], [float(row["learning_rate"]) for row in rates], color=BASE, lw=1.5)
    below.set_ylabel("learning\nrate")
    below.set_xlabel("optimiser step")
    below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    below.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    for part in (axes, below):
        part.grid(axis="y", color=GRID)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2)
    alt = "Training loss, loss on held-out conversations and learning rate by optimiser step"
    return Figure(inline(figure, name, alt), alt, **more)


def exchange_losses(name: str, rows: Sequence[Row], **more: Any) -> Figure:
    """The paired difference of each trained model's loss from the base model's, by exchange, with 95 % intervals.

    A point without an interval (fewer than three conversations) is open.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    exchanges = list(dict.fromkeys(row["exchange"] for row in rows))
    exchanges.sort(key=lambda number: math.inf if number is None else number)
    figure, axes = plt.subplots(figsize=(WIDTH, 2.6), layout="constrained")
    for number, model in enumerate(models):
        shift = 0.16 * (number - (len(models) - 1) / 2)
        for row in (row for row in rows if row["model"] == model):
            low, high = ((row[end] if row[end] is not None else row["difference"]) for end in ("low", "high"))
            axes.errorbar(
                exchanges.index(row["exchange"]) + shift, row["difference"], fmt="o", ms=5, capsize=3,
                yerr=[[row["difference"] - low], [high - row["difference"]]], color=SERIES[number % len(SERIES)],
                mfc=SERIES[number % len(SERIES)] if row["low"] is not None else PAPER,
                label=label(model) if row["exchange"] is None else None,
            )  # fmt: skip
    axes.axhline(0, color=LINE, lw=0.8)
    axes.set_xticks(range(len(exchanges)), ["all" if number is None else str(number) for number in exchanges])
    axes.set_xlim(-0.6, len(exchanges) - 0.4)
    axes.set_xlabel("exchange of the conversation")
    axes.set_ylabel("tuned − base, nats per token")
    axes.grid(axis="y", color=GRID)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=3)
    alt = "Difference of the loss on held-out answers from the base model's, by exchange, with 95 % intervals"
    return Figure(inline(figure, name, alt), alt, **more)

"""The report's pictures, as SVG to stand inside the page."""

import io
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

Row = dict[str, Any]

# Labels come from data sets: they are text, never formulas. The salt makes the same picture give the same bytes.
plt.rcParams.update(
    {
        "text.parse_math": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "capybara",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
TRAIN, HELD_OUT, BASE = "#b5651d", "#2b6cb0", "#8a8a8a"


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def loss_curve(metrics: list[Row]) -> str:
    """Training loss at each step, and the loss on held-out conversations where it was measured."""
    steps = [row for row in metrics if "loss" in row]
    held_out = [row for row in metrics if "eval_loss" in row]
    figure, axes = plt.subplots(figsize=(7, 3))
    axes.plot(
        [row["step"] for row in steps], [float(row["loss"]) for row in steps], color=TRAIN, lw=1.5, label="training"
    )
    axes.plot(
        [row["step"] for row in held_out],
        [float(row["eval_loss"]) for row in held_out],
        color=HELD_OUT,
        marker="o",
        ls="--",
        label="held-out conversations",
    )
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("loss (nats a token)")
    axes.legend(frameon=False)
    return _svg(figure)


def composition(counts: dict[str, int]) -> str:
    """Conversations of each source, largest on top."""
    names = sorted(counts, key=lambda name: (counts[name], name))
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.32 * len(names)))
    bars = axes.barh([name[:40] for name in names], [counts[name] for name in names], color=TRAIN)
    axes.bar_label(bars, padding=3)
    axes.set_xlabel("conversations")
    return _svg(figure)


def scores(rows: list[Row]) -> str:
    """Each task's score of each model with one standard error to both sides. Rows: task, metric, model, value, stderr."""
    tasks = list(dict.fromkeys(f"{row['task']} ({row['metric']})" for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.5 * len(tasks)))
    for number, model in enumerate(models):
        mine = {f"{row['task']} ({row['metric']})": row for row in rows if row["model"] == model}
        places = [y + 0.22 * (number - (len(models) - 1) / 2) for y, task in enumerate(tasks) if task in mine]
        axes.errorbar(
            [mine[task]["value"] for task in tasks if task in mine],
            places,
            xerr=[mine[task]["stderr"] or 0 for task in tasks if task in mine],
            fmt="o",
            capsize=3,
            label=model,
            color=BASE if model == "base" else TRAIN,
        )
    axes.set_yticks(range(len(tasks)), tasks)
    axes.invert_yaxis()
    axes.set_xlabel("score, with one standard error")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure)

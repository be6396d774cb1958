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


def composition(counts: dict[str, int], unit: str = "conversations") -> str:
    """Rows of each source, largest on top."""
    names = sorted(counts, key=lambda name: (counts[name], name))
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.32 * len(names)))
    _bars(axes, {name: counts[name] for name in names}, unit)
    return _svg(figure)


def shares(ours: dict[str, float], published: dict[str, float]) -> str:
    """Percent of each source in this run and in the released file, largest published share on top."""
    names = sorted({*ours, *published}, key=lambda name: (published.get(name, 0), ours.get(name, 0), name))
    places = range(len(names))
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.4 * len(names)))
    axes.barh([y + 0.19 for y in places], [ours.get(name, 0) for name in names], 0.36, color=TRAIN, label="this run")
    axes.barh(
        [y - 0.19 for y in places], [published.get(name, 0) for name in names], 0.36, color=BASE, label="released file"
    )
    axes.set_yticks(places, [name[:40] for name in names])
    axes.set_xlabel("% of the rows")
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def seed_labels(stats: Row) -> str:
    """Seeds by skill (three a seed), domain, difficulty and length, a panel each."""
    figure, axes = plt.subplots(
        2, 2, figsize=(9.5, 6.4), gridspec_kw={"height_ratios": [12, 10], "wspace": 0.65, "hspace": 0.35}
    )
    skills, domains, difficulties = (stats[name] for name in ("per_skill", "per_domain", "per_difficulty"))
    _bars(axes[0, 0], dict(reversed(skills.items())), "seeds with the skill")
    _bars(axes[0, 1], dict(reversed(domains.items())), "seeds of the domain")
    _bars(axes[1, 0], dict(reversed(difficulties.items())), "seeds of the difficulty")
    _bars(axes[1, 1], dict(reversed(stats["per_length"].items())), "seeds by characters of request and context")
    return _svg(figure)


def _bars(axes: Any, counts: dict[str, int], label: str) -> None:
    bars = axes.barh([name[:40] for name in counts], list(counts.values()), color=TRAIN)
    axes.bar_label(bars, padding=3)
    axes.set_xlabel(label)
    axes.margins(x=0.12)

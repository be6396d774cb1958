"""The evaluation's picture: every suite and task, every model, the published rows, and the paired differences."""

from typing import Any

from workflow_scripts.report.figures import BASE, HELD_OUT, TRAIN, _svg, plt

Row = dict[str, Any]

COLOURS = (TRAIN, "#2f855a", "#805ad5", "#b83280", "#c05621")
MARKERS = {"V1": ("D", HELD_OUT, "Capybara-7B V1, published"), "Llama-2-7B": ("s", "#4a5568", "Llama-2-7B, published")}


def glance(lines: list[Row], models: list[str]) -> str:
    """Left: scores in percent with one standard error, and published ones. Right: differences to the base model with 95 %
    intervals, filled where beyond noise.

    Lines: {label, bold, models: {model: {value, stderr}}, differences: {model: {difference, low, high, beyond_noise}}, published}.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.5, 1.2 + 0.42 * len(lines)), sharey=True, gridspec_kw={"width_ratios": [3, 2], "wspace": 0.06}
    )
    trained = [model for model in models if model != "base"]
    colour = {"base": BASE, **{model: COLOURS[number % len(COLOURS)] for number, model in enumerate(trained)}}
    for number, model in enumerate(models):
        shift = 0.18 * (number - (len(models) - 1) / 2)
        held = [(place + shift, line["models"][model]) for place, line in enumerate(lines) if line["models"].get(model)]
        left.errorbar(
            [row["value"] for _, row in held], [place for place, _ in held], xerr=[row["stderr"] or 0 for _, row in held],
            fmt="o", ms=5, capsize=2, color=colour[model], label=model,
        )  # fmt: skip
    for name, (marker, shade, label) in MARKERS.items():
        held = [(place, line["published"][name]) for place, line in enumerate(lines) if name in line["published"]]
        if held:
            left.plot(
                [value for _, value in held],
                [place for place, _ in held],
                marker,
                ms=6,
                mfc="none",
                mec=shade,
                label=label,
            )
    for number, model in enumerate(trained):
        shift = 0.18 * (number - (len(trained) - 1) / 2)
        for place, line in enumerate(lines):
            row = line["differences"].get(model)
            if row is None or row["low"] is None:
                continue
            ends = [[100 * (row["difference"] - row["low"])], [100 * (row["high"] - row["difference"])]]
            right.errorbar(
                [100 * row["difference"]], [place + shift], xerr=ends, fmt="o", ms=5, capsize=2, color=colour[model],
                mfc=colour[model] if row["beyond_noise"] else "white",
            )  # fmt: skip
    left.set_yticks(range(len(lines)), [line["label"][:48] for line in lines])
    for text, line in zip(left.get_yticklabels(), lines, strict=True):
        text.set_fontweight("bold" if line["bold"] else "normal")
    left.set_ylim(len(lines) - 0.5, -0.5)
    left.set_xlabel("score, %, with one standard error")
    right.set_xlabel("less base, points, 95 % interval")
    right.axvline(0, color="#999999", lw=0.8)
    right.tick_params(left=False)
    for axes in (left, right):
        axes.grid(axis="y", color="#eeeeee", lw=0.8)
        axes.set_axisbelow(True)
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="lower center",
        bbox_to_anchor=(0.45, 1.0 if len(lines) < 4 else 0.9),
        ncols=4,
        frameon=False,
    )
    return _svg(figure)

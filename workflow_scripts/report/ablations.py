"""The trained models side by side: what each was trained on, what it learnt, how it scores."""

from pathlib import Path

from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.common.types import Row


def trained(metrics: Path) -> Row:
    """Steps, tokens a second and held-out loss before and after, from a model's metrics.

    Trainers count time from where they were last started, so the rate of a resumed training is too high.
    """
    rows = list(read_jsonl(metrics))
    held_out = [float(row["eval_loss"]) for row in rows if "eval_loss" in row]
    tokens = max((float(row.get("num_tokens", 0)) for row in rows), default=0.0)
    runtime = next((float(row["train_runtime"]) for row in rows if "train_runtime" in row), None)
    return {
        "steps": max((row["step"] for row in rows), default=0),
        "epochs": max((row.get("epoch", 0) for row in rows), default=0),
        "tokens": tokens,
        "seconds": runtime,
        "tokens_per_second": tokens / runtime if runtime else None,
        "before": held_out[0] if held_out else None,
        "after": held_out[-1] if held_out else None,
    }


def section(models: list[Row], exchanges: list[Row], evaluation: Row, settings: dict[str, Row | None] | None) -> Row:
    """What ablations.html.jinja shows. `models` hold name, audit, statistics of the selection, and what `trained` gives;
    `settings` is `training.models` of the configuration, None where no record of it is left.
    """
    whole = {row["model"]: row for row in exchanges if row["exchange"] is None}
    return {
        "models": [
            {
                **model,
                "setting": ", ".join(f"{key}: {value}" for key, value in ((settings or {}).get(model["name"]) or {}).items())
                or "nothing",
                "held_out": whole.get(model["name"]),
            }
            for model in models
        ],
        "suites": evaluation["suites"],
    }  # fmt: skip

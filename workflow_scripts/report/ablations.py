"""The trained models side by side: training data, losses and scores."""

from pathlib import Path

from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.common.types import Row


def training_summary(metrics: Path) -> Row:
    """Steps, epochs, tokens, seconds, tokens per second, and held-out loss before and after, from metrics.jsonl.

    The trainer measures time from its last start, so tokens per second are too high if training was resumed.
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
    """Values for ablations.html.jinja.

    Args:
        models: name, audit, statistics of the selection, and `training_summary` of each model.
        exchanges: losses by exchange, of which only the rows over all exchanges are used.
        evaluation: the values of `evaluation.section`.
        settings: `training.models` of the configuration, or None if run.json does not exist.
    """
    all_exchanges = {row["model"]: row for row in exchanges if row["exchange"] is None}
    return {
        "models": [
            {
                **model,
                "setting": ", ".join(f"{key}: {value}" for key, value in ((settings or {}).get(model["name"]) or {}).items())
                or "none",
                "held_out": all_exchanges.get(model["name"]),
            }
            for model in models
        ],
        "suites": evaluation["suites"],
    }  # fmt: skip

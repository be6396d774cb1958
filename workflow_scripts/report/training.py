"""The training section: loss mask audit, one sample, loss curves, and losses by exchange."""

from pathlib import Path

from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation.exchanges import compare_losses
from workflow_scripts.report import ablations, figures


def section(audits: list[Path], metrics: list[Path], losses: list[Path]) -> Row:
    """Values for training.html.jinja and exchanges.html.jinja. `losses` are of the base model, then of each trained model."""
    models = [
        {
            "name": (name := path.parent.name),
            "audit": read_json(audit),
            "curve": figures.loss_curve(
                f"loss-{name}", list(read_jsonl(path)), links=[("metrics.jsonl", f"../training/{name}/metrics.jsonl")]
            ),
            **ablations.training_summary(path),
        }
        for audit, path in zip(audits, metrics, strict=True)
    ]
    base, *trained = ((path.parent.name, list(read_jsonl(path))) for path in losses)
    exchanges = [row for name, rows in trained for row in compare_losses(name, base[1], rows)]
    links = [
        (name, f"../evaluation/{name}/exchange_losses.jsonl") for name in (base[0], *(name for name, _ in trained))
    ]
    return {
        "models": models,
        "exchanges": exchanges,
        "exchange_figure": figures.exchange_losses("exchange-losses", exchanges, links=links),
    }

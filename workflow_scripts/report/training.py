"""What the page tells of the training: the audit, one sample in colour, the curves, and losses by exchange."""

from pathlib import Path

from workflow_scripts.common.rows import read_json, read_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation.exchanges import compared
from workflow_scripts.report import ablations, figures


def section(audits: list[Path], metrics: list[Path], losses: list[Path]) -> Row:
    """The models, and the table of losses by exchange: base first, each trained model against it."""
    models = [
        {
            "name": (name := path.parent.name),
            "audit": read_json(audit),
            "curve": figures.loss_curve(
                f"loss-{name}", list(read_jsonl(path)), links=[("metrics.jsonl", f"../training/{name}/metrics.jsonl")]
            ),
            **ablations.trained(path),
        }
        for audit, path in zip(audits, metrics, strict=True)
    ]
    base, *trained = ((path.parent.name, list(read_jsonl(path))) for path in losses)
    exchanges = [row for name, rows in trained for row in compared(name, base[1], rows)]
    links = [
        (name, f"../evaluation/{name}/exchange_losses.jsonl") for name in (base[0], *(name for name, _ in trained))
    ]
    return {
        "models": models,
        "exchanges": exchanges,
        "exchange_picture": figures.exchange_losses("exchange-losses", exchanges, links=links),
    }

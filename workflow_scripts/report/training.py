"""What the page tells of the training: the audit, one sample in colour, the curve, and losses by exchange."""

from pathlib import Path

from markupsafe import Markup

from workflow_scripts.common.rows import Row, read_json, read_jsonl
from workflow_scripts.evaluation.exchanges import compared
from workflow_scripts.report import figures


def section(audits: list[Path], metrics: list[Path], losses: list[Path]) -> Row:
    """The models, and the table of losses by exchange: base first, each trained model against it."""
    models = [
        {
            "name": path.parent.name,
            "audit": read_json(audit),
            "curve": Markup(figures.loss_curve(list(read_jsonl(path)))),
        }
        for audit, path in zip(audits, metrics, strict=True)
    ]
    base, *trained = ((path.parent.name, list(read_jsonl(path))) for path in losses)
    return {
        "models": models,
        "exchanges": [row for name, rows in trained for row in compared(name, base[1], rows)],
    }

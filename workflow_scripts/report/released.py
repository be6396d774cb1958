"""The comparison of the synthesised conversations with the released file, as tables."""

from typing import Final

from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.released import FIGURES

SCOPES: Final = {"conversation": "Conversations", "follow_up": "Follow-ups", "answer": "Answers of the teacher"}
SOURCE_FIGURES: Final = {
    "source_exchanges": ("exchanges, mean", "mean"),
    "source_user_chars": ("characters of the user's texts, mean", "mean"),
    "source_answer_chars": ("characters of the answers, mean", "mean"),
}


def section(synthesis: Row) -> Row:
    """{all: tables, sources: {source: tables}}; a table is (title, rows of texts for the template)."""
    released = synthesis["released"]
    return {
        "all": tables(released["all"]),
        "sources": {source: tables(values) for source, values in released["per_source"].items()},
        "off": sum(value["off"] for value in released["all"].values()),
        "figures": len(released["all"]),
    }


def tables(values: Row) -> list[tuple[str, list[Row]]]:
    """One table for each scope with a measured figure, in the order of `released.yaml`."""
    found = []
    published = [_row(text, kind, values[name]) for name, (text, kind) in SOURCE_FIGURES.items() if name in values]
    if published:
        found.append(("All turns", published))
    for scope, title in SCOPES.items():
        rows = [
            _row(entry["text"], entry["kind"], values[name])
            for name, entry in FIGURES.items()
            if entry["scope"] == scope and name in values
        ]
        if rows:
            found.append((title, rows))
    return found


def _row(text: str, kind: str, value: Row) -> Row:
    target = value["target"]
    return {
        "text": text,
        "value": _number(value["value"], kind),
        "interval": f"{_number(value['low'], kind, unit=False)} to {_number(value['high'], kind)}",
        "n": value["n"],
        "released": "–" if value["released"] is None else _number(value["released"], kind),
        "released_n": value["released_n"],
        "target": "–" if target is None else f"{_number(target[0], kind, unit=False)} to {_number(target[1], kind)}",
        "off": value["off"],
    }


def _number(value: float, kind: str, unit: bool = True) -> str:
    if kind == "share":
        return f"{100 * value:.0f}{' %' if unit else ''}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"

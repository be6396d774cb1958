"""Render the page of scored items: what every model was asked and answered, filtered by task, model and correctness."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from markupsafe import Markup

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import write_text
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import suites
from workflow_scripts.evaluation.items import KEY, metrics_of
from workflow_scripts.report.items import PROMPT_CHARS, correct_option, end_of, question_of
from workflow_scripts.report.pages import render, script_hash

MAX_ITEMS = 1500  # on the page, shared equally by the tasks: at most about 15 MB
OUTPUT_CHARS = 2000
COLUMNS = ["prompt", "options", "loglikelihoods", "outputs", "target"]


def read(path: Path, metric: str | None, count: int) -> tuple[int, dict[tuple[Any, ...], Row]]:
    """(number of items, the first `count` items by the hash of their document) of a table of evaluate_task.

    `right` is whether `metric` is 1, or else the first metric that is 0 or 1 for every item; None without one.
    """
    metrics = metrics_of(pq.read_schema(path))
    rows = pq.read_table(path, columns=[*KEY, *COLUMNS, *metrics]).to_pylist()
    binary = [name for name in metrics if all(row[name] in (0, 1) for row in rows)]
    deciding = metric if metric in binary else next(iter(binary), None)
    rows.sort(key=lambda row: (row["doc_hash"], row["task"], row["filter"], row["copy"]))
    return len(rows), {
        tuple(row[name] for name in KEY): {
            **{name: row[name] for name in COLUMNS},
            "right": None if deciding is None else bool(row[deciding]),
            "metrics": {name: row[name] for name in metrics if row[name] is not None},
        }
        for row in rows[:count]
    }


def displayed(entry: str, name: tuple[Any, ...], by_model: dict[str, Row]) -> Row:
    """An item for items.html.jinja: its prompts, options and answers, each with the models they belong to."""
    first = next(iter(by_model.values()))
    prompts: dict[str, list[str]] = {}
    for model, row in by_model.items():
        prompts.setdefault(end_of(row["prompt"], PROMPT_CHARS), []).append(model)
    correct = correct_option(first)
    return {
        "entry": entry,
        "hash": name[2],
        "filter": name[1],
        "question": question_of(first["prompt"]),
        "prompts": prompts,
        "right": [model for model, row in by_model.items() if row["right"]],
        "wrong": [model for model, row in by_model.items() if row["right"] is False],
        "options": [
            {
                "text": text,
                "target": number == correct,
                "values": {
                    model: (row["loglikelihoods"][number], row["loglikelihoods"][number] == max(row["loglikelihoods"]))
                    for model, row in by_model.items()
                },
            }
            for number, text in enumerate(first["options"])
        ],
        "target": end_of(first["target"], OUTPUT_CHARS),
        "models": {
            model: {"outputs": [end_of(text, OUTPUT_CHARS) for text in row["outputs"]], "metrics": row["metrics"]}
            for model, row in by_model.items()
        },
    }


def main(argv: list[str] | None = None) -> None:
    """Write items.html from files named <model>/<entry>.parquet: self-contained, with every text escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--tables", required=True, type=Path, nargs="*", help="parquet files of evaluate_task")
    parser.add_argument("--settings", required=True, type=json.loads, help="suites and custom of `evaluation`, as JSON")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    entries: dict[str, dict[str, Path]] = {}
    for path in args.tables:
        entries.setdefault(path.stem, {})[path.parent.name] = path
    metrics = suites.headline_metrics(args.settings["custom"])
    shown, totals = [], {}
    for entry, paths in entries.items():
        found = {
            model: read(path, metrics.get(entry), max(1, MAX_ITEMS // len(entries))) for model, path in paths.items()
        }
        totals[entry] = max(total for total, _ in found.values())
        names = sorted(
            {name for _, rows in found.values() for name in rows}, key=lambda name: (name[2], *map(str, name))
        )
        shown += [
            displayed(entry, name, {model: rows[name] for model, (_, rows) in found.items() if name in rows})
            for name in names
        ]
    script = package_file("report/templates/items.js").read_text(encoding="utf-8")
    page = render(
        package_file("report/templates/items.html.jinja"),
        run=args.run,
        items=shown,
        totals=totals,
        models=list(dict.fromkeys(path.parent.name for path in args.tables)),
        script=Markup(script),
        script_hash=script_hash(script),
    )
    write_text(args.page, page)
    logging.info("%s: %s of %d", args.page, counted(len(shown), "item"), sum(totals.values()))


if __name__ == "__main__":
    run(main)

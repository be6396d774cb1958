"""Compare each trained model with the base model, document by document."""

import argparse
import json
import logging
import math
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import paired, suites
from workflow_scripts.evaluation.items import KEY, metrics_of

REFERENCE = "base"
TASK_COLUMNS = [
    "model", "asked", "task", "filter", "metric", "documents", "base", "tuned", "difference", "stderr", "low", "high",
    "gained", "lost", "test", "p", "p_adjusted", "beyond_noise",
]  # fmt: skip
SUITE_COLUMNS = ["model", "suite", "rule", "difference", "stderr", "low", "high", "p", "beyond_noise"]
SHOWN = ["prompt", "options", "loglikelihoods", "outputs", "target"]


def paired_items(base: pd.DataFrame, tuned: pd.DataFrame, asked: str, model: str) -> pd.DataFrame:
    """Both models' items side by side, joined by the content of their documents. UserError if those differ."""
    both = base.merge(tuned, on=KEY, how="outer", suffixes=("_base", "_tuned"), indicator=True, validate="one_to_one")
    alone = int((both["_merge"] != "both").sum())
    if alone:
        raise UserError(
            f"task {asked}: {REFERENCE} and {model} were scored on other documents ({alone} of {len(both)} are on one side "
            "only). Delete the older of the two results and run again."
        )
    return both.sort_values(KEY, kind="stable", ignore_index=True)


def compared(both: pd.DataFrame, metrics: list[str], asked: str, model: str) -> list[Row]:
    """One row a task, filter and metric."""
    rows = []
    for (task, filtered), group in both.groupby(["task", "filter"], sort=True):
        for metric in metrics:
            held = group[[f"{metric}_base", f"{metric}_tuned"]].dropna()
            if len(held):
                found = paired.compare(*(held[name].to_numpy(float) for name in held))
                rows.append(
                    {"model": model, "asked": asked, "task": task, "filter": filtered, "metric": metric, **found}
                )
    return rows


def not_means(rows: list[Row], scores: pd.DataFrame) -> list[Row]:
    """The rows without those whose score is no mean of its items (such as F1 over a set): there is nothing to pair."""
    held = {
        (row.model, row.asked, row.task, row.filter, row.metric): row.value
        for row in scores.fillna({"filter": "none"}).itertuples()
    }
    kept = []
    for row in rows:
        own = tuple(row[name] for name in ("asked", "task", "filter", "metric"))
        values = held.get((REFERENCE, *own)), held.get((row["model"], *own))
        if None not in values and all(map(math.isclose, values, (row["base"], row["tuned"]))):
            kept.append(row)
    return kept


def marked(rows: list[Row]) -> list[Row]:
    """The rows with their p-values adjusted over all rows of the same model, and whether each is beyond noise."""
    for model in {row["model"] for row in rows}:
        own = [row for row in rows if row["model"] == model]
        for row, p in zip(own, paired.adjust([row["p"] for row in own]), strict=True):
            row["p_adjusted"] = p
            row["beyond_noise"] = p < paired.LEVEL
    return rows


def suite_rows(rows: list[Row], settings: Row, models: list[str]) -> list[Row]:
    """One row a model, suite and rule of averaging, where every task of the suite could be compared."""
    known = suites.known(settings["custom"])
    found = []
    for model in models:
        held = {(row["asked"], row["task"], row["metric"], row["filter"]): row for row in rows if row["model"] == model}
        for suite in settings["suites"]:
            for rule in known[suite]["average"]:
                if (difference := _suite(suite, rule, known, held)) is not None:
                    noise = {"beyond_noise": difference["p"] < paired.LEVEL}
                    found.append({"model": model, "suite": suite, "rule": rule, **difference, **noise})
    return found


def _suite(suite: str, rule: str, known: dict[str, Row], held: dict[tuple[str, ...], Row]) -> Row | None:
    parts = [
        _suite(member.suite, "mean", known, held)
        if member.suite
        else held.get((member.entry, member.task, member.metric, member.filter))
        for member in suites.members(suite, known)
    ]
    if any(part is None for part in parts):
        return None
    return paired.combine(parts, [part["documents"] if rule == "by_documents" else 1.0 for part in parts])


def headline(settings: Row) -> dict[str, str]:
    """{entry: metric} of the suites: the metric by which an item counts as right."""
    known = suites.known(settings["custom"])
    found: dict[str, str] = {}
    for name in known:
        found.update({member.entry: member.metric for member in suites.members(name, known) if not member.suite})
    return found


def flips(both: pd.DataFrame, metrics: list[str], metric: str | None, asked: str, model: str) -> list[Row]:
    """Items that the tuned model has right and the base model wrong, or the other way round, with what both did.

    `metric` decides; if the task has it not, its first metric that is 0 or 1 for every item.
    """

    def binary(name: str) -> bool:
        values = pd.concat([both[f"{name}_base"], both[f"{name}_tuned"]]).dropna()
        return len(values) > 0 and values.isin((0, 1)).all()

    metric = next((name for name in dict.fromkeys([metric, *metrics]) if name in metrics and binary(name)), None)
    if metric is None:
        return []
    turned = both[both[f"{metric}_base"] != both[f"{metric}_tuned"]].dropna(
        subset=[f"{metric}_base", f"{metric}_tuned"]
    )
    return [
        {
            "model": model,
            "asked": asked,
            **{name: row[name] for name in KEY},
            "metric": metric,
            "gained": bool(row[f"{metric}_tuned"]),
            **{name: _plain(row[f"{name}_base"]) for name in ("prompt", "options", "target")},
            **{
                side: {name: _plain(row[f"{name}_{side}"]) for name in ("loglikelihoods", "outputs")}
                for side in ("base", "tuned")
            },
        }
        for row in turned.to_dict("records")
    ]


def _plain(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else value


def main(argv: list[str] | None = None) -> None:
    """Write comparisons.csv, suite_comparisons.csv and flips.jsonl from files named <model>/<entry>.parquet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", required=True, type=Path, nargs="+", help="parquet files of evaluate_task")
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--comparisons", required=True, type=Path, help="CSV file to write")
    parser.add_argument("--suite-comparisons", required=True, type=Path, help="CSV file to write")
    parser.add_argument("--flips", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    files = {(path.parent.name, path.stem): path for path in args.tables}
    models = [model for model in dict.fromkeys(model for model, _ in files) if model != REFERENCE]
    metric_of = headline(args.settings)
    rows, turned = [], []
    for asked in dict.fromkeys(entry for _, entry in files):
        base = files[REFERENCE, asked]
        metrics = metrics_of(pq.read_schema(base))
        if not metrics:
            continue
        for model in models:
            columns = [*KEY, *SHOWN, *metrics]
            both = paired_items(
                *(pd.read_parquet(path, columns=columns) for path in (base, files[model, asked])), asked, model
            )
            rows += compared(both, metrics, asked, model)
            turned += flips(both, metrics, metric_of.get(asked), asked, model)
    rows = marked(not_means(rows, pd.read_csv(args.scores)))
    args.comparisons.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=TASK_COLUMNS).to_csv(args.comparisons, index=False)
    pd.DataFrame(suite_rows(rows, args.settings, models), columns=SUITE_COLUMNS).to_csv(
        args.suite_comparisons, index=False
    )
    write_jsonl(args.flips, turned)
    beyond = sum(row["beyond_noise"] for row in rows)
    logging.info("%d differences, %d beyond noise; %d items flipped", len(rows), beyond, len(turned))


if __name__ == "__main__":
    run(main)

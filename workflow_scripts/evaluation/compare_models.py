"""Compare the models on the same documents: with the base model, with the peers, and the trained ones with each other."""

import argparse
import json
import logging
import math
from itertools import combinations
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.frames import frame_rows
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import paired, suites
from workflow_scripts.evaluation.items import KEY, metrics_of

REFERENCE = "base"
# `base` and `tuned` are the scores of the reference and of the model; the difference is tuned − base.
TASK_COLUMNS = [
    "model", "reference", "asked", "task", "filter", "metric", "documents", "base", "tuned", "difference", "stderr", "low", "high",
    "gained", "lost", "test", "p", "p_adjusted", "beyond_noise",
]  # fmt: skip
SUITE_COLUMNS = [
    "model", "reference", "suite", "rule", "difference", "stderr", "low", "high", "p", "p_adjusted", "beyond_noise",
]  # fmt: skip
FLIP_COLUMNS = ["prompt", "options", "loglikelihoods", "outputs", "target"]
Key = tuple[str, str, str, str]  # entry, task, metric, filter


def model_pairs(models: list[str], peers: list[str]) -> list[tuple[str, str]]:
    """(reference, model) of all comparisons: every model with the base, the trained ones with each peer and each other."""
    trained = [model for model in models if model not in (REFERENCE, *peers)]
    return [
        *((REFERENCE, model) for model in models if model != REFERENCE),
        *((peer, model) for peer in peers for model in trained),
        *combinations(trained, 2),
    ]


def pair_items(
    base: pd.DataFrame, tuned: pd.DataFrame, asked: str, model: str, reference: str = REFERENCE
) -> pd.DataFrame:
    """The items of both models, joined by document content. UserError if the documents differ."""
    both = base.merge(tuned, on=KEY, how="outer", suffixes=("_base", "_tuned"), indicator=True, validate="one_to_one")
    unpaired = int((both["_merge"] != "both").sum())
    if unpaired:
        raise UserError(
            f"task {asked}: {reference} and {model} were scored on different documents ({unpaired} of {len(both)} in only one "
            "result). Delete the older of the two results and run again."
        )
    return both.sort_values(KEY, kind="stable", ignore_index=True)


def compare_items(
    both: pd.DataFrame, metrics: list[str], asked: str, model: str, reference: str = REFERENCE
) -> list[Row]:
    """One row per task, filter and metric: the comparison of `paired.compare`."""
    rows = []
    for (task, filtered), group in both.groupby(["task", "filter"], sort=True):
        for metric in metrics:
            results = group[[f"{metric}_base", f"{metric}_tuned"]].dropna()
            if len(results):
                found = paired.compare(*(results[name].to_numpy(float) for name in results))
                about = {"asked": asked, "task": task, "filter": filtered, "metric": metric}
                rows.append({"model": model, "reference": reference, **about, **found})
    return rows


def keep_means(rows: list[Row], scores: pd.DataFrame) -> list[Row]:
    """The rows whose score is the mean of its items; others, such as F1 over a set, cannot be paired."""
    values: dict[tuple[str, ...], float] = {
        (row.model, row.asked, row.task, row.filter, row.metric): row.value
        for row in frame_rows(scores.fillna({"filter": "none"}))
    }
    kept = []
    for row in rows:
        key = tuple(row[name] for name in ("asked", "task", "filter", "metric"))
        base, tuned = values.get((row["reference"], *key)), values.get((row["model"], *key))
        if base is None or tuned is None:
            continue
        if math.isclose(base, row["base"]) and math.isclose(tuned, row["tuned"]):
            kept.append(row)
    return kept


def adjust_p_values(rows: list[Row]) -> list[Row]:
    """Add `p_adjusted`, adjusted over all rows of the same two models, and `beyond_noise` to the rows; returns them."""
    for pair in {(row["reference"], row["model"]) for row in rows}:
        own = [row for row in rows if (row["reference"], row["model"]) == pair]
        for row, p in zip(own, paired.adjust([row["p"] for row in own]), strict=True):
            row["p_adjusted"] = p
            row["beyond_noise"] = p < paired.LEVEL
    return rows


def compare_suites(
    rows: list[Row], settings: Row, pairs: list[tuple[str, str]], data: dict[str, tuple[str, ...]]
) -> list[Row]:
    """One row per two models, suite and averaging rule, for suites whose tasks are all compared; p-values are adjusted.

    `data` is that of `suites.task_data`.
    """
    known = suites.known(settings["custom"])
    found = []
    for reference, model in pairs:
        compared: dict[Key, Row] = {
            (row["asked"], row["task"], row["metric"], row["filter"]): row
            for row in rows
            if (row["reference"], row["model"]) == (reference, model)
        }
        for suite in settings["suites"]:
            for rule in known[suite]["average"]:
                if (difference := _suite(suite, rule, known, compared, data)) is not None:
                    about = {"model": model, "reference": reference, "suite": suite, "rule": rule}
                    found.append({**about, **difference})
    return adjust_p_values(found)


def _suite(
    suite: str, rule: str, known: dict[str, Row], compared: dict[Key, Row], data: dict[str, tuple[str, ...]]
) -> Row | None:
    members = suites.members(suite, known)
    parts = [
        _suite(member.suite, "mean", known, compared, data)
        if member.suite
        else compared.get((member.entry, member.task, member.metric, member.filter))
        for member in members
    ]
    complete = [part for part in parts if part is not None]
    if len(complete) < len(parts):
        return None
    weights = [part["documents"] if rule == "by_documents" else 1.0 for part in complete]
    return paired.combine(complete, weights, [suites.documents_of(member, data) for member in members])


def flips(both: pd.DataFrame, metrics: list[str], metric: str | None, asked: str, model: str) -> list[Row]:
    """Items that exactly one of the two models answers correctly, with both models' outputs.

    `metric` decides; if the task does not have it, its first metric that is 0 or 1 for every item. Empty without one.
    """

    def binary(name: str) -> bool:
        values = pd.concat([both[f"{name}_base"], both[f"{name}_tuned"]]).dropna()
        return len(values) > 0 and values.isin((0, 1)).all()

    metric = next((name for name in dict.fromkeys([metric, *metrics]) if name in metrics and binary(name)), None)
    if metric is None:
        return []
    flipped = both[both[f"{metric}_base"] != both[f"{metric}_tuned"]].dropna(
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
        for row in flipped.to_dict("records")
    ]


def _plain(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else value


def main(argv: list[str] | None = None) -> None:
    """Write comparisons.csv, suite_comparisons.csv and flips.jsonl from files named <model>/<entry>.parquet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", required=True, type=Path, nargs="*", help="parquet files of evaluate_task")
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--comparisons", required=True, type=Path, help="CSV file to write")
    parser.add_argument("--suite-comparisons", required=True, type=Path, help="CSV file to write")
    parser.add_argument("--flips", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    files = {(path.parent.name, path.stem): path for path in args.tables}
    models = list(dict.fromkeys(model for model, _ in files))
    peers = args.settings["peers"]
    pairs = model_pairs(models, peers)
    metric_of = suites.headline_metrics(args.settings["custom"])
    rows, flipped = [], []
    for asked in dict.fromkeys(entry for _, entry in files):
        metrics = metrics_of(pq.read_schema(files[REFERENCE, asked]))
        if not metrics:
            continue
        columns = [*KEY, *FLIP_COLUMNS, *metrics]
        items = {model: pd.read_parquet(files[model, asked], columns=columns) for model in models}
        for reference, model in pairs:
            both = pair_items(items[reference], items[model], asked, model, reference)
            rows += compare_items(both, metrics, asked, model, reference)
            if reference == REFERENCE and model not in peers:
                flipped += flips(both, metrics, metric_of.get(asked), asked, model)
    scores = pd.read_csv(args.scores)
    rows = adjust_p_values(keep_means(rows, scores))
    args.comparisons.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=TASK_COLUMNS).to_csv(args.comparisons, index=False)
    averaged = compare_suites(rows, args.settings, pairs, suites.task_data(scores.to_dict("records")))
    pd.DataFrame(averaged, columns=SUITE_COLUMNS).to_csv(args.suite_comparisons, index=False)
    write_jsonl(args.flips, flipped)
    beyond = sum(row["beyond_noise"] for row in rows)
    logging.info("%d differences, %d beyond noise; %d items flipped", len(rows), beyond, len(flipped))


if __name__ == "__main__":
    run(main)

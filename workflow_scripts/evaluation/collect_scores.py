"""Collect the scores of all models in a table, each with the settings to reproduce it, and compute suite averages."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.frames import frame_rows
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import suites

SCORES = [
    "model", "asked", "task", "metric", "filter", "value", "stderr", "shots", "documents", "of_documents", "dataset", "config",
    "revision", "task_version", "lm_eval", "backend", "adapter", "chat_template", "dtype", "batch_size", "device",
]  # fmt: skip
AVERAGES = ["suite", "model", "rule", "value", "stderr", "tasks", "documents", "limit", "missing"]
Key = tuple[str, str, str, str]  # entry, task, metric, filter


def scores(result: Row, model: str, asked: str) -> list[Row]:
    """One row per task and metric of an lm-eval result: value, standard error, and the settings of the measurement.

    A group (such as mmlu) also gives its subtasks. `asked` is the entry of the configuration: a task with its shots.
    UserError if the result contains no score.
    """
    about = result.get("capybara", {})
    rows = []
    for task, values in result["results"].items():
        data = about.get("tasks", {}).get(task, {})
        for key, value in values.items():
            metric, comma, filtered = key.partition(",")
            if not comma or metric.endswith("_stderr") or metric == "bypass" or not isinstance(value, int | float):
                continue
            stderr = values.get(f"{metric}_stderr,{filtered}")
            rows.append(
                {
                    "model": model,
                    "asked": asked,
                    "task": task,
                    "metric": metric,
                    "filter": filtered,
                    "value": value,
                    "stderr": stderr if isinstance(stderr, int | float) else None,
                    "shots": result.get("n-shot", {}).get(task),
                    "documents": result.get("n-samples", {}).get(task, {}).get("effective"),
                    "of_documents": result.get("n-samples", {}).get(task, {}).get("original"),
                    "dataset": data.get("dataset"),
                    "config": data.get("config"),
                    "revision": data.get("revision"),
                    "task_version": result.get("versions", {}).get(task),
                    "lm_eval": result.get("lm_eval_version"),
                    "backend": about.get("backend"),
                    "adapter": about.get("adapter"),
                    "chat_template": bool(result.get("chat_template") or about.get("chat_template")),
                    "dtype": (result["config"].get("model_args") or {}).get("dtype"),
                    "batch_size": result["config"].get("batch_size"),
                    "device": result["config"].get("device"),
                }
            )
    if not rows and "bypass" not in str(list(result["results"].values())):
        raise UserError(f"the result of {asked} for {model} contains no score. Check `evaluation.limit`.")
    return rows


def averages(frame: pd.DataFrame, settings: Row) -> pd.DataFrame:
    """Averages per suite, model and rule. If tasks are missing, `value` is None and `missing` lists them."""
    known = suites.known(settings["custom"])
    data = suites.task_data(frame.to_dict("records"))
    rows = []
    for model in dict.fromkeys(frame["model"]):
        scores_of_model: dict[Key, Any] = {
            (row.asked, row.task, row.metric, row.filter): row for row in frame_rows(frame[frame["model"] == model])
        }
        for suite in settings["suites"]:
            for rule in known[suite]["average"]:
                rows.append(
                    {"suite": suite, "model": model, "rule": rule, "limit": settings["limit"]}
                    | _average(suite, rule, known, scores_of_model, data)
                )
    return pd.DataFrame(rows, columns=AVERAGES)


def _average(
    suite: str, rule: str, known: dict[str, Row], scores_of_model: dict[Key, Any], data: dict[str, tuple[str, ...]]
) -> Row:
    questions = []
    values: list[float] = []
    errors: list[float | None] = []
    sizes: list[int] = []
    missing: list[str] = []
    for member in suites.members(suite, known):
        if member.suite:
            nested = _average(member.suite, "mean", known, scores_of_model, data)
            missing += nested["missing"].split()
            found = (nested["value"], nested["stderr"], nested["documents"])
        elif (row := scores_of_model.get((member.entry, member.task, member.metric, member.filter))) is not None:
            found = (row.value, None if pd.isna(row.stderr) else row.stderr, row.documents)
        else:
            missing.append(member.entry)
            continue
        values.append(found[0])
        errors.append(found[1])
        sizes.append(found[2])
        questions.append(suites.documents_of(member, data))
    named = {"tasks": len(values), "documents": sum(sizes), "missing": " ".join(missing)}
    if missing:
        return {"value": None, "stderr": None, **named}
    weights = sizes if rule == "by_documents" else [1.0] * len(values)
    value, stderr = suites.average(values, errors, weights, questions)
    return {"value": value, "stderr": stderr, **named}


def main(argv: list[str] | None = None) -> None:
    """Write scores.csv and averages.csv from files named <model>/<entry>.json; without a task, both are empty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, nargs="*", help="JSON files of evaluate_task")
    parser.add_argument("--settings", required=True, type=json.loads, help="`evaluation` of the config, as JSON")
    parser.add_argument("--scores", required=True, type=Path, help="CSV file to write")
    parser.add_argument("--averages", required=True, type=Path, help="CSV file to write")
    args = parser.parse_args(argv)

    rows = [row for path in args.results for row in scores(read_json(path), path.parent.name, path.stem)]
    frame = pd.DataFrame(rows, columns=SCORES).sort_values(
        ["asked", "task", "metric", "filter", "model"], kind="stable"
    )
    args.scores.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(args.scores, index=False)
    mean = averages(frame, args.settings)
    mean.to_csv(args.averages, index=False)
    logging.info("%s", frame[["model", "asked", "task", "metric", "value", "stderr"]].to_string(index=False))
    if len(mean):
        logging.info("%s", mean.to_string(index=False))


if __name__ == "__main__":
    run(main)

"""All scores of all models as one table, each with what it takes to reproduce it."""

import argparse
import logging
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import Row, read_json


def scores(result: Row, model: str, asked: str) -> list[Row]:
    """One row a metric of each task in an lm-eval result: value, standard error, shots, documents, versions.

    A group (such as mmlu) gives its subtasks too; `asked` is the task that the config names.
    """
    rows = []
    for task, values in result["results"].items():
        for key, value in values.items():
            metric, comma, filtered = key.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            stderr = values.get(f"{metric}_stderr,{filtered}")
            documents = result.get("n-samples", {}).get(task, {}).get("effective")
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
                    "documents": documents,
                    "task_version": result.get("versions", {}).get(task),
                    "lm_eval": result.get("lm_eval_version"),
                    "chat_template": bool(result.get("chat_template")),
                    "dtype": result["config"].get("model_args", {}).get("dtype"),
                    "batch_size": result["config"].get("batch_size"),
                }
            )
    if not rows:
        raise UserError(f"the result of {asked} for {model} holds no score. Check its `limit`.")
    return rows


def main(argv: list[str] | None = None) -> None:
    """Write scores.csv from files named <model>/<task>.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, nargs="+", help="JSON files of evaluate_task")
    parser.add_argument("--scores", required=True, type=Path, help="CSV file to write")
    args = parser.parse_args(argv)

    rows = [row for path in args.results for row in scores(read_json(path), path.parent.name, path.stem)]
    frame = pd.DataFrame(rows).sort_values(["asked", "task", "metric", "model"], kind="stable")
    args.scores.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(args.scores, index=False)
    logging.info("%s", frame[["model", "task", "metric", "value", "stderr"]].to_string(index=False))


if __name__ == "__main__":
    run(main)

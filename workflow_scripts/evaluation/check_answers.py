"""Check the models' answers to the questions without a judge: facts, agreements of earlier turns, limits of length."""

import argparse
import json
import logging
from itertools import combinations
from pathlib import Path

import numpy as np

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import read_jsonl, write_json
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import paired
from workflow_scripts.evaluation.checks import passes

REFERENCE = "base"


def scores(rows: list[Row]) -> dict[str, Row]:
    """{id: {category, share, later}} of the questions with checks: the share that passed, of all turns and of later turns.

    `later` is None for a question without a check in a later turn.
    """
    found = {}
    for row in rows:
        outcomes = [
            (turn, passes(check, exchange["output"]))
            for turn, (exchange, checks) in enumerate(zip(row["conversation"], row["checks"], strict=True))
            for check in checks
        ]
        later = [passed for turn, passed in outcomes if turn]
        if outcomes:
            share = sum(passed for _, passed in outcomes) / len(outcomes)
            found[row["id"]] = {
                "category": row["category"],
                "share": share,
                "later": sum(later) / len(later) if later else None,
            }
    return found


def summary(found: dict[str, Row]) -> Row:
    """Per category and over all: {questions, share, stderr, low, high}; a question is one observation."""
    groups = {"all": [row["share"] for row in found.values()]}
    groups["later turns"] = [row["later"] for row in found.values() if row["later"] is not None]
    for row in found.values():
        groups.setdefault(row["category"], []).append(row["share"])
    return {
        name: {"questions": len(values), **paired.mean_with_interval(values, "share", 0.0, 1.0)}
        for name, values in groups.items()
        if values
    }


def differences(by_model: dict[str, dict[str, Row]], peers: list[str]) -> list[Row]:
    """{model, reference, group, questions, difference, low, high, p, p_adjusted} over the questions of both models."""
    models = [model for model in by_model if model != REFERENCE]
    trained = [model for model in models if model not in peers]
    pairs = [(REFERENCE, model) for model in models] + [(peer, model) for peer in peers for model in trained]
    rows = []
    for reference, model in [*pairs, *combinations(trained, 2)]:
        base, tuned = by_model[reference], by_model[model]
        groups = ["all", *sorted({row["category"] for row in tuned.values()})]
        compared = []
        for group in groups:
            ids = sorted(name for name, row in tuned.items() if group in ("all", row["category"]) and name in base)
            sides = [np.array([side[name]["share"] for name in ids], float) for side in (base, tuned)]
            result = paired.compare(*sides)
            kept = {key: result[key] for key in ("difference", "stderr", "low", "high", "p")}
            about = {"model": model, "reference": reference, "group": group, "questions": len(ids)}
            compared.append({**about, **{key: None if np.isnan(value) else value for key, value in kept.items()}})
        adjusted = paired.adjust([row["p"] for row in compared])
        rows += [{**row, "p_adjusted": p} for row, p in zip(compared, adjusted, strict=True)]
    return rows


def main(argv: list[str] | None = None) -> None:
    """Write the shares of checks passed by each model, and the differences; the answers are in files <model>/<any>.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", required=True, type=Path, nargs="+", help="JSONL files of answer_questions")
    parser.add_argument("--peers", required=True, type=json.loads, help="names of the peers, as JSON")
    parser.add_argument("--checks", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    by_model = {path.parent.name: scores(list(read_jsonl(path))) for path in args.answers}
    found = {
        "models": {model: summary(rows) for model, rows in by_model.items()},
        "differences": differences(by_model, args.peers) if any(by_model.values()) else [],
    }
    write_json(args.checks, found)
    logging.info("%s", found["models"])


if __name__ == "__main__":
    run(main)

"""The evaluation section: suites, tasks, differences, published scores, the claim, multi-turn judgements."""

import argparse
from pathlib import Path
from typing import Any, cast

import pandas as pd

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.evaluation import suites
from workflow_scripts.report import evaluation_figures
from workflow_scripts.report.claims.knowledge import by_year

PUBLISHED = package_file("evaluation/published.yaml")
REFERENCE = "base"
MAX_TASKS_IN_FIGURE = 20  # of a larger suite only the average is drawn
CLAIM_SUITES = ["gpt4all", "agieval-nous", "truthfulqa", "openllm-v1", "bigbench-nous"]  # columns of the claim's table

ScoreKey = tuple[str, str, str, str]  # asked, task, metric, filter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command line options of this section."""
    parser.add_argument(
        "--evaluation", required=True, type=Path, nargs="*", help="averages.csv, comparisons.csv, suite_comparisons.csv"
    )
    parser.add_argument(
        "--evaluation-settings",
        required=True,
        help="suites, custom, limit and names of the peers of `evaluation` in the configuration, as JSON",
    )
    parser.add_argument(
        "--multi-turn", required=True, type=Path, nargs="*", help="stats.json of judge_answers, if it ran"
    )
    parser.add_argument("--checks", required=True, type=Path, nargs="*", help="checks.json of check_answers, if it ran")
    parser.add_argument(
        "--knowledge", required=True, type=Path, nargs="*", help="items of the dated questions of each model, if scored"
    )


def records(frame: pd.DataFrame) -> list[Row]:
    """Rows as dicts, with None for missing values."""
    objects = frame.astype(object)
    return cast(list[Row], objects.where(objects.notna(), None).to_dict("records"))


def score_key(row: Row) -> ScoreKey:
    """The columns that identify a score of one model."""
    return row["asked"], row["task"], row["metric"], row["filter"] or "none"


class Scores:
    """The tables of the evaluation, indexed for lookup."""

    def __init__(
        self,
        scores: pd.DataFrame,
        averages: pd.DataFrame,
        comparisons: pd.DataFrame,
        suite_comparisons: pd.DataFrame,
        peers: list[str],
    ):
        self.rows = records(scores)
        self.models = list(dict.fromkeys(row["model"] for row in self.rows))
        # The base model first, the peers last.
        self.models.sort(key=lambda model: (model != REFERENCE, model in peers))
        self.peers = [model for model in self.models if model in peers]
        self.trained = [model for model in self.models if model not in (REFERENCE, *peers)]
        self.by_key: dict[ScoreKey, dict[str, Row]] = {}
        for row in self.rows:
            self.by_key.setdefault(score_key(row), {})[row["model"]] = row
        self.averages = {(row["suite"], row["rule"], row["model"]): row for row in records(averages)}
        compared, compared_suites = records(comparisons), records(suite_comparisons)
        self.comparisons = {(row["model"], *score_key(row)): row for row in compared if row["reference"] == REFERENCE}
        self.suite_comparisons = {
            (row["model"], row["suite"], row["rule"]): row for row in compared_suites if row["reference"] == REFERENCE
        }
        # Rows of all other pairs: peers with the base model, trained models with peers and with each other.
        self.other_pairs = [
            {"suite": None, **row}
            for row in (*compared_suites, *compared)
            if row["reference"] != REFERENCE or row["model"] in peers
        ]

    def member(self, member: suites.Member, model: str) -> Row | None:
        """{value, stderr, documents} of a suite's member for a model: the score of a task, or the mean of a nested suite."""
        if member.suite:
            row = self.averages.get((member.suite, "mean", model))
            return row if row and row["value"] is not None else None
        return self.by_key.get((member.entry, member.task, member.metric, member.filter), {}).get(model)


def conditions(scores: Scores) -> list[Row]:
    """The evaluation settings of each model."""
    names = ("backend", "adapter", "chat_template", "dtype", "batch_size", "device", "lm_eval")
    return [
        {"model": model, **{name: " / ".join(sorted({str(row[name]) for row in own})) for name in names}}
        for model in scores.models
        for own in [[row for row in scores.rows if row["model"] == model]]
    ]


def suite_rows(scores: Scores, known: dict[str, Row], selected: list[str]) -> list[Row]:
    """One row per suite and averaging rule."""
    return [
        {
            "suite": suite,
            "rule": suites.RULES[rule],
            "models": {model: scores.averages.get((suite, rule, model)) for model in scores.models},
            "differences": {model: scores.suite_comparisons.get((model, suite, rule)) for model in scores.trained},
        }
        for suite in selected
        for rule in known[suite]["average"]
    ]


def task_rows(scores: Scores) -> list[Row]:
    """One row per task, shots and metric, with the score of every model and the difference of each trained model."""
    return [
        {
            **{name: next(iter(by_model.values()))[name] for name in ("asked", "task", "metric", "filter", "shots", "documents",
                "of_documents", "task_version", "dataset", "revision")},
            "models": by_model,
            "differences": {model: scores.comparisons.get((model, *found)) for model in scores.trained},
        }
        for found, by_model in scores.by_key.items()
    ]  # fmt: skip


def published_rows(scores: Scores, known: dict[str, Row], selected: list[str]) -> list[Row]:
    """One row per published score of a suite that this run measured, with the scores of this run, in percent."""
    rows = []
    for row in published()["rows"]:
        suite = row["suite"]
        if suite not in selected:
            continue
        about = {"published": row["model"], "suite": suite, "source": row["source"], "note": None}
        for member in suites.members(suite, known):
            if (value := row.get("scores", {}).get(member.task)) is not None:
                ours = percents({model: scores.member(member, model) for model in scores.models})
                rows.append({**about, "task": member.task, "value": value, "mark": row["mark"], "ours": ours})
        if "average" in row:
            ours = percents({model: scores.averages.get((suite, "mean", model)) for model in scores.models})
            average = {"task": "average", "value": row["average"], "mark": row["average_mark"], "ours": ours}
            rows.append({**about, **average, "note": row.get("average_note")})
    return rows


def percents(rows: dict[str, Row | None]) -> dict[str, Row | None]:
    """{model: {value, stderr}} in percent."""
    return {
        model: {
            "value": 100 * row["value"],
            "stderr": None if row["stderr"] is None else 100 * row["stderr"],
        }
        if row is not None and row["value"] is not None
        else None
        for model, row in rows.items()
    }


def published() -> Row:
    """published.yaml."""
    return read_yaml(PUBLISHED)


def claim_rows(scores: Scores, known: dict[str, Row], examples: int) -> list[Row]:
    """The table of the claim: published models and those of this run, their number of examples, and a cell per suite."""
    rows: dict[str, Row] = {}
    for row in published()["rows"]:
        entry = rows.setdefault(row["model"], {"model": row["model"], "examples": row["examples"], "cells": {}})
        if "average" in row:
            entry["cells"][row["suite"]] = [(None, row["average"], row["average_mark"])]
        elif row["suite"] == "truthfulqa":
            entry["cells"]["truthfulqa"] = [
                (task.removeprefix("truthfulqa_"), value, row["mark"]) for task, value in row["scores"].items()
            ]
        if (mc2 := row.get("scores", {}).get("truthfulqa_mc2")) is not None:
            entry["cells"].setdefault("truthfulqa", [("mc2", mc2, row["mark"])])
    for model in scores.models:
        cells: dict[str, Any] = {}
        for suite in CLAIM_SUITES:
            if (average := percents({model: scores.averages.get((suite, "mean", model))})[model]) is not None:
                cells[suite] = [(None, average["value"], "measured here")]
        truthfulqa = [
            (member.task, percents({model: scores.member(member, model)})[model])
            for member in suites.members("truthfulqa", known)
        ]
        if measured := [
            (task.removeprefix("truthfulqa_"), row["value"], "measured here") for task, row in truthfulqa if row
        ]:
            cells["truthfulqa"] = measured
        own = "none" if model == REFERENCE else "peer" if model in scores.peers else counted(examples, "conversation")
        rows[f"this run: {model}"] = {"model": f"this run: {model}", "examples": own, "cells": cells}
    return [row for row in rows.values() if row["cells"]]


def figure_rows(scores: Scores, known: dict[str, Row], selected: list[str]) -> list[Row]:
    """Lines of the figures, in percent: each suite's average and, unless it is large, its tasks; then single tasks."""
    lines: list[Row] = []
    drawn: set[ScoreKey] = set()
    for suite in selected:
        rows = {row["model"]: row for row in published()["rows"] if row["suite"] == suite}
        reference = {"V1": rows.get("Nous-Capybara-7B V1", {}), "Llama-2-7B": rows.get("Llama-2-7B (base)", {})}
        if "mean" in known[suite]["average"]:
            lines.append(
                {
                    "label": f"{suite}: mean",
                    "bold": True,
                    "models": percents({model: scores.averages.get((suite, "mean", model)) for model in scores.models}),
                    "differences": {
                        model: scores.suite_comparisons.get((model, suite, "mean")) for model in scores.trained
                    },
                    "published": {name: row["average"] for name, row in reference.items() if "average" in row},
                }
            )
        members = suites.members(suite, known)
        for member in members if len(members) <= MAX_TASKS_IN_FIGURE else ():
            found = (member.entry, member.task, member.metric, member.filter)
            drawn.add(found)
            nested = {model: scores.suite_comparisons.get((model, member.suite, "mean")) for model in scores.trained}
            lines.append(
                {
                    "label": member.task if member.suite else f"{member.entry} ({member.metric})",
                    "bold": False,
                    "models": percents({model: scores.member(member, model) for model in scores.models}),
                    "differences": nested
                    if member.suite
                    else {model: scores.comparisons.get((model, *found)) for model in scores.trained},
                    "published": {
                        name: row["scores"][member.task]
                        for name, row in reference.items()
                        if member.task in row.get("scores", {})
                    },
                }
            )
        drawn |= {(member.entry, member.task, member.metric, member.filter) for member in members}
    entries = {found[0] for found in drawn}
    for found in scores.by_key:
        if found[0] not in entries:
            lines.append(
                {
                    "label": f"{found[0]} ({found[2]})"
                    if found[0].startswith(found[1])
                    else f"{found[0]} {found[1]} ({found[2]})",
                    "bold": False,
                    "models": percents(dict.fromkeys(scores.models) | scores.by_key[found]),
                    "differences": {model: scores.comparisons.get((model, *found)) for model in scores.trained},
                    "published": {},
                }
            )
    return [line for line in lines if any(line["models"].values())]


def section(args: argparse.Namespace, scores_path: Path, settings: Row, base: str, examples: int) -> Row:
    """Values for evaluation.html.jinja; `examples` is the number of training conversations."""
    averages, comparisons, suite_comparisons = map(pd.read_csv, args.evaluation)
    scores = Scores(pd.read_csv(scores_path), averages, comparisons, suite_comparisons, settings["peers"])
    known = suites.known(settings["custom"])
    selected = settings["suites"]
    large = {
        member.entry
        for suite in selected
        if len(suites.members(suite, known)) > MAX_TASKS_IN_FIGURE
        for member in suites.members(suite, known)
    }
    tasks = task_rows(scores)
    lines = figure_rows(scores, known, selected)
    return {
        "models": scores.models,
        "trained": scores.trained,
        "peers": scores.peers,
        "other_pairs": scores.other_pairs,
        "limit": settings["limit"],
        "conditions": conditions(scores),
        "figures": evaluation_figures.score_figures(lines, scores.models, scores.trained) if lines else [],
        "suites": suite_rows(scores, known, selected),
        "about": {suite: {"source": "source not stated", "note": None} | known[suite] for suite in selected},
        "tasks": [row for row in tasks if row["asked"] not in large],
        "many_tasks": [row for row in tasks if row["asked"] in large],
        "published": published_rows(scores, known, selected),
        "not_found": published()["not_found"],
        "not_measured": published()["not_measured"],
        "claim": claim_rows(scores, known, examples),
        "claim_suites": CLAIM_SUITES,
        "llama": "llama-2-7b" in base.casefold(),
        "multi_turn": read_json(args.multi_turn[0]) if args.multi_turn else None,
        "checks": read_json(args.checks[0]) if args.checks else None,
        "knowledge": {path.parent.name: by_year(path) for path in args.knowledge},
    }

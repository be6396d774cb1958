"""Render the report of a run: one self-contained HTML page with every text escaped."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_json, read_jsonl, read_rows, write_text
from workflow_scripts.common.types import Conversation, Hit, Row
from workflow_scripts.report import (
    ablations,
    claims_section,
    contamination,
    cost,
    data,
    evaluation,
    flow,
    quality,
    training,
    verification,
)
from workflow_scripts.report import run as about
from workflow_scripts.report.pages import render

MAX_EXAMPLES = 3
MAX_HITS = 20


def example_conversations(path: Path, count: int) -> list[Row]:
    """The longest conversation of each source, at most `count`, longest first."""
    longest: dict[str, Row] = {}
    for row in read_jsonl(path):
        known = longest.get(row["source"])
        if known is None or len(row["conversation"]) > len(known["conversation"]):
            longest[row["source"]] = row
    return sorted(longest.values(), key=lambda row: -len(row["conversation"]))[:count]


def first(paths: list[Path]) -> Row | None:
    """The statistics of an optional stage, or None."""
    return read_json(paths[0]) if paths else None


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--base", required=True, help="base model")
    parser.add_argument("--teacher", required=True, help="teacher model")
    parser.add_argument("--folder", required=True, type=Path, help="the run's folder: its run.json and benchmarks/")
    parser.add_argument("--claims", required=True, type=Path, help="claims.json")
    parser.add_argument(
        "--show-claims", required=True, type=json.loads, help="true or false: whether the claims are unfolded"
    )
    parser.add_argument("--seeds", required=True, type=Path, nargs="*", help="stats.json of the seeds stage, if it ran")
    parser.add_argument(
        "--synthesis", required=True, type=Path, nargs="*", help="stats.json of the synthesis stage, if it ran"
    )
    parser.add_argument(
        "--judged", required=True, type=Path, nargs="*", help="JSONL file of judge_conversations, if it ran"
    )
    parser.add_argument(
        "--reviewed", required=True, type=Path, nargs="*", help="items.jsonl of the verification stage, if it ran"
    )
    parser.add_argument("--assembled", required=True, type=Path, help="stats.json of the conversations stage")
    parser.add_argument(
        "--verification", required=True, type=Path, nargs="*", help="stats.json of the verification stage, if it ran"
    )
    parser.add_argument("--decontamination", required=True, type=Path, help="stats.json of the decontamination stage")
    parser.add_argument("--conversations", required=True, type=Path, help="JSONL file of decontaminate_conversations")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file of hits")
    parser.add_argument("--dataset", required=True, type=Path, help="stats.json of the dataset stage")
    parser.add_argument(
        "--train", required=True, type=Path, help="JSONL file of training conversations, for the examples"
    )
    parser.add_argument("--variants", required=True, type=Path, nargs="+", help="stats.json of each trained model")
    parser.add_argument("--audit", required=True, type=Path, nargs="+", help="audit.json of each trained model")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="metrics.jsonl of each trained model")
    parser.add_argument(
        "--losses",
        required=True,
        type=Path,
        nargs="+",
        help="exchange_losses.jsonl of each model, the base model first",
    )
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    evaluation.add_arguments(parser)
    parser.add_argument("--outputs", required=True, type=Path, nargs="+", help="outputs.jsonl of each model")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write index.html."""
    args = parse(argv)
    seeds, synthesis = first(args.seeds), first(args.synthesis)
    assembled, decontamination, dataset = map(read_json, (args.assembled, args.decontamination, args.dataset))
    costs = cost.read(args.folder / "benchmarks")
    about_run = about.section(args.folder, costs, synthesis)
    trained = training.section(args.audit, args.metrics, args.losses)
    models = [{**model, "stats": read_json(path)} for model, path in zip(trained["models"], args.variants, strict=True)]
    scored = evaluation.section(args, args.scores, json.loads(args.evaluation_settings), args.base, dataset["train"])
    outputs = {path.parent.name: {row["name"]: row for row in read_jsonl(path)} for path in args.outputs}
    generated = [("synthesis", synthesis), ("verification", read_json(args.verification[0]))] if synthesis else []
    page = render(
        package_file("report/templates/index.html.jinja"),
        run=args.run,
        base=args.base,
        teacher=args.teacher,
        claims=claims_section.section(read_json(args.claims), args.show_claims),
        verification=verification.section(args.verification[0]) if args.verification else None,
        dataset=dataset,
        about=about_run,
        data=data.section(
            read_rows(args.conversations, Conversation),
            dataset,
            seeds,
            synthesis,
            models[0]["audit"],
            example_conversations(args.train, MAX_EXAMPLES),
        ),
        quality=quality.section(
            seeds,
            synthesis,
            [row for path in args.judged for row in read_rows(path, Conversation)],
            [row for path in args.reviewed for row in read_jsonl(path)],
        ),
        flow=flow.section(
            flow.steps(seeds, generated, assembled, decontamination, dataset),
            dataset,
            [(model["name"], model["stats"], model["audit"]) for model in models],
        ),
        contamination=contamination.section(decontamination, list(read_rows(args.hits, Hit)), MAX_HITS, seeds),
        training=trained,
        evaluation=scored,
        ablations=ablations.section(models, trained["exchanges"], scored, about_run["models"]),
        models=list(outputs),
        outputs=outputs,
        prompts=list(next(iter(outputs.values()))),
        cost=cost.section(costs),
    )
    write_text(args.page, page)
    logging.info("%s", args.page)


if __name__ == "__main__":
    run(main)

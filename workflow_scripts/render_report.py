"""The page that a person reads when a run has ended: self-contained, every text escaped."""

import argparse
import json
import logging
from pathlib import Path

import yaml
from markupsafe import Markup

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import Row, read_json, read_jsonl, write_text
from workflow_scripts.report import contamination, evaluation, figures, training, verification
from workflow_scripts.report.pages import render

PUBLISHED = Path(__file__).parent / "report" / "published.yaml"
EXAMPLES = 3
HITS = 20


def stages(args: argparse.Namespace) -> list[Row]:
    """Each data stage's name and statistics, in the order of the chain."""
    parts = [
        ("seeds", args.seeds),
        ("synthesis", args.synthesis),
        ("verification", args.verification),
        ("decontamination", [args.decontamination]),
        ("dataset", [args.dataset]),
    ]
    return [{"name": name, **read_json(path)} for name, paths in parts for path in paths]


def compared(seeds: Row, published: dict[str, int]) -> list[Row]:
    """The composition's rows with shares in percent, and the released file's count and share, a row for each source of either."""
    known = {row["source"]: row for row in seeds["composition"]}
    none = {"read": 0, "unique": 0, "wanted": None, "chosen": 0, "shortfall": 0}
    names = [*known, *(name for name in published if name not in known)]
    return [
        {
            **none,
            **known.get(name, {"source": name}),
            "share": 100 * known.get(name, none)["chosen"] / seeds["out"],
            "published": published.get(name),
            "published_share": 100 * published.get(name, 0) / sum(published.values()),
        }
        for name in names
    ]


def seed_section(seeds: Row) -> Row:
    """What the page tells of the seeds: the composition beside the published one, and pictures."""
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["composition"]
    rows = compared(seeds, published["dialogues"])
    shown = [row for row in rows if row["chosen"] or row["published"]]
    return {
        "rows": rows,
        "stats": seeds,
        "published_source": published["source"],
        "shares": Markup(
            figures.shares(
                {row["source"]: row["share"] for row in shown}, {row["source"]: row["published_share"] for row in shown}
            )
        ),
        "labels": Markup(figures.seed_labels(seeds)),
    }


def synthesis_section(synthesis: Row) -> Row:
    """What the page tells of the synthesis: each source beside the released file's, and what was drawn."""
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))["conversations"]
    rows = [
        {"source": source, "ours": ours, "published": published.get(source)}
        for source, ours in synthesis["per_source"].items()
    ]
    return {"rows": rows, "stats": synthesis, "moves": Markup(figures.composition(synthesis["moves"], "follow-ups"))}


def example_conversations(path: Path, count: int) -> list[Row]:
    """A few conversations of different sources, first in the order of the file; amplified ones (the longest) first."""
    rows = sorted(read_jsonl(path), key=lambda row: -len(row["conversation"]))
    by_source: dict[str, Row] = {}
    for row in rows:
        by_source.setdefault(row["source"], row)
    return list(by_source.values())[:count]


def main(argv: list[str] | None = None) -> None:
    """Write index.html."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--base", required=True, help="base model")
    parser.add_argument("--teacher", required=True, help="teacher model")
    parser.add_argument("--seeds", required=True, type=Path, nargs="*", help="statistics of the seeds, if any")
    parser.add_argument("--synthesis", required=True, type=Path, nargs="*", help="statistics of the synthesis, if any")
    parser.add_argument("--verification", required=True, type=Path, nargs="*", help="statistics of the experts, if any")
    parser.add_argument("--decontamination", required=True, type=Path, help="statistics of the decontamination")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file of hits")
    parser.add_argument("--dataset", required=True, type=Path, help="statistics of the data set")
    parser.add_argument("--train", required=True, type=Path, help="training conversations, for the examples")
    parser.add_argument("--audit", required=True, type=Path, nargs="+", help="audit.json of each trained model")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="metrics.jsonl of each trained model")
    parser.add_argument(
        "--losses", required=True, type=Path, nargs="+", help="exchange_losses.jsonl of each model, the base's first"
    )
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    evaluation.add_arguments(parser)
    parser.add_argument("--outputs", required=True, type=Path, nargs="+", help="outputs.jsonl of each model")
    parser.add_argument("--page", required=True, type=Path, help="HTML file to write")
    args = parser.parse_args(argv)

    models = list(dict.fromkeys(path.parent.name for path in args.outputs))
    outputs = {path.parent.name: {row["name"]: row for row in read_jsonl(path)} for path in args.outputs}
    dataset = read_json(args.dataset)
    page = render(
        "index.html.jinja",
        run=args.run,
        base=args.base,
        teacher=args.teacher,
        stages=stages(args),
        seeds=seed_section(read_json(args.seeds[0])) if args.seeds else None,
        synthesis=synthesis_section(read_json(args.synthesis[0])) if args.synthesis else None,
        verification=verification.section(args.verification[0]) if args.verification else None,
        dataset=dataset,
        composition=Markup(figures.composition(dataset["per_source"])),
        contamination=contamination.section(read_json(args.decontamination), list(read_jsonl(args.hits)), HITS),
        training=training.section(args.audit, args.metrics, args.losses),
        models=models,
        evaluation=evaluation.section(
            args, args.scores, json.loads(args.evaluation_settings), args.base, dataset["train"]
        ),
        examples=example_conversations(args.train, EXAMPLES),
        outputs=outputs,
        prompts=list(outputs[models[0]]),
    )
    write_text(args.page, page)
    logging.info("%s", args.page)


if __name__ == "__main__":
    run(main)

"""The model card: what this run measured, in the hub's form."""

import argparse
import json
import logging
import re
from pathlib import Path

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from workflow_scripts.common.cli import run
from workflow_scripts.common.rows import Row, read_json, write_text
from workflow_scripts.report.scores import read_scores

TEMPLATE = Path(__file__).parent / "report" / "templates" / "model_card.md.jinja"


def plain(text: str) -> str:
    """A text of a data set as Markdown that shows it and does nothing else: no link, image, markup or table cell."""
    return (
        re.sub(r"([\\`*_{}\[\]()<>#+!|~])", r"\\\1", " ".join(text.split()))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )


def eval_results(frame: pd.DataFrame, model: str) -> list[EvalResult]:
    """The `model-index` entries of one model's scores."""
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=row.task,
            dataset_name=row.task,
            metric_type=row.metric,
            metric_name=row.metric,
            metric_value=round(float(row.value), 4),
            source_name="lm-evaluation-harness",
            source_url="https://github.com/EleutherAI/lm-evaluation-harness",
        )
        for row in frame[frame["model"] == model].itertuples()
    ]


def main(argv: list[str] | None = None) -> None:
    """Write the card of one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--base", required=True, type=json.loads, help="`training.base` of the config, as JSON")
    parser.add_argument("--training", required=True, type=json.loads, help="`training` of the config, as JSON")
    parser.add_argument("--model", required=True, help="the model whose scores are the card's")
    parser.add_argument("--decontamination", required=True, type=Path, help="statistics of the decontamination")
    parser.add_argument("--dataset", required=True, type=Path, help="statistics of the data set")
    parser.add_argument("--audit", required=True, type=Path, nargs="+", help="audit.json of each trained model")
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--card", required=True, type=Path, help="Markdown file to write")
    args = parser.parse_args(argv)

    frame = read_scores(args.scores)
    name = f"capybara-{args.run}"
    on_hub = args.base["revision"] is not None  # the card's `base_model` must name a hub repository
    data = ModelCardData(
        model_name=name,
        language="en",
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=args.base["model"] if on_hub else None,
        tags=["capybara", "amplify-instruct", "multi-turn"],
        eval_results=eval_results(frame, args.model),
    )
    scores: list[Row] = [
        {
            "task": task,
            "metric": metric,
            "shots": group["shots"].iloc[0],
            "documents": group["documents"].iloc[0],
            "models": dict(zip(group["model"], group["value"], strict=True)),
        }
        for (task, _, metric), group in frame.groupby(["task", "shots", "metric"], sort=False, dropna=False)
    ]
    dataset = read_json(args.dataset)
    for key in ("per_source", "licenses"):
        dataset[key] = {plain(name): count for name, count in dataset[key].items()}
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=name,
        base=args.base["model"],
        training=args.training,
        dataset=dataset,
        decontamination=read_json(args.decontamination),
        audit=read_json(args.audit[0]),
        scores=scores,
        lm_eval=frame["lm_eval"].iloc[0],
        chat_template=bool(frame[frame["model"] == "capybara"]["chat_template"].iloc[0]),
    )
    write_text(args.card, str(card))
    logging.info("%s", args.card)


if __name__ == "__main__":
    run(main)

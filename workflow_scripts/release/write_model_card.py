"""The model card: use, data, training, scores and claims of a run, in the format of the Hub."""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from workflow_scripts.common.cli import run
from workflow_scripts.common.frames import frame_rows
from workflow_scripts.common.model_location import on_hub
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_json, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import suites
from workflow_scripts.release import cards
from workflow_scripts.release.markdown import code, plain
from workflow_scripts.release.scores import read_comparisons, read_scores, read_table

METHODS = {"lora": "LoRA", "qlora": "QLoRA", "full": "full fine-tuning"}


def eval_results(frame: pd.DataFrame, model: str) -> list[EvalResult]:
    """The `model-index` entries of one model's scores. A task that was scored in part has this in its name."""
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=row.dataset if cards.hub_names([row.dataset or ""]) else row.task,
            dataset_name=row.task if is_complete(row) else f"{row.task} (first {row.documents} of {row.of_documents})",
            dataset_revision=row.revision if cards.hub_names([row.dataset or ""]) else None,
            dataset_args={"num_few_shot": int(row.shots)} if row.shots is not None else None,
            metric_type=row.metric,
            metric_name=row.metric,
            metric_value=round(float(row.value), 4),
            source_name="lm-evaluation-harness",
            source_url="https://github.com/EleutherAI/lm-evaluation-harness",
        )
        for row in frame_rows(frame[frame["model"] == model])
    ]


def is_complete(row: Any) -> bool:
    """Whether every document of a task was scored."""
    return row.documents is None or row.documents == row.of_documents


def in_suites(settings: Row) -> set[str]:
    """The entries whose scores are part of a suite's average."""
    known = suites.known(settings["custom"])
    averaged = [name for name in settings["suites"] if known[name]["average"]]
    return set(suites.entries({"suites": averaged, "custom": settings["custom"], "tasks": [], "num_fewshot": {}}))


def average_rows(averages: pd.DataFrame, differences: pd.DataFrame, model: str) -> list[Row]:
    """One row per suite and averaging rule: both averages, and their paired difference."""
    compared = {(row.suite, row.rule): row for row in frame_rows(differences[differences["model"] == model])}
    rows = []
    for _, group in averages.groupby(["suite", "rule"], sort=False):
        by_model = {row.model: row for row in frame_rows(group)}
        first = next(iter(by_model.values()))
        about: Row = {
            "suite": code(first.suite),
            "rule": suites.RULES[first.rule],
            "tasks": first.tasks,
            "documents": f"{first.documents:,}",
        }
        values = {side: format_score(by_model.get(name)) for side, name in (("base", "base"), ("tuned", model))}
        rows.append({**about, **values, "difference": format_difference(compared.get((first.suite, first.rule)))})
    return rows


def score_rows(frame: pd.DataFrame, comparisons: pd.DataFrame, model: str) -> list[Row]:
    """One row per task, shots and metric, with the scores of the base model and the tuned model and their difference."""
    rows = []
    compared = {
        (row.asked, row.task, row.metric): row for row in frame_rows(comparisons[comparisons["model"] == model])
    }
    for _, group in frame.groupby(["task", "shots", "metric"], sort=False, dropna=False):
        by_model = {row.model: row for row in frame_rows(group)}
        first = next(iter(by_model.values()))
        documents = f"{first.documents}" if is_complete(first) else f"{first.documents} of {first.of_documents}"
        shots = "" if pd.isna(first.shots) else int(first.shots)
        about: Row = {"task": code(first.task), "metric": code(first.metric), "shots": shots}
        values = {side: format_score(by_model.get(name)) for side, name in (("base", "base"), ("tuned", model))}
        difference = format_difference(compared.get((first.asked, first.task, first.metric)))
        rows.append({**about, "documents": documents, **values, "difference": difference})
    return rows


def format_score(row: Any) -> str:
    """A score with its standard error, or a dash."""
    if row is None or row.value is None:
        return "–"
    return f"{row.value:.4f}" + (f" ± {row.stderr:.4f}" if row.stderr is not None else "")


def format_difference(row: Any) -> str:
    """A difference with its confidence interval, or a dash."""
    if row is None:
        return "–"
    interval = f" [{row.low:+.4f}, {row.high:+.4f}]" if row.low is not None else ""
    return f"{row.difference:+.4f}{interval}".replace("-", "−")


def recipe_rows(training: Row, audit: Row, base: Row, teacher: str | None) -> list[Row]:
    """The training settings as a table of names and values; without a synthesis there is no teacher."""
    method = METHODS[training["method"]]
    if training["method"] != "full":
        method += (
            f", rank {training['lora']['r']}, alpha {training['lora']['alpha']}, dropout {training['lora']['dropout']}"
        )
    longer = f"{audit['split']} split, {audit['truncated']} truncated, {len(audit['dropped'])} dropped"
    revision = f" at {code(base['revision'])}" if base["revision"] else ""
    rows = {
        "base": code(cards.model_name(base)) + revision,
        **({"teacher": teacher} if teacher else {}),
        "method": method,
        "precision": training["dtype"],
        "epochs": training["epochs"],
        "global batch size": f"{training['global_batch_size']} ({training['batching']})",
        "learning rate": f"{training['learning_rate']}, {training['lr_scheduler']}, warm-up {training['warmup_ratio']}",
        "weight decay": training["weight_decay"],
        "maximum sample length": f"{training['max_length']} tokens; longer conversations: {longer}",
        "tokens with loss": f"{audit['trainable_tokens']:,} of {audit['tokens']:,}: only the answers and their end tokens",
        "random seed": training["random_seed"],
    }
    return [{"name": name, "value": value} for name, value in rows.items()]


def main(argv: list[str] | None = None) -> None:
    """Write the card of one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings",
        required=True,
        type=json.loads,
        help="run, base, teacher, training, evaluation, model, release, show_claims",
    )
    parser.add_argument("--decontamination", required=True, type=Path, help="stats.json of the decontamination stage")
    parser.add_argument("--dataset", required=True, type=Path, help="stats.json of the dataset stage")
    parser.add_argument("--parquet", required=True, type=Path, nargs="+", help="parquet files of split_dataset")
    parser.add_argument("--audit", required=True, type=Path, help="audit.json of the model")
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--averages", required=True, type=Path, help="averages.csv")
    parser.add_argument("--comparisons", required=True, type=Path, help="comparisons.csv")
    parser.add_argument("--suite-comparisons", required=True, type=Path, help="suite_comparisons.csv")
    parser.add_argument("--claims", required=True, type=Path, help="claims.json")
    parser.add_argument("--card", required=True, type=Path, help="Markdown file to write")
    args = parser.parse_args(argv)

    settings, model = args.settings, args.settings["model"]
    base, training = settings["base"], settings["training"]
    frame = read_scores(args.scores)
    rows = cards.read_rows(args.parquet)
    dataset = read_json(args.dataset)
    synthesised, datasets = cards.synthetic(rows), cards.included_datasets(rows)
    audit = read_json(args.audit)
    base_on_hub = on_hub(base["model"])
    name = f"capybara-{settings['run']}"
    model_license = settings["release"]["model_license"]
    data = ModelCardData(
        model_name=name,
        language="en",
        license=model_license or "other",
        license_name=None if model_license else "base-model-and-data",
        license_link=f"https://huggingface.co/{base['model']}" if base_on_hub and not model_license else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=base["model"] if base_on_hub else None,
        base_model_relation="finetune" if base_on_hub else None,
        datasets=datasets or None,
        tags=[*cards.tags(rows), "conversational"],
        eval_results=eval_results(frame, model),
    )
    teacher = code(cards.model_name(settings["teacher"]))
    alone = frame[~frame["asked"].isin(in_suites(settings["evaluation"]))]
    gguf = f"{name}-f16.gguf"
    card = cards.render(
        ModelCard,
        data,
        package_file("release/templates/model_card.md.jinja"),
        name=plain(name),
        name_text=name,
        base=code(cards.model_name(base)),
        synthesised=synthesised,
        teacher=teacher,
        datasets=datasets,
        model=code(model),
        dataset=dataset,
        small=dataset["train"] < cards.FULL_SIZE_CONVERSATIONS,
        adapter=training["method"] != "full",
        gguf=bool(settings["release"]["gguf_converter"]),
        gguf_file=f"gguf/{gguf}" if settings["release"]["gguf_converter"] else gguf,
        end_token=audit["end_token"],
        sources=cards.source_rows(rows),
        restrictions=cards.restriction_text(cards.license_counts(rows)),
        recipe=recipe_rows(training, audit, base, teacher if synthesised else None),
        averages=average_rows(read_table(args.averages), read_table(args.suite_comparisons), model),
        scores=score_rows(alone, read_comparisons(args.comparisons), model),
        lm_eval=frame["lm_eval"].iloc[0] if len(frame) else "",
        chat_template=bool(len(frame)) and bool(frame[frame["model"] == model]["chat_template"].iloc[0]),
        contamination=cards.contamination(read_json(args.decontamination)),
        claims=cards.claim_rows(read_json(args.claims), synthesised) if settings["show_claims"] else [],
    )
    write_text(args.card, card)
    logging.info("%s", args.card)


if __name__ == "__main__":
    run(main)

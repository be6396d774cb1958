"""The files of a small finished run that the cards and the release read."""

import json

import pandas as pd

from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.dataset import split_dataset

NONE = {"100": {"items": 0, "conversations": 0}, "97": {"items": 1, "conversations": 1}}
TRAINING = {
    "method": "lora", "lora": {"r": 4, "alpha": 8, "dropout": 0.0}, "dtype": "float32", "epochs": 2, "global_batch_size": 4, "batching": "padding_free",
    "learning_rate": 1e-3, "lr_scheduler": "cosine", "warmup_ratio": 0.1, "weight_decay": 0.0, "max_length": 256, "random_seed": 0,
}  # fmt: skip


GEMS = {"gems": {"shots": 0, "metric": "acc", "average": ["mean"], "tasks": ["opal"]}}


def settings(**changes):
    """The `--settings` of the rules."""
    teacher = {"name": None, "model": "org/teacher", "revision": None}
    return {
        "run": "x", "base": {"model": "org/base", "revision": "abc123"}, "teacher": teacher, "training": TRAINING, "model": "capybara",
        "included": False, "show_claims": True, "evaluation": {"suites": ["gems"], "custom": GEMS}, "release": {"model_license": None, "gguf_converter": None}, **changes,
    }  # fmt: skip


def make(folder, sources=("Airoboros",), licenses=("MIT",), texts=("Why?", "So."), synthesised=True):
    """Write the files of the stages before the release below a folder."""
    written = {"techniques": ["amplify"], "teacher": {"model": "served-alias"}} if synthesised else {}
    rows = [
        {
            "id": f"{number:04d}",
            "source": source,
            "conversation": [{"input": texts[0], "output": texts[1]}] * 2,
            "provenance": {"seed": f"s{number}", "dataset": "org/seeds", "revision": "def", "license": licenses[number % len(licenses)],
                "kind": "instruction", **written},
        }
        for number, source in enumerate([*sources] * 4)
    ]  # fmt: skip
    write_jsonl(folder / "decontaminated.jsonl", rows)
    parts = {part: folder / "dataset" / part for part in ("train.jsonl", "test.jsonl", "train.parquet", "test.parquet")}
    split_dataset.main([
        "--conversations", str(folder / "decontaminated.jsonl"), "--test-fraction", "0.2", "--min-jaccard", "null", "--random-seed", "0",
        "--train", str(parts["train.jsonl"]), "--train-parquet", str(parts["train.parquet"]), "--test", str(parts["test.jsonl"]),
        "--test-parquet", str(parts["test.parquet"]), "--rejected", str(folder / "rejected.jsonl"),
        "--stats", str(folder / "dataset" / "stats.json"),
    ])  # fmt: skip
    suite = {"benchmarks": ["mmlu"], "items": 12000, "levels": NONE, "allowed": NONE}
    write_json(folder / "decontamination.json", {"levels": [100, 97], "remove_at": 97, "items": 12000, "rejected": {"contaminated": 3}, "suites": {"mmlu": suite}, "benchmarks": {"mmlu": suite}})  # fmt: skip
    write_json(
        folder / "audit.json",
        {"split": 1, "truncated": 2, "dropped": [], "trainable_tokens": 1234, "tokens": 5678, "end_token": "</s>"},
    )
    score = {"asked": "arc_easy.0shot", "task": "arc_easy", "metric": "acc", "filter": "none", "value": 0.75, "stderr": 0.01, "shots": 0,
        "documents": 2376, "of_documents": 2376, "dataset": "allenai/ai2_arc", "revision": "f00", "lm_eval": "0.4.13", "chat_template": False}  # fmt: skip
    cut = {
        **score,
        "asked": "mine",
        "task": "mine",
        "dataset": "json",
        "revision": None,
        "documents": 10,
        "of_documents": 20,
    }
    opal = {**score, "asked": "opal.0shot", "task": "opal", "dataset": "json", "revision": None}
    frame = [{"model": model, **row} for row in (score, cut, opal) for model in ("base", "capybara")]
    pd.DataFrame(frame).to_csv(folder / "scores.csv", index=False)
    averages = [
        {"suite": "gems", "model": model, "rule": "mean", "value": value, "stderr": 0.01, "tasks": 1, "documents": 2376, "limit": None, "missing": ""}
        for model, value in (("base", 0.75), ("capybara", 0.72))
    ]  # fmt: skip
    pd.DataFrame(averages).to_csv(folder / "averages.csv", index=False)
    difference = {
        "model": "capybara",
        "difference": -0.03,
        "stderr": 0.01,
        "low": -0.05,
        "high": -0.01,
        "p": 0.01,
        "beyond_noise": True,
    }
    pd.DataFrame([{**difference, "suite": "gems", "rule": "mean"}]).to_csv(
        folder / "suite_comparisons.csv", index=False
    )
    compared = {
        **difference,
        "asked": "arc_easy.0shot",
        "task": "arc_easy",
        "metric": "acc",
        "filter": "none",
        "difference": 0.0,
    }
    pd.DataFrame([compared]).to_csv(folder / "comparisons.csv", index=False)
    claim = {"id": "c", "statement": "Over <b>10,000</b> | multi-turn", "reason": "Too few.", "verdict": "not shown"}
    about_synthesis = claim | {"id": "d", "statement": "Made with Amplify-Instruct"}
    write_json(folder / "claims.json", [claim, about_synthesis])
    return folder


def common(folder, **changes):
    """The command line options that both cards share."""
    return [
        "--settings", json.dumps(settings(**changes)), "--decontamination", str(folder / "decontamination.json"),
        "--dataset", str(folder / "dataset" / "stats.json"),
        "--parquet", str(folder / "dataset" / "train.parquet"), str(folder / "dataset" / "test.parquet"),
    ]  # fmt: skip


def model_options(folder, **changes):
    """The command line options of the model card."""
    return [
        *common(folder, **changes), "--audit", str(folder / "audit.json"), "--scores", str(folder / "scores.csv"),
        "--averages", str(folder / "averages.csv"), "--comparisons", str(folder / "comparisons.csv"),
        "--suite-comparisons", str(folder / "suite_comparisons.csv"),
        "--claims", str(folder / "claims.json"), "--card", str(folder / "release" / "README.md"),
    ]  # fmt: skip

"""A small finished run, as the files that the report reads, with any text in it."""

from pathlib import Path

import pandas as pd

from workflow_scripts.common.rows import write_json, write_jsonl, write_text
from workflow_scripts.evaluation import compare_models
from workflow_scripts.evaluation.collect_scores import AVERAGES
from workflow_scripts.report import render_report

SETTINGS = '{"suites": ["gems"], "custom": {"gems": {"source": "made up", "shots": 0, "metric": "acc", "average": ["mean"], "tasks": ["opal"]}}, "limit": null, "peers": []}'
MODELS = ("base", "capybara", "seeds-only")


def make(folder: Path, text: str = "Why does granite erode so slowly?", label: str = "Mine") -> Path:
    """Write a run of two conversations and three models. `text` is used for all text of models and datasets, `label` for all
    names from datasets and the configuration. Returns the path of the report.
    """
    talk = [{"input": text, "output": text}, {"input": text, "output": text}]
    row = {
        "id": "a1", "source": label, "conversation": talk,
        "provenance": {"license": label, "techniques": ["amplify"], "steps": [{"name": "amplify", "moves": [label]}],
                       "domain": label, "skills": [label], "difficulty": label, "teacher": {"model": label}},
    }  # fmt: skip
    stats = {"in": 2, "out": 2, "rejected": {}}
    length = {
        "value": 150.0,
        "low": 140.0,
        "high": 160.0,
        "n": 9,
        "released": 152,
        "released_n": 63,
        "target": [120.0, 200.0],
        "off": False,
    }
    share = length | {
        "value": 0.6,
        "low": 0.5,
        "high": 0.7,
        "released": None,
        "released_n": None,
        "target": [0.15, 0.33],
        "off": True,
    }
    seed = {"source": label, "read": 5, "unique": 4, "wanted": 3, "chosen": 3, "shortfall": 1}
    files = {
        "seeds/stats.json": {
            "in": 5, "out": 3, "rejected": {label: 2}, "rows_read": 5, "composition": [seed], "per_license": {label: 3},
            "per_kind": {"conversation": 1},
            "scores": {label: {"complexity": {"p10": 1.0, "p50": 2.0, "p90": 3.0}}},
            "cleaning": {"shortened": {"url": 1}, "rewritten": 0},
        },
        "synthesis/stats.json": {
            "in": 2, "out": 1, "rejected": {"bad_turn": 1}, "mean_exchanges": 2.0, "mean_words": 9.0, "requests": 7, "cached": 1,
            "prompt_tokens": 90, "completion_tokens": 50, "distinct_2": 0.5, "vocabulary": 12, "mean_drift": 0.5,
            "faults": {label: 1}, "judge": {"measures": {"new_words": 0.5, "score": 0.5}, "scores": {"depth": 3.0}, "model": label},
            "moves_by_kind": {label: {label: 1}}, "released": {"all": {"chars": length, "recap": share}, "per_source": {label: {"source_exchanges": length}}},
        },
        "conversations/stats.json": {**stats, "split": 0, "parts": 0},
        "decontamination/stats.json": {**stats, "levels": [100], "remove_at": 97, "items": 0, "rephrased": None, "suites": {}, "benchmarks": {}},
        "dataset/stats.json": {**stats, "train": 1, "test": 1, "per_source": {label: 2}, "licenses": {label: 2}},
    }  # fmt: skip
    rate = {"n": 2, "found": 1, "rate": 0.5, "low": 0.1, "high": 0.9}
    files["verification/stats.json"] = {
        "in": 1, "out": 1, "rejected": {}, "conversations": {"unreviewed": 1, "accepted": 0, "corrected": 0, "shortened": 0},
        "decisions": 2, "changed_minds": 0, "unmatched": {label: 1}, "left": {"open": 0, "disputed": 0, "hours": 0},
        "error_rates": {
            "all": rate, "by_field": {label: rate}, "by_source": {label: rate}, "by_topic": {label: rate},
            "doubted_by_a_check": rate, "published": {"low": 0.3, "high": 0.4, "source": "a card"},
        },
        "agreement": {
            "answers_with_two_or_more": 1, "krippendorff_alpha": None,
            "pairs": [{"reviewers": [label, label], "answers": 1, "same": 1, "cohen_kappa": None}],
        },
        "reviewers": [
            {"reviewer": label, "degree": label, "items": 1, "minutes_per_item": None, "gold_exact": rate, "gold_fault_or_not": rate}
        ],
    }  # fmt: skip
    files["report/claims.json"] = [
        {
            "id": "c1", "statement": label, "mark": "S", "where": "a card", "rule": label,
            "verdict": "not shown", "reason": label, "measured": [{"name": "rows", "value": 2, "unit": ""}],
            "evidence": [{"file": "dataset/train.jsonl", "sha256": "0"}],
        }
    ]  # fmt: skip
    audit = {
        "conversations": 1, "samples": 1, "tokens": 30, "tokens_cut_off": 0, "answer_tokens_cut_off": 0, "trainable_tokens": 12,
        "mean_tokens": 30.0, "longest": 30, "longest_conversation": 30, "max_length": 64, "overflow": "split", "split": 0,
        "dropped": [], "truncated": 0, "batching": "padding_free", "padding_share": 0.0, "roles": {"answer": {"tokens": 12, "with_loss": 12}},
        "sample": [{"text": text, "part": "user", "loss": False}, {"text": text, "part": "answer", "loss": True}],
    }  # fmt: skip
    judgement = {"mean": 3.0, "scores": {"correctness": 3}}
    judged = row | {"provenance": row["provenance"] | {"measures": {"score": 0.5}, "judgement": judgement}}
    rows = {
        "decontamination/data.jsonl": [row, row],
        "dataset/train.jsonl": [row],
        "decontamination/hits.jsonl": [],
        "synthesis/data.jsonl": [judged] * 4,
        "verification/items.jsonl": [{"id": "a1", "verdict": "correct"}],
    }
    for model in MODELS:
        files |= {
            f"training/{model}/audit.json": audit,
            f"training/{model}/stats.json": {**stats, "takes": "conversations", "exchanges": 2},
        }
        rows |= {
            f"training/{model}/metrics.jsonl": [
                {"step": 0, "eval_loss": 3.0}, {"step": 1, "loss": 2.5, "learning_rate": 0.1, "num_tokens": 30},
                {"step": 1, "eval_loss": 2.0}, {"step": 1, "train_runtime": 3.0},
            ],
            f"evaluation/{model}/exchange_losses.jsonl": [
                {"id": str(n), "exchange": 1, "tokens": 5, "loss": 9.0 + n * len(model)} for n in range(4)
            ],
            f"evaluation/{model}/outputs.jsonl": [{"name": "summary", "conversation": talk}],
        }  # fmt: skip
    for name, value in files.items():
        write_json(folder / name, value)
    for name, value in rows.items():
        write_jsonl(folder / name, value)
    _scores(folder / "evaluation", label)
    for name in (  # files that the page only links to
        "report/hits.html", "report/flips.html", "report/items.html", "report/conversations.html", "verification/data.jsonl",
        "verification/rejected.jsonl", "seeds/data.jsonl", "seeds/rejected.jsonl",
        "synthesis/rejected.jsonl", "conversations/data.jsonl", "conversations/rejected.jsonl",
        "decontamination/rejected.jsonl", "dataset/test.jsonl", "dataset/train.parquet", "dataset/rejected.jsonl",
        *(f"training/{model}/data.jsonl" for model in MODELS),
    ):  # fmt: skip
        write_text(folder / name, "")
    return folder / "report" / "index.html"


def _scores(folder: Path, label: str) -> None:
    score = {
        "asked": "opal.0shot", "task": "opal", "metric": "acc", "filter": "none", "stderr": 0.02, "shots": 0, "documents": 400,
        "of_documents": 400, "dataset": label.encode("utf-8", "replace").decode(), "revision": "c0ffee", "task_version": 1.0, "lm_eval": "0.4.13", "backend": "hf",
        "adapter": None, "chat_template": False, "dtype": "float32", "batch_size": 8, "device": "cpu",
    }  # fmt: skip
    trained = MODELS[1:]
    difference = {
        **score, "base": 0.5, "tuned": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15, "gained": 3, "lost": 1, "test": "McNemar",
        "p": 0.001, "p_adjusted": 0.002, "beyond_noise": True,
    }  # fmt: skip
    suite = {"suite": "gems", "rule": "mean", "stderr": 0.01, "p": 0.001, "beyond_noise": True}
    tables = {
        "scores": ([score | {"model": model, "value": 0.5} for model in MODELS], None),
        "averages": (
            [suite | {"model": model, "value": 0.5, "tasks": 1, "documents": 400} for model in MODELS],
            AVERAGES,
        ),
        "comparisons": (
            [difference | {"model": model, "reference": "base"} for model in trained],
            compare_models.TASK_COLUMNS,
        ),
        "suite_comparisons": (
            [
                suite
                | {
                    "model": model,
                    "reference": "base",
                    "p_adjusted": 0.002,
                    "difference": 0.1,
                    "low": 0.05,
                    "high": 0.15,
                }
                for model in trained
            ],
            compare_models.SUITE_COLUMNS,
        ),
    }
    for name, (rows, columns) in tables.items():
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{name}.csv", index=False)


def render(page: Path) -> str:
    """Render the report of a run written by `make`. Returns its HTML."""
    folder = page.parent.parent

    def each(kind: str, name: str, models: tuple[str, ...]) -> list[str]:
        return [str(folder / kind / model / name) for model in models]

    words = [
        "--run",
        "mine",
        "--show-claims",
        "true",
        "--base",
        "a/base",
        "--teacher",
        "a/teacher",
        "--folder",
        str(folder),
        "--page",
        str(page),
    ]
    single = {
        "claims": "report/claims.json", "verification": "verification/stats.json",
        "seeds": "seeds/stats.json", "synthesis": "synthesis/stats.json", "assembled": "conversations/stats.json",
        "decontamination": "decontamination/stats.json", "conversations": "decontamination/data.jsonl",
        "hits": "decontamination/hits.jsonl", "dataset": "dataset/stats.json", "train": "dataset/train.jsonl",
        "scores": "evaluation/scores.csv", "judged": "synthesis/data.jsonl", "reviewed": "verification/items.jsonl",
    }  # fmt: skip
    for option, name in single.items():
        words += [f"--{option}", str(folder / name)]
    for option, name in (("variants", "stats.json"), ("audit", "audit.json"), ("metrics", "metrics.jsonl")):
        words += [f"--{option}", *each("training", name, MODELS[1:])]
    for option, name in (("losses", "exchange_losses.jsonl"), ("outputs", "outputs.jsonl")):
        words += [f"--{option}", *each("evaluation", name, MODELS)]
    tables = [str(folder / "evaluation" / f"{name}.csv") for name in ("averages", "comparisons", "suite_comparisons")]
    render_report.main(
        [*words, "--evaluation", *tables, "--evaluation-settings", SETTINGS, "--multi-turn", "--checks", "--knowledge"]
    )
    return page.read_text(encoding="utf-8")

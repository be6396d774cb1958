"""Judge each statement of the Capybara cards by the measurements of this run."""

import argparse
import json
import logging
import os
from pathlib import Path

import pandas as pd

from workflow_scripts.common.cli import run
from workflow_scripts.common.model_location import on_hub
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import file_sha256, read_json, read_jsonl, read_rows, write_json
from workflow_scripts.common.types import Hit, Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config import sources
from workflow_scripts.evaluation.exchanges import compare_losses
from workflow_scripts.report.claims import conversations, judge_data, judge_model, scores
from workflow_scripts.report.claims.judgement import unmeasured
from workflow_scripts.report.claims.knowledge import by_date

CLAIMS = package_file("report/claims/claims.yaml")
CAMEL = "CamelAI"  # the label of CamelAI's problems in seeds/registry.yaml
PUBLISHED = package_file("evaluation/published.yaml")


def read_claims(margin: float = 1.0) -> dict[str, Row]:
    """The claims by id, with the numbers inserted into each rule; `margin`, in points, is the one of the configuration."""
    claims = read_yaml(CLAIMS)
    for claim in claims.values():
        if "margin" in claim["numbers"]:
            claim["numbers"]["margin"] = margin
        numbers = {
            name: ", ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in claim["numbers"].items()
        }
        claim["rule"] = " ".join(claim["rule"].format(**numbers).split())
    return claims


def judge(claims: dict[str, Row], measured: Row) -> list[Row]:
    """The rows of claims.json, in the order of the claims, with option names in place of the evidence files."""
    rows = []
    for name, claim in claims.items():
        if "unmeasured" in claim:
            judgement = unmeasured(claim["unmeasured"])
        else:
            judges = judge_data if hasattr(judge_data, name) else judge_model
            judgement = getattr(judges, name)(measured, claim["numbers"])
        about = {key: claim[key] for key in ("statement", "mark", "where", "rule")}
        result = {key: getattr(judgement, key) for key in ("measured", "verdict", "reason")}
        rows.append({"id": name, **about, **result, "evidence": list(judgement.evidence)})
    return rows


def later_turns(stats: Row | None, model: str) -> list[Row]:
    """The judge's results on a model's later turns, one row per other model."""
    pairs = [pair for pair in (stats["pairs"] if stats else []) if pair["model"] == model]
    return [{"reference": pair["reference"], **pair["later"]} for pair in pairs if pair["later"]["questions"]]


def camel_judgements(stats: Row | None, seeds: list[Seed] | None) -> Row | None:
    """Expert decisions on CamelAI's problems, or None without any.

    Returns the number of items, the faulty share with its interval, and the number of seeds with that label that were not
    read from CamelAI's own datasets (`local`).
    """
    rates = stats["error_rates"]["by_source"].get(CAMEL) if stats else None
    if not rates or not rates["n"]:
        return None
    local = sum(seed["source"] == CAMEL and not seed["dataset"].startswith("camel-ai/") for seed in seeds or ())
    return {"items": rates["n"], **{name: rates[name] for name in ("rate", "low", "high")}, "local": local}


def epochs(metrics: list[Row]) -> float | None:
    """Number of epochs at the last logged step, or None if no step has one."""
    return max((row["epoch"] for row in metrics if "epoch" in row), default=None)


def begin_token(folder: Path) -> str:
    """The begin-of-text token of a model's tokenizer, or an empty string."""
    token = read_json(folder / "tokenizer_config.json").get("bos_token") or ""
    return token["content"] if isinstance(token, dict) else token


def measure(args: argparse.Namespace, claims: dict[str, Row]) -> Row:
    """All measurements that the judges use."""
    from tokenizers import Tokenizer

    settings, model = args.settings, args.settings["model"]
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seeds = [seed for path in args.seeds for seed in read_rows(path, Seed)] if args.seeds else None
    base, tuned, *_ = (list(read_jsonl(path)) for path in args.losses)
    audit = read_json(args.audit)
    task_scores, averages = pd.read_csv(args.scores), pd.read_csv(args.averages)
    task_differences, suite_differences = map(pd.read_csv, args.comparisons)
    decontamination = read_json(args.decontamination)
    lowest = min(claims["nothing_left"]["numbers"]["levels"])
    return {
        "data": conversations.measure(
            conversations.read([args.train, args.test]),
            tokenizer,
            claims["no_alignment_phrases"]["numbers"]["phrases"],
            conversations.published_places(sources.registry()),
            seeds,
            claims["mostly_new_tokens"]["numbers"]["gram"],
        ),
        "decontamination": decontamination,
        "remaining": judge_data.remaining_items(read_rows(args.hits, Hit), lowest),
        "verification": camel_judgements(read_json(args.verification[0]) if args.verification else None, seeds),
        "training": {
            # Without local folders, because the claims are published.
            "base": settings["base"] if on_hub(settings["base"]) else Path(settings["base"]).name,
            "conversations": audit["conversations"],
            "sample": audit["sample"],
            "begin": begin_token(args.base),
            "epochs": epochs(list(read_jsonl(args.metrics))),
        },
        "scores": scores.comparable_scores(task_scores, averages, settings, model),
        "peers": scores.peer_differences(task_differences, suite_differences, settings, model),
        "knowledge": by_date(args.knowledge[0]) if args.knowledge else None,
        "published": read_yaml(PUBLISHED),
        "exchanges": compare_losses(model, base, tuned),
        "later_turns": later_turns(read_json(args.multi_turn[0]) if args.multi_turn else None, model),
        "summaries": read_json(args.checks[0])["models"].get(model, {}).get("summary") if args.checks else None,
    }


def main(argv: list[str] | None = None) -> None:
    """Write claims.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="base, model, suites, custom, limit, peers, margin, as JSON"
    )
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--base", required=True, type=Path, help="folder of the base model, for its tokenizer")
    parser.add_argument("--seeds", required=True, type=Path, nargs="*", help="JSONL file of select_seeds, if it ran")
    parser.add_argument(
        "--verification", required=True, type=Path, nargs="*", help="stats.json of the verification stage, if it ran"
    )
    parser.add_argument("--decontamination", required=True, type=Path, help="stats.json of the decontamination stage")
    parser.add_argument("--hits", required=True, type=Path, help="hits.jsonl of the decontamination stage")
    parser.add_argument("--audit", required=True, type=Path, help="audit.json of the first trained model")
    parser.add_argument("--metrics", required=True, type=Path, help="metrics.jsonl of the same model")
    parser.add_argument(
        "--losses",
        required=True,
        type=Path,
        nargs=2,
        help="exchange_losses.jsonl of the base model, then of the trained model",
    )
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--averages", required=True, type=Path, help="averages.csv")
    parser.add_argument(
        "--comparisons", required=True, type=Path, nargs=2, help="comparisons.csv and suite_comparisons.csv"
    )
    parser.add_argument(
        "--knowledge", required=True, type=Path, nargs="*", help="items of the dated questions, if they were scored"
    )
    parser.add_argument(
        "--multi-turn", required=True, type=Path, nargs="*", help="stats.json of judge_answers, if it ran"
    )
    parser.add_argument("--checks", required=True, type=Path, nargs="*", help="checks.json of check_answers, if it ran")
    parser.add_argument(
        "--results", required=True, type=Path, help="folder of the run; evidence is named relative to it"
    )
    parser.add_argument("--claims", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    claims = read_claims(args.settings["margin"])
    rows = judge(claims, measure(args, claims))
    hashes: dict[Path, str] = {}
    for row in rows:
        files = []
        for name in row["evidence"]:
            paths = getattr(args, name)
            for path in paths if isinstance(paths, list) else [paths]:
                if path not in hashes:
                    hashes[path] = file_sha256(path)
                files.append({"file": os.path.relpath(path, args.results), "sha256": hashes[path]})
        row["evidence"] = files
    write_json(args.claims, rows)
    for row in rows:
        logging.info("%-20s %s", row["verdict"], row["id"])


if __name__ == "__main__":
    run(main)

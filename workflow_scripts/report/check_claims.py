"""Judge each statement of the Capybara cards by what this run measured."""

import argparse
import json
import logging
import os
from pathlib import Path

import pandas as pd
import yaml

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import file_sha256, read_json, read_jsonl, write_json
from workflow_scripts.common.types import Row
from workflow_scripts.config import sources
from workflow_scripts.evaluation.exchanges import compared
from workflow_scripts.report.claims import conversations, judge_data, judge_model, scores

CLAIMS = package_file("report/claims/claims.yaml")
CAMEL = "Verified-Camel"  # the label under which seeds/registry.yaml has CamelAI's problems
PUBLISHED = package_file("evaluation/published.yaml")


def read_claims() -> dict[str, Row]:
    """The claims by id, each with its rule's numbers filled in."""
    claims = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    for claim in claims.values():
        numbers = {
            name: ", ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in claim["numbers"].items()
        }
        claim["rule"] = " ".join(claim["rule"].format(**numbers).split())
    return claims


def judge(claims: dict[str, Row], measured: Row) -> list[Row]:
    """One row a claim, in their order: what claims.json holds, with the names of the evidence."""
    rows = []
    for name, claim in claims.items():
        judges = judge_data if hasattr(judge_data, name) else judge_model
        found = getattr(judges, name)(measured, claim["numbers"])
        told = {key: claim[key] for key in ("statement", "wording", "mark", "where", "rule")}
        verdict = {"measured": found.measured, "verdict": found.verdict, "reason": found.reason}
        rows.append({"id": name, **told, **verdict, "evidence": list(found.evidence)})
    return rows


def second_turns(stats: Row | None, model: str) -> Row | None:
    """How the second turns of a model were judged, if any were."""
    found = stats["models"].get(model, {}).get("turn_2") if stats else None
    return found if found and found["questions"] else None


def camel_judgements(stats: Row | None, seeds: list[Row] | None) -> Row | None:
    """Experts' decisions on CamelAI's problems: items with a verdict, the faulty share with its interval, and how many seeds
    under that label were not read from where CamelAI publishes them. None without such decisions."""
    found = stats["error_rates"]["by_source"].get(CAMEL) if stats else None
    if not found or not found["n"]:
        return None
    local = sum(seed["source"] == CAMEL and not seed["dataset"].startswith("camel-ai/") for seed in seeds or ())
    return {"items": found["n"], **{name: found[name] for name in ("rate", "low", "high")}, "local": local}


def epochs(metrics: list[Row]) -> float | None:
    """How often the training went through its data, by its last logged step."""
    return max((row["epoch"] for row in metrics if "epoch" in row), default=None)


def begin_token(folder: Path) -> str:
    """The token with which a model's tokenizer begins a text, or an empty text."""
    token = read_json(folder / "tokenizer_config.json").get("bos_token") or ""
    return token["content"] if isinstance(token, dict) else token


def measure(args: argparse.Namespace, claims: dict[str, Row]) -> Row:
    """All that the judges look at."""
    from tokenizers import Tokenizer

    settings, model = args.settings, args.settings["model"]
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seeds = [seed for path in args.seeds for seed in read_jsonl(path)] if args.seeds else None
    base, tuned, *_ = (list(read_jsonl(path)) for path in args.losses)
    audit = read_json(args.audit)
    tables = [pd.read_csv(path) for path in (args.scores, args.averages)]
    decontamination = read_json(args.decontamination)
    lowest = min(claims["no_contamination"]["numbers"]["levels"])
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
        "stayed": judge_data.stayed_in(read_jsonl(args.hits), lowest),
        "verification": camel_judgements(read_json(args.verification[0]) if args.verification else None, seeds),
        "training": {
            "base": settings["base"],
            "conversations": audit["conversations"],
            "sample": audit["sample"],
            "begin": begin_token(args.base),
            "epochs": epochs(list(read_jsonl(args.metrics))),
        },
        "scores": scores.whole(*tables, settings, model),
        "tasks": scores.tasks(tables[0], model),
        "published": yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")),
        "exchanges": compared(model, base, tuned),
        "second_turns": second_turns(read_json(args.two_turn[0]) if args.two_turn else None, model),
    }


def main(argv: list[str] | None = None) -> None:
    """Write claims.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="base, model, suites, custom, limit, as JSON"
    )
    for part in ("train", "test"):
        parser.add_argument(f"--{part}", required=True, type=Path, help="parquet file of split_dataset")
    parser.add_argument("--base", required=True, type=Path, help="folder of the base model, for its tokenizer")
    parser.add_argument("--seeds", required=True, type=Path, nargs="*", help="JSONL file of select_seeds, if any")
    parser.add_argument("--verification", required=True, type=Path, nargs="*", help="statistics of the experts, if any")
    parser.add_argument("--decontamination", required=True, type=Path, help="statistics of the decontamination")
    parser.add_argument("--hits", required=True, type=Path, help="JSONL file of hits")
    parser.add_argument("--audit", required=True, type=Path, help="audit.json of the first trained model")
    parser.add_argument("--metrics", required=True, type=Path, help="metrics.jsonl of the same model")
    parser.add_argument("--losses", required=True, type=Path, nargs=2, help="exchange_losses.jsonl, the base's first")
    parser.add_argument("--scores", required=True, type=Path, help="scores.csv")
    parser.add_argument("--averages", required=True, type=Path, help="averages.csv")
    parser.add_argument("--two-turn", required=True, type=Path, nargs="*", help="statistics of the judge, if any")
    parser.add_argument("--results", required=True, type=Path, help="folder of the run, to which evidence is relative")
    parser.add_argument("--claims", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    claims = read_claims()
    rows = judge(claims, measure(args, claims))
    hashes: dict[Path, str] = {}
    for row in rows:
        files = []
        for name in row["evidence"]:
            given = getattr(args, name)
            for path in given if isinstance(given, list) else [given]:
                if path not in hashes:
                    hashes[path] = file_sha256(path)
                files.append({"file": os.path.relpath(path, args.results), "sha256": hashes[path]})
        row["evidence"] = files
    write_json(args.claims, rows)
    for row in rows:
        logging.info("%-20s %s", row["verdict"], row["id"])


if __name__ == "__main__":
    run(main)

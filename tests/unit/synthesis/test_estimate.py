"""What a run will cost, against runs that are counted."""

import asyncio
import json

import pytest
import yaml

from workflow_scripts.cli.estimate import main, report
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json, write_jsonl
from workflow_scripts.config.files import merged_config
from workflow_scripts.synthesis.cost_model import (
    PROMPT,
    REPLY,
    STEPS,
    Group,
    calls_of,
    expected_groups,
    hours,
    in_cache,
    measured,
    seed_groups,
    total,
)
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.recipe import TECHNIQUES, make
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import request_for, stored_form
from workflow_scripts.teacher.runtime_settings import answering
from workflow_scripts.teacher.servers import identity, served_name

SUBJECTS = [
    "Feldspar weathers first",
    "Deserts keep domes",
    "Ice splits boulders",
    "Roots widen cracks",
    "Acid rain eats lime",
]


@pytest.fixture
def config(config, tmp_path):
    """The pocket configuration, with all that the recipe knows."""
    config["results"] = str(tmp_path)
    config["synthesis"] |= {
        "exchanges": [{"count": 3, "weight": 3}, {"count": 4, "weight": 1}],
        "moves": [],
        "recipe": [{"path": ["amplify"], "weight": 1}],
        "techniques": {"evol_instruct": {"rounds": 2}, "know_logic": {"attempts": 3}},
        "judge": {"min_mean": None},
        "attempts": 3,
    }
    kinds = ("instruction", "follow_up", "answer", "judge")
    config["synthesis"]["sampling"] = {kind: {"temperature": 0.5, "top_p": 1.0, "max_tokens": 500} for kind in kinds}
    config["teacher"] |= {
        "kind": "endpoint",
        "model": "m",
        "base_url": "https://a.b/v1",
        "revision": None,
        "prefill": True,
        "price": {},
        "rate": {},
    }
    return config


@pytest.fixture
def seeds(make_seed, config, tmp_path):
    """Ten seeds of the run, nine of them with an answer, and a conversation, which asks for nothing."""
    rows = [make_seed(f"Why does granite number {n} erode?", response="It is hard." * (n > 0)) for n in range(10)]
    path = tmp_path / config["run"] / "seeds" / "data.jsonl"
    write_jsonl(path, [*rows, make_seed("Talk.", kind="conversation")])
    return sorted(rows, key=lambda row: row["id"])


@pytest.fixture
def paid(config, tmp_path):
    """A function that makes a seed's conversation with a good teacher and stores what it says; the requests."""
    cache = RequestCache(tmp_path / config["run"] / "synthesis" / "cache")

    def run(seed, seeds, keep=1000):
        asked = []
        teacher = answering(config["teacher"])  # as a shard's job has it
        name, who = served_name(teacher), identity(teacher)

        async def ask(messages, sampling, number, response_format=None):
            place = len(asked)
            begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else None
            text = (
                f"{begun} granite when {SUBJECTS[place // 2].lower()}?"
                if begun
                else f"{SUBJECTS[place // 2]}, as granite {place} shows."
            )
            answer = {"text": text, "finish_reason": "stop", "prompt_tokens": 100, "completion_tokens": 10}
            request = request_for(name, messages, sampling, number, response_format)
            if place < keep:
                cache.put(stored_form(request, who), answer)
            asked.append(request)
            return answer

        asyncio.run(make(seed, Scribe(ask, config["synthesis"], True, seeds), {}))
        return asked

    return run


def test_every_technique_has_its_numbers():
    assert {*STEPS, "amplify"} == set(TECHNIQUES)


def test_amplify_is_counted_as_it_asks(config, seeds, paid):
    """In truth, by a teacher whose every text is good."""
    asked = sum(len(paid(seed, seeds)) for seed in seeds)
    (group,) = seed_groups(seeds, config["synthesis"])
    assert (group.path, group.seeds, group.answered) == (("amplify",), 10, 0.9)
    estimated = total(calls_of(group, config["synthesis"], REPLY, 1.0)).times(10)
    assert estimated.requests == 10 * (0.1 + 2 * 2.25)
    assert asked == pytest.approx(estimated.requests, abs=6)  # 3 or 4 exchanges are drawn by lot
    assert estimated.most_requests == 3 * estimated.requests


def test_prompts_grow_with_the_conversation(config):
    config["synthesis"]["exchanges"] = [{"count": 3, "weight": 1}]
    reply = {"follow_up": 10, "answer": 100, "instruction": 1, "judge": 1}
    calls = calls_of(Group(("amplify",), 1, opening=20, answer=50), config["synthesis"], reply, 1.0)
    assert [call.prompt_tokens - PROMPT for call in calls] == [70, 80, 180, 190]
    assert [call.completion_tokens for call in calls] == [10, 100, 10, 100]
    assert [call.most_completion_tokens for call in calls] == [1500] * 4


def test_max_tokens_bounds_a_reply(config):
    config["synthesis"]["sampling"]["answer"]["max_tokens"] = 64
    calls = calls_of(Group(("orca", "amplify"), 1), config["synthesis"], REPLY, 1.0)
    assert {call.completion_tokens / call.requests for call in calls if call.kind == "answer"} == {64}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["evol_instruct", "amplify"], {"instruction": 2, "judge": 2, "answer": 2 + 2.25, "follow_up": 2.25}),
        (["flask", "amplify"], {"instruction": 1, "answer": 1 + 2.25, "follow_up": 2.25}),
        (["lamini_topic", "orca", "amplify"], {"instruction": 2, "answer": 1 + 2.25, "follow_up": 2.25}),
    ],
)
def test_steps_of_a_path(config, path, expected):
    counted = dict.fromkeys(expected, 0)
    for call in calls_of(Group(tuple(path), 1), config["synthesis"], REPLY, 1.0):
        counted[call.kind] += call.requests
    assert counted == pytest.approx(expected)


def test_tries_of_a_technique_are_in_the_most(config):
    problem = calls_of(Group(("know_logic",), 1), config["synthesis"], REPLY, 1.0)
    assert (total(problem).requests, total(problem).most_requests) == (4, 4 * 3 * 3)


def test_a_judge_reads_every_answer(config):
    config["synthesis"]["judge"]["min_mean"] = 3.0
    *_, judge = calls_of(Group(("amplify",), 1, skilled=0.5), config["synthesis"], REPLY, 1.0)
    assert (judge.kind, judge.requests) == ("judge", 3.25 / 2)


def test_an_unknown_technique_is_named(config):
    with pytest.raises(UserError, match="unknown technique magic; known are amplify, airoboros"):
        calls_of(Group(("magic",), 1), config["synthesis"], REPLY, 1.0)


def test_seeds_that_are_not_there_yet_go_by_weight():
    recipe = [{"path": ["amplify"], "weight": 3}, {"path": ["orca", "amplify"], "weight": 1}]
    assert [(group.path, group.seeds) for group in expected_groups(100, {"recipe": recipe})] == [
        (("amplify",), 75),
        (("orca", "amplify"), 25),
    ]


def test_what_a_vllm_server_answered_is_found_and_with_other_options_is_not(config, seeds, paid, tmp_path):
    cache = RequestCache(tmp_path / config["run"] / "synthesis" / "cache")
    config["teacher"] |= {"kind": "vllm", "model": "a/b", "revision": "c0ffee"}
    paid(seeds[0], seeds)
    assert in_cache(seeds, config, cache)["finished"] == {seeds[0]["id"]}
    config["teacher"]["vllm"] = {**config["teacher"]["vllm"], "dtype": "float16"}
    assert in_cache(seeds, config, cache)["finished"] == set()


def test_what_is_in_the_cache_is_found(config, seeds, paid, tmp_path):
    cache = RequestCache(tmp_path / config["run"] / "synthesis" / "cache")
    assert in_cache(seeds, config, cache)["finished"] == set()
    for seed in seeds[:3]:
        paid(seed, seeds)
    paid(seeds[3], seeds, keep=2)
    found = in_cache(seeds, config, cache)
    assert found == {
        "finished": {seed["id"] for seed in seeds[:3]},
        "requests": 2,
        "prompt_tokens": 200,
        "completion_tokens": 20,
    }
    config["teacher"]["model"] = "other"
    assert in_cache(seeds, config, cache)["finished"] == set()


def test_nothing_is_left_to_ask_when_all_is_in_the_cache(config, seeds, paid):
    for seed in seeds:
        paid(seed, seeds)
    (line,) = [line for line in report(config, 100.0).splitlines() if line.startswith("expected, still to ask")]
    assert line.split()[4:] == ["0", "0", "0", "0.00", "0.0"]


def test_answers_of_unfinished_seeds_count_too(config, seeds, paid):
    def left():
        (line,) = [line for line in report(config).splitlines() if line.startswith("expected, still to ask")]
        return int(line.split()[4])

    before = left()
    paid(seeds[3], seeds, keep=2)
    assert left() == before - 2


def test_money_and_hours(config, seeds):
    config["teacher"]["price"] = {"input": 1_000_000, "output": 0, "currency": "EUR"}
    (group,) = seed_groups(seeds, config["synthesis"])
    tokens = total(calls_of(group, config["synthesis"], REPLY, 1.0)).times(10)
    (line,) = [line for line in report(config, 10.0).splitlines() if line.startswith("expected, from nothing")]
    assert f"{round(tokens.prompt_tokens):,}.00 EUR" in line
    assert line.endswith(f" {tokens.completion_tokens / 10 / 3600:.1f}")


def test_the_slowest_limit_gives_the_hours():
    calls = total([]).times(1)
    calls.requests, calls.prompt_tokens, calls.completion_tokens = 600, 9_000, 3_600
    assert hours(calls, None, {}) is None
    assert hours(calls, 1.0, {}) == 1
    assert hours(calls, 1.0, {"requests_per_minute": 5, "tokens_per_minute": None}) == 2
    assert hours(calls, 1.0, {"tokens_per_minute": 70}) == 3


def test_an_earlier_run_tells_lengths_repeats_and_speed(tmp_path):
    assert measured(tmp_path / "stats.json").again is None
    stats = {"requests": 80, "cached": 40, "faults": {"answer:url": 20}, "completion_tokens": 5000, "seconds": 50}
    write_json(
        tmp_path / "stats.json",
        {**stats, "mean_follow_up_chars": 80.2, "mean_user_chars": 900.0, "mean_answer_chars": 400.0},
    )
    found = measured(tmp_path / "stats.json")
    assert (found.again, found.tokens_per_second) == (1.2, 100)
    assert (found.reply["follow_up"], found.reply["answer"], found.reply["judge"]) == (20, 100, REPLY["judge"])


def test_configurations_are_merged_as_snakemake_does(tmp_path):
    for name, content in {"a": {"x": {"y": 1, "z": [1]}, "w": 1}, "b": {"x": {"z": [2]}}, "c": {"w": 3}}.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    merged = merged_config([tmp_path / "b", tmp_path / "c"], tmp_path / "a")
    assert merged == {"x": {"y": 1, "z": [2]}, "w": 3}
    with pytest.raises(UserError, match="no such file"):
        merged_config([tmp_path / "none"], tmp_path / "a")


def test_the_command(config, tmp_path, capsys):
    config["seeds"] |= {"limit": 300, "composition": {"Airoboros": 2, "Dove": 1}}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    main(["--configfile", str(tmp_path / "mine.json")])
    out = capsys.readouterr().out
    assert "no seeds yet" in out
    assert "Airoboros    200" in out
    assert "  amplify: follow_up" in out
    assert out.count("unknown") == 3
    assert "Assumed:\n- every source is full" in out

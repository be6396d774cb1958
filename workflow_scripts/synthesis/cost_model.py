"""Cost model of a synthesis: expected and maximum requests and tokens by technique, before any request is sent."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Config, Row, Seed
from workflow_scripts.synthesis.draft import begin_draft
from workflow_scripts.synthesis.recipe import sample_path
from workflow_scripts.synthesis.replay import replay
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.sampling import max_tokens

CHARS_PER_TOKEN = 4  # of English text
PROMPT_TOKENS = 200  # that a prompt file adds to its values
OPENING_TOKENS, FIRST_ANSWER_TOKENS = 60, 250  # of a seed, while there are no seeds yet
# Tokens of a reply. Follow-ups and answers as long as those of the released file: 160 and 1,550 characters.
REPLY_TOKENS = {"instruction": 80, "follow_up": 40, "answer": 390, "judge": 60}


@dataclass(frozen=True)
class Step:
    """The requests of one draft at a technique, by kind of sampling, if every text is valid at once.

    `answers` says whether the technique generates a first answer. `rounds` and `attempts` are the names of the
    technique's settings for how often all requests are repeated: always, and at most.
    """

    requests: dict[str, float]
    answers: bool = False
    rounds: str | None = None
    attempts: str | None = None


# Amplify-Instruct's requests depend on the conversation: see `_amplify`.
STEPS = {
    "airoboros": Step({"instruction": 1, "answer": 1, "judge": 1}, answers=True),
    "evol_instruct": Step({"instruction": 1, "answer": 1, "judge": 1}, answers=True, rounds="rounds"),
    "flask": Step({"instruction": 1}),
    "know_logic": Step({"instruction": 1, "answer": 2, "judge": 1}, answers=True, attempts="attempts"),
    "lamini_example": Step({"instruction": 1}),
    "lamini_topic": Step({"instruction": 1}),
    "orca": Step({"answer": 1}, answers=True),
}


@dataclass
class Calls:
    """Requests of one kind and their tokens: expected, and `max_` if every text needs all attempts and all max_tokens."""

    technique: str
    kind: str
    requests: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    max_requests: float = 0.0
    max_prompt_tokens: float = 0.0
    max_completion_tokens: float = 0.0

    def times(self, drafts: float) -> "Calls":
        """The same for a number of drafts."""
        return Calls(self.technique, self.kind, **{name: value * drafts for name, value in _numbers(self).items()})


@dataclass
class Group:
    """Seeds with the same path: their number, mean tokens, and the shares with an answer and with skills."""

    path: tuple[str, ...]
    seeds: float = 0.0
    opening: float = OPENING_TOKENS
    answer: float = FIRST_ANSWER_TOKENS
    answered: float = 1.0
    skilled: float = 1.0


@dataclass
class Measured:
    """Measurements of an earlier run of this configuration; None where there is none.

    `reply` is the mean tokens of a reply by kind, `requests_per_text` the mean number of attempts, at least 1.
    """

    reply: dict[str, int]
    requests_per_text: float | None = None
    tokens_per_second: float | None = None


def estimate_calls(group: Group, settings: Config, reply: dict[str, int], requests_per_text: float) -> list[Calls]:
    """The calls of one draft of a group. `settings` is `synthesis` of the config; `reply` as in `Measured`."""
    attempts = settings["attempts"]

    def calls(technique: str, kind: str, number: float, prompt: float, technique_attempts: int = 1) -> Calls:
        limit = max_tokens(settings["sampling"].get(kind, {})) or reply[kind]
        expected, most = number * requests_per_text, number * technique_attempts * attempts
        return Calls(
            technique, kind,
            expected, expected * prompt, expected * min(reply[kind], limit),
            most, most * prompt, most * limit,
        )  # fmt: skip

    path_calls = []
    answered, first = group.answered, group.answer
    for name in group.path:
        if name == "amplify":
            tries = 1 + settings.get("follow_ups", {}).get("replacements", 0)
            # At most, a path with another technique fails, and Amplify-Instruct starts again with the seed.
            starts = 2 if len(group.path) > 1 else 1
            amplify = _amplify(group.opening, first, answered, settings, reply)
            path_calls += [calls(name, *call, technique_attempts=tries * starts) for call in amplify]
            continue
        if name not in STEPS:
            known = ", ".join(["amplify", *sorted(STEPS)])
            raise UserError(f"synthesis.recipe: unknown technique {name}. Use one of {known}.")
        step, options = STEPS[name], settings.get("techniques", {}).get(name, {})
        rounds = options.get(step.rounds, 1)
        for kind, number in step.requests.items():
            prompt = PROMPT_TOKENS + group.opening + (reply["answer"] if kind == "judge" else 0)
            path_calls.append(calls(name, kind, number * rounds, prompt, options.get(step.attempts, 1)))
        answered, first = float(step.answers), reply["answer"]  # the technique discards the seed's own answer
    if settings.get("judge", {}).get("min_mean") is not None:
        number = _mean_exchanges(settings) * group.skilled
        prompt = PROMPT_TOKENS + group.opening + first + reply["answer"]
        if settings["judge"]["references"]:
            path_calls.append(calls("judge", "answer", number, prompt))
            prompt += reply["answer"]
        path_calls.append(calls("judge", "judge", number, prompt))
    return path_calls


def merge_by_kind(calls: list[Calls]) -> list[Calls]:
    """Sums by technique and kind, in the order of their first occurrence."""
    merged: dict[tuple[str, str], list[Calls]] = {}
    for call in calls:
        merged.setdefault((call.technique, call.kind), []).append(call)
    return [replace(sum_calls(same), technique=name, kind=kind) for (name, kind), same in merged.items()]


def _numbers(calls: Calls) -> dict[str, float]:
    return {name: value for name, value in vars(calls).items() if name not in ("technique", "kind")}


def _mean_exchanges(settings: Config) -> float:
    weights = sum(option["weight"] for option in settings["exchanges"])
    return sum(option["count"] * option["weight"] for option in settings["exchanges"]) / weights


def _amplify(
    opening: float, first: float, answered: float, settings: Config, reply: dict[str, int]
) -> Iterator[tuple[str, float, float]]:
    """(kind, number, prompt tokens) of Amplify-Instruct's requests. Each request repeats the conversation so far."""
    if answered < 1:
        yield "answer", 1 - answered, PROMPT_TOKENS + opening
    first = first * answered + reply["answer"] * (1 - answered)
    weights = sum(option["weight"] for option in settings["exchanges"])
    for place in range(max(option["count"] for option in settings["exchanges"]) - 1):
        share = sum(option["weight"] for option in settings["exchanges"] if option["count"] > place + 1) / weights
        so_far = opening + first + place * (reply["follow_up"] + reply["answer"])
        yield "follow_up", share, PROMPT_TOKENS + so_far
        yield "answer", share, PROMPT_TOKENS + so_far + reply["follow_up"]
        if settings.get("follow_ups", {}).get("judge"):
            yield "judge", share, PROMPT_TOKENS + 2 * reply["follow_up"] + reply["answer"]


def recipe_of(settings: Config) -> list[Row]:
    """The paths of the configuration."""
    return settings.get("recipe") or [{"path": ["amplify"], "weight": 1}]


def expected_groups(limit: int, settings: Config) -> list[Group]:
    """Groups of `limit` seeds by the weights of the recipe, while there are no seeds yet."""
    recipe = recipe_of(settings)
    weights = sum(entry["weight"] for entry in recipe)
    return [Group(tuple(entry["path"]), limit * entry["weight"] / weights) for entry in recipe]


def seed_groups(seeds: list[Seed], settings: Config) -> list[Group]:
    """Groups by the paths that the synthesis will draw for these seeds."""
    members: dict[tuple[str, ...], list[Seed]] = {}
    for seed in seeds:
        path = sample_path(begin_draft(seed, settings["random_seed"]), recipe_of(settings))
        members.setdefault(tuple(technique.name for technique in path), []).append(seed)
    groups = []
    for names, rows in sorted(members.items()):
        answers = [row["response"] for row in rows if row["response"]]
        groups.append(
            Group(
                names,
                len(rows),
                sum(len(row["instruction"]) + len(row["context"]) for row in rows) / len(rows) / CHARS_PER_TOKEN,
                sum(map(len, answers)) / len(answers) / CHARS_PER_TOKEN if answers else 0.0,
                len(answers) / len(rows),
                sum(bool(row["skills"]) for row in rows) / len(rows),
            )
        )
    return groups


def count_cached(seeds: list[Seed], config: Config, cache: RequestCache, topics: list[str]) -> dict[str, Any]:
    """Which seeds are finished, found by generating their conversations from the cache alone.

    Returns {finished, requests, prompt_tokens, completion_tokens}: the ids of finished seeds, and the stored answers
    of unfinished ones. `seeds` are all seeds of the run, sorted by id as the stage has them; `topics` are the run's.
    """
    counted: dict[str, Any] = {"finished": set(), "requests": 0, "prompt_tokens": 0, "completion_tokens": 0}
    for replayed in replay(seeds, config, cache, topics) if cache.folder.is_dir() else ():
        if replayed.finished:
            counted["finished"].add(replayed.seed["id"])
            continue
        counted["requests"] += len(replayed.answers)
        for tokens in ("prompt_tokens", "completion_tokens"):
            counted[tokens] += sum(answer.get(tokens, 0) for answer in replayed.answers.values())
    return counted


def read_measurements(stats: Path) -> Measured:
    """Lengths, attempts and speed from `synthesis/stats.json` of an earlier run, if the file exists."""
    measured = Measured(dict(REPLY_TOKENS))
    if not stats.is_file():
        return measured
    row = read_json(stats)
    for kind, key in (("follow_up", "mean_follow_up_chars"), ("answer", "mean_answer_chars")):
        if row.get(key):
            measured.reply[kind] = round(row[key] / CHARS_PER_TOKEN)
    requests, faults = row.get("requests", 0) + row.get("cached", 0), sum(row.get("faults", {}).values())
    if requests > faults:
        measured.requests_per_text = requests / (requests - faults)
    if row.get("completion_tokens") and row.get("seconds"):
        measured.tokens_per_second = row["completion_tokens"] / row["seconds"]
    return measured


def sum_calls(calls: list[Calls]) -> Calls:
    """The sum of all calls."""
    return Calls("", "", **{name: sum(getattr(call, name) for call in calls) for name in _numbers(Calls("", ""))})


def estimate_hours(calls: Calls, tokens_per_second: float | None, rate: Config) -> float | None:
    """Hours at this speed or at the rate limits, whichever is slower; None if neither is known."""
    hours = []
    if tokens_per_second:
        hours.append(calls.completion_tokens / tokens_per_second / 3600)
    if rate.get("requests_per_minute"):
        hours.append(calls.requests / rate["requests_per_minute"] / 60)
    if rate.get("tokens_per_minute"):
        hours.append((calls.prompt_tokens + calls.completion_tokens) / rate["tokens_per_minute"] / 60)
    return max(hours, default=None)

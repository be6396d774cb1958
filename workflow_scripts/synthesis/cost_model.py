"""What a synthesis will ask of its teacher: requests and tokens by technique, counted before anything is asked."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, begin
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.recipe import make, path
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherError, request_for, stored_form
from workflow_scripts.teacher.runtime_settings import answering
from workflow_scripts.teacher.servers import identity, served_name

CHARS = 4  # a token of English has about so many
PROMPT = 150  # tokens that a prompt file adds to what is asked about
OPENING, FIRST_ANSWER = 60, 250  # tokens of a seed whose rows are not there yet
# Tokens of a reply. Follow-ups and answers as long as those of the released file: 160 and 1,550 characters.
REPLY = {"instruction": 80, "follow_up": 40, "answer": 390, "judge": 60}


@dataclass(frozen=True)
class Step:
    """What one draft asks at a technique, by kind of sampling, when every text is good at once.

    `answers` says whether it leaves a first answer behind. `rounds` and `tries` name settings of the technique: how
    often all of it is done, and how often at most.
    """

    requests: dict[str, float]
    answers: bool = False
    rounds: str | None = None
    tries: str | None = None


# Amplify-Instruct's requests hang on the conversation: see `_amplify`.
STEPS = {
    "airoboros": Step({"instruction": 2, "answer": 1, "judge": 1}, answers=True),
    "evol_instruct": Step({"instruction": 1, "answer": 1, "judge": 1}, answers=True, rounds="rounds"),
    "flask": Step({"instruction": 1}),
    "know_logic": Step({"instruction": 1, "answer": 2, "judge": 1}, answers=True, tries="attempts"),
    "lamini_example": Step({"instruction": 1}),
    "lamini_topic": Step({"instruction": 2}),
    "orca": Step({"answer": 1}, answers=True),
}


@dataclass
class Calls:
    """Requests of one kind, with their tokens: expected, and `most_` if every text needs all its attempts and reaches max_tokens."""

    technique: str
    kind: str
    requests: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    most_requests: float = 0.0
    most_prompt_tokens: float = 0.0
    most_completion_tokens: float = 0.0

    def times(self, factor: float) -> "Calls":
        """The same for so many drafts."""
        return Calls(self.technique, self.kind, **{name: value * factor for name, value in _numbers(self).items()})


@dataclass
class Group:
    """Seeds that go the same path: how many, their mean tokens, and the shares of those with an answer and with skills."""

    path: tuple[str, ...]
    seeds: float = 0.0
    opening: float = OPENING
    answer: float = FIRST_ANSWER
    answered: float = 1.0
    skilled: float = 1.0


@dataclass
class Measured:
    """What an earlier run of this configuration tells: None where there was none."""

    reply: dict[str, int]
    again: float | None = None
    tokens_per_second: float | None = None


def calls_of(group: Group, settings: Row, reply: dict[str, int], again: float) -> list[Calls]:
    """What one draft of a group costs. `again` is how often a text is asked for on average, from 1 on."""
    attempts = settings["attempts"]

    def calls(technique: str, kind: str, number: float, prompt: float, tries: int = 1) -> Calls:
        longest = settings["sampling"].get(kind, {}).get("max_tokens", reply[kind])
        expected, most = number * again, number * tries * attempts
        return Calls(
            technique, kind,
            expected, expected * prompt, expected * min(reply[kind], longest),
            most, most * prompt, most * longest,
        )  # fmt: skip

    found = []
    answered, first = group.answered, group.answer
    for name in group.path:
        if name == "amplify":
            found += [calls(name, *call) for call in _amplify(group.opening, first, answered, settings, reply)]
            continue
        if name not in STEPS:
            raise UserError(
                f"synthesis.recipe: unknown technique {name}; known are amplify, {', '.join(sorted(STEPS))}."
            )
        step, options = STEPS[name], settings.get("techniques", {}).get(name, {})
        rounds = options.get(step.rounds, 1)
        for kind, number in step.requests.items():
            prompt = PROMPT + group.opening + (reply["answer"] if kind == "judge" else 0)
            found.append(calls(name, kind, number * rounds, prompt, options.get(step.tries, 1)))
        answered, first = float(step.answers), reply["answer"]  # the seed's own answer is no more
    if settings.get("judge", {}).get("min_mean") is not None:
        number = _mean_exchanges(settings) * group.skilled
        found.append(calls("judge", "judge", number, PROMPT + group.opening + first + reply["answer"]))
    return found


def by_kind(calls: list[Calls]) -> list[Calls]:
    """The same, joined by technique and kind, in the order of their first occurrence."""
    joined: dict[tuple[str, str], list[Calls]] = {}
    for one in calls:
        joined.setdefault((one.technique, one.kind), []).append(one)
    return [Calls(*names, **_numbers(total(same))) for names, same in joined.items()]


def _numbers(calls: Calls) -> dict[str, float]:
    return {name: value for name, value in vars(calls).items() if name not in ("technique", "kind")}


def _mean_exchanges(settings: Row) -> float:
    weights = sum(option["weight"] for option in settings["exchanges"])
    return sum(option["count"] * option["weight"] for option in settings["exchanges"]) / weights


def _amplify(
    opening: float, first: float, answered: float, settings: Row, reply: dict[str, int]
) -> Iterator[tuple[str, float, float]]:
    """(kind, number, tokens of the prompt) of Amplify-Instruct's requests: every one repeats the conversation so far."""
    if answered < 1:
        yield "answer", 1 - answered, PROMPT + opening
    first = first * answered + reply["answer"] * (1 - answered)
    weights = sum(option["weight"] for option in settings["exchanges"])
    for place in range(max(option["count"] for option in settings["exchanges"]) - 1):
        share = sum(option["weight"] for option in settings["exchanges"] if option["count"] > place + 1) / weights
        so_far = opening + first + place * (reply["follow_up"] + reply["answer"])
        yield "follow_up", share, PROMPT + so_far
        yield "answer", share, PROMPT + so_far + reply["follow_up"]


def recipe_of(settings: Row) -> list[Row]:
    """The paths of the configuration."""
    return settings.get("recipe") or [{"path": ["amplify"], "weight": 1}]


def expected_groups(limit: int, settings: Row) -> list[Group]:
    """Groups by the weights of the recipe, for seeds that are not there yet."""
    recipe = recipe_of(settings)
    total = sum(entry["weight"] for entry in recipe)
    return [Group(tuple(entry["path"]), limit * entry["weight"] / total) for entry in recipe]


def seed_groups(seeds: list[Row], settings: Row) -> list[Group]:
    """Groups as the recipe draws them for these very seeds."""
    members: dict[tuple[str, ...], list[Row]] = {}
    for seed in seeds:
        drawn = path(begin(seed, settings["random_seed"]), recipe_of(settings))
        members.setdefault(tuple(technique.name for technique in drawn), []).append(seed)
    groups = []
    for names, rows in sorted(members.items()):
        answers = [row["response"] for row in rows if row["response"]]
        groups.append(
            Group(
                names,
                len(rows),
                sum(len(row["instruction"]) + len(row["context"]) for row in rows) / len(rows) / CHARS,
                sum(map(len, answers)) / len(answers) / CHARS if answers else 0.0,
                len(answers) / len(rows),
                sum(bool(row["skills"]) for row in rows) / len(rows),
            )
        )
    return groups


def in_cache(seeds: list[Row], config: Row, cache: RequestCache) -> dict[str, Any]:
    """Which seeds are finished, found by making their conversations from the cache alone: {finished, requests, tokens}.

    `finished` are ids of seeds; requests, prompt_tokens and completion_tokens are those of seeds that are begun.
    """
    teacher = answering(config["teacher"])
    name, who = served_name(teacher), identity(teacher)
    begun = {"finished": set(), "requests": 0, "prompt_tokens": 0, "completion_tokens": 0}

    async def one(seed: Row) -> None:
        answers = []

        async def ask(messages: Any, sampling: Row, number: int, response_format: Row | None = None) -> Row:
            answer = cache.get(stored_form(request_for(name, messages, sampling, number, response_format), who))
            if answer is None:
                raise TeacherError("not in the cache")
            answers.append(answer)
            return answer

        scribe = Scribe(ask, config["synthesis"], teacher["prefill"], seeds)  # sorted by id, as the stage has them
        try:
            await make(seed, scribe, {})
        except BadTurn:
            pass  # it is asked no more
        except TeacherError:
            begun["requests"] += len(answers)
            for count in ("prompt_tokens", "completion_tokens"):
                begun[count] += sum(answer.get(count, 0) for answer in answers)
            return
        begun["finished"].add(seed["id"])

    if cache.folder.is_dir():
        with progress(len(seeds), "looking into the cache", "seed") as bar, asyncio.Runner() as runner:
            for seed in seeds:
                runner.run(one(seed))
                bar.update()
    return begun


def measured(stats: Path) -> Measured:
    """Lengths, repeats and speed of the run's own earlier synthesis."""
    found = Measured(dict(REPLY))
    if not stats.is_file():
        return found
    row = read_json(stats)
    for kind, key in (("follow_up", "mean_follow_up_chars"), ("answer", "mean_answer_chars")):
        if row.get(key):
            found.reply[kind] = round(row[key] / CHARS)
    asked, faults = row.get("requests", 0) + row.get("cached", 0), sum(row.get("faults", {}).values())
    if asked > faults:
        found.again = asked / (asked - faults)
    if row.get("completion_tokens") and row.get("seconds"):
        found.tokens_per_second = row["completion_tokens"] / row["seconds"]
    return found


def total(calls: list[Calls]) -> Calls:
    """All of them together."""
    return Calls("", "", **{name: sum(getattr(one, name) for one in calls) for name in _numbers(Calls("", ""))})


def hours(calls: Calls, tokens_per_second: float | None, rate: Row) -> float | None:
    """Hours at a speed, or as long as the rate limits make it; None if neither is known."""
    times = []
    if tokens_per_second:
        times.append(calls.completion_tokens / tokens_per_second / 3600)
    if rate.get("requests_per_minute"):
        times.append(calls.requests / rate["requests_per_minute"] / 60)
    if rate.get("tokens_per_minute"):
        times.append((calls.prompt_tokens + calls.completion_tokens) / rate["tokens_per_minute"] / 60)
    return max(times, default=None)

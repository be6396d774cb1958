"""Conversations of the scripted teacher, generated in this process without a server; for the comparison with the released file."""

import asyncio
import random
from collections import Counter
from typing import Any

from tests.support.examples import pool
from tests.support.scripted_replies import ADJECTIVES, NOUNS, fingerprint, reply_text, sentences
from workflow_scripts.common.rows import content_id
from workflow_scripts.synthesis.draft import BadTurn
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.recipe import generate_conversation
from workflow_scripts.synthesis.released import SOURCES as RELEASED

# Shares of the amplified sources of the released file, and of kinds of requests (ours).
SOURCES = {
    "Airoboros": 3516, "Know-Logic": 1867, "EverythingLM": 1344, "General-Instruct": 846, "GPT4LLM": 820, "Less-Wrong": 656, "SuperCOT": 428
}  # fmt: skip
REQUESTS = {
    "explanation": (78, "Why does the {} {} matter when a {} {} is near?"),
    "code": (5, "Write a Python function that sorts every {} {} by its {} {}."),
    "mathematics": (8, "How many {} {}s remain if 7 of 40 {} {}s are removed twice?"),
    "creative": (4, "Write a short story about a {} {} and a {} {}."),
    "role_play": (2, "You are an old {} {} keeper. Answer in character: what is the {} {} to you?"),
    "summary": (3, "Summarise what is known of the {} {} and of the {} {}."),
}
FOLLOW_UP_CHARS = 148  # of the scripted teacher, on average
DOMAINS = ["Natural Science", "Technology", "History", "Culture", "Humanities", "Health", "Social Science", "Language"]
KIND_DOMAINS = {"code": "Coding", "mathematics": "Math"}


def make_seeds(count: int) -> list[dict[str, Any]]:
    """Seeds of all kinds. Most have an answer as long as their source's in the released file, some one of a word."""
    rng = random.Random(count)
    seeds = []
    for number in range(count):
        kind = rng.choices(list(REQUESTS), [share for share, _ in REQUESTS.values()])[0]
        source = rng.choices(list(SOURCES), list(SOURCES.values()))[0]
        adjectives, nouns = rng.sample(ADJECTIVES, 2), rng.sample(NOUNS, 2)
        words = [adjectives[0], nouns[0], adjectives[1], nouns[1]]
        released = RELEASED[source]
        # An opening as long as the source's mean leaves it, with follow-ups of the released length.
        length = released["exchanges"] * released["user_chars"] - (released["exchanges"] - 1) * FOLLOW_UP_CHARS
        short = kind in ("explanation", "mathematics") and rng.random() < 0.2
        seeds.append(
            {
                "id": content_id("simulated", number), "source": source, "dataset": "simulated", "revision": "0", "license": "Apache-2.0",
                "kind": "instruction", "instruction": f"{REQUESTS[kind][1].format(*words)} (case {number})",
                "context": _filler(rng, length - 85),
                "response": "46" if short else f"The {words[0]} {words[1]} carries most of the weight, and the {words[3]} follows. "
                + _filler(rng, released["answer_chars"]),
                "domain": KIND_DOMAINS.get(kind) or rng.choice(DOMAINS), "skills": ["Factuality", "Insightfulness", "Completeness"],
                "difficulty": "formal education", "meta": {},
            }
        )  # fmt: skip
    return seeds


def _filler(rng: random.Random, chars: float) -> str:
    """Sentences of about this length; empty if it is shorter than one."""
    found: list[str] = []
    while sum(map(len, found)) < chars - 50:
        found.append(rng.choice(sentences()))
    return " ".join(found)


def generate(
    seeds: list[dict[str, Any]], settings: dict[str, Any], careless: bool = False
) -> tuple[list[dict[str, Any]], Counter[str], Counter[str]]:
    """(conversations, rejected seeds by fault, faults of turns) of the seeds under `synthesis` of a configuration."""
    lost: Counter[str] = Counter()

    async def ask(messages: Any, sampling: Any, seed: int, response_format: Any = None) -> Any:
        body = {"messages": messages, "seed": seed, **sampling, "response_format": response_format}
        text = reply_text(body, fingerprint(body), careless)
        return {"text": text, "finish_reason": "stop", "prompt_tokens": 0, "completion_tokens": len(text) // 4}

    topics = [f"the {adjective} {noun}" for adjective, noun in zip(ADJECTIVES, NOUNS, strict=False)]
    generator = Generator(ask, settings, False, topics)

    examples = pool(seeds)

    async def run() -> list[dict[str, Any]]:
        rows = []
        for seed in seeds:
            shown = {**seed, "examples": examples.draw(seed, 3)}
            try:
                rows.append(await generate_conversation(shown, generator, {"model": "scripted"}))
            except BadTurn as error:
                lost[str(error)] += 1
        return rows

    return asyncio.run(run()), lost, generator.faults

"""Follow-ups and answers of the scripted teacher that obey the prompts of Amplify-Instruct, or ignore them.

A prompt states form, recap clause, structure and place of a follow-up, and length and layout of an answer; the texts are
composed accordingly from the words of the last answer. The `careless` variants have one form, one beginning and one layout.
"""

import random
import re
from collections.abc import Callable, Sequence

from workflow_scripts.synthesis.forms import GENERIC

USER_TURN = re.compile(r"\bthe user's next message\b")
SHAPE = re.compile(r"\bWrite about (\d+) words\b")
RECAP = re.compile(r'\bintroduced by "([^"]+)"')
CHARS_A_WORD = 6.2
MIN_TERM_LETTERS = 6
STARTS = {
    "question": [
        "How might {} influence", "In what ways do {} determine", "To what extent do {} limit", "Which consequences would {} have for",
        "Why would {} matter for", "How do {} constrain", "By what means can {} replace", "Under which conditions do {} resemble",
        "Which role do {} play in", "What would {} contribute to", "Where would {} stop resembling", "When do {} begin to affect",
    ],
    "imperative": [
        "Explain how {} influence", "Discuss the way {} determine", "Describe how {} limit", "Contrast {} with", "Analyse how {} constrain",
        "Examine whether {} could replace", "Outline which consequences {} have for", "Calculate how many {} fit into", "Reflect on the way {} shape",
        "Illustrate with numbers how {} affect", "Compare the effects of {} on",
    ],
    "elaborate": ["Elaborate on the way {} determine", "Expand on how {} limit", "Delve into the way {} shape", "Elaborate on what {} mean for"],
    "can_you": ["Could you elaborate on how {} affect", "Can you expand on the way {} limit", "Could you delve into the way {} change"],
}  # fmt: skip
AFTER_RECAP = [
    "how might {} influence",
    "in what ways do {} limit",
    "which consequences would {} have for",
    "to what extent do {} determine",
]
TAILS = [
    "when the supply is {} and the demand is {}", "in regions where {} conditions meet {} ones", "for readers who know only the {} and the {} version",
    "during a {} period that follows a {} one", "if a {} instrument replaces a {} one", "at a {} scale as well as at a {} one",
    "over several {} generations of {} use", "against the background of {} and {} traditions",
]  # fmt: skip
NARROWING = [
    "particularly in {} places",
    "taking {} costs into account",
    "especially for {} users",
    "with a focus on {} risks",
]
JOINED = [
    "and what follows from it for {} ones",
    "and how this could be measured in a {} place",
    "and which {} exceptions are known",
]
LENGTHS = (60, 235, 120)  # characters: shortest, longest, most frequent


def follow_up(
    prompt: str, earlier: list[str], rng: random.Random, nouns: Sequence[str], adjectives: Sequence[str]
) -> str:
    """A follow-up as the prompt asks for it, about a word of the first text of `earlier` that has one."""
    term = _term(earlier, rng)
    things = f"{rng.choice(adjectives)} {rng.choice(nouns)}s"
    imperative = "It is an instruction" in prompt
    recap = RECAP.search(prompt)
    wanted = rng.triangular(*LENGTHS)
    if recap:
        text = (
            f"{recap[1]} {rng.choice(adjectives)} {term}, {rng.choice(AFTER_RECAP).format(things)} {rng.choice(nouns)}s"
        )
    else:
        elaborate = "elaborate on, expand on or delve into" in prompt
        kind = ("elaborate" if elaborate else "imperative") if imperative else "can_you" if elaborate else "question"
        text = f"{rng.choice(STARTS[kind]).format(things)} the {term}"
    end = ""
    if "joins two closely related requests" in prompt:
        end = f" {rng.choice(JOINED).format(rng.choice(adjectives))}"
    elif "ends with a phrase that narrows" in prompt:
        end = f", {rng.choice(NARROWING).format(rng.choice(adjectives))}"
    tails = rng.sample(TAILS, len(TAILS))
    while tails and len(text) + len(end) < wanted - 25:
        text += f" {tails.pop().format(*rng.sample(adjectives, 2))}"
    text += end
    if "followed by a question" in prompt:
        return f"{text}: which {rng.choice(adjectives)} {rng.choice(nouns)} decides?"
    return text + ("." if imperative else "?")


def answer(system: str, term: str, rng: random.Random, sentence: Callable[[random.Random], str]) -> str:
    """An answer with the length, the layout and the kind that the system message asks for."""
    shape = SHAPE.search(system)
    wanted = int(shape[1]) * CHARS_A_WORD if shape else rng.uniform(1220, 1760)
    if "one fenced block" in system:
        lines = "\n".join(f"    value_{n} = step({n})" for n in range(1, rng.randint(4, 8)))
        start = f"```python\ndef {term}():\n{lines}\n```\n"
    elif "Work out the result step by step" in system:
        start = (
            "\n".join(
                f"Step {n}: x_{n} = {rng.randint(2, 99)} * {rng.randint(2, 9)}, because the {term} stays fixed."
                for n in range(1, 5)
            )
            + "\n"
        )
    elif "numbered list" in system:
        items = [f"{n}. {_label(rng, sentence)}: {sentence(rng)}" for n in range(1, rng.randint(5, 8))]
        start = f"The {term} depends on several parts.\n\n" + "\n".join(items) + "\n\n"
    else:
        start = f"What matters about {term} is easily missed. "
    text = start
    while len(text) < wanted - 60:
        text += sentence(rng) + ("\n\n" if rng.random() < 0.15 else " ")
    return text.strip()


def careless_follow_up(earlier: list[str], rng: random.Random) -> str:
    """Always the same question, in the first person."""
    return f"Can you tell me more about the {_term(earlier, rng)} that you mentioned in it?"


def careless_answer(term: str, rng: random.Random, sentence: Callable[[random.Random], str]) -> str:
    """A short answer with a greeting, a heading and bold text."""
    return f"Sure! Here is more about it.\n\n## The {term}\n\n**Note:** " + " ".join(
        sentence(rng) for _ in range(rng.randint(2, 3))
    )


def _label(rng: random.Random, sentence: Callable[[random.Random], str]) -> str:
    return " ".join(re.findall(r"[a-z]{5,}", sentence(rng))[:2]).capitalize()


def _term(texts: list[str], rng: random.Random) -> str:
    """A long word that carries a subject, of the first text that has one."""
    for text in texts:
        words = set(re.findall(rf"[a-z]{{{MIN_TERM_LETTERS},}}", text.casefold())) - GENERIC
        if words:
            return rng.choice(sorted(words))
    return "matter"

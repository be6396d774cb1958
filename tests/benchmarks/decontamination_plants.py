"""Conversations of real rows with planted benchmark texts, for tests/benchmarks/decontamination.py."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.decontamination_exactness import Haystack, padded
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.index import allowed_edits
from workflow_scripts.decontamination.removal import level_of

MIN_CHARS = 4200  # of a conversation
LEVELS = [100, 99, 98, 97]
KINDS = ["100", "99", "98", "97", "one word", "format", "two turns", "code"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def seed_texts(files: list[Path]) -> list[str]:
    """Every text of more than 10 characters in the text columns."""
    texts = []
    for file in files:
        table = pq.read_table(file)
        for name in table.column_names:
            if pa.types.is_string(table[name].type) or pa.types.is_large_string(table[name].type):
                texts += [text for text in table[name].to_pylist() if text and len(text) > 10]
    return texts


def make_conversations(texts: list[str], number: int, rng: random.Random) -> list[list[str]]:
    """The turns of each conversation; their number is even."""
    words = [word for text in texts for word in text.split()]
    made = []
    for _ in range(number):
        turns: list[str] = []
        while sum(map(len, turns)) < MIN_CHARS or len(turns) % 2:
            own = rng.choice(texts).split(" ")
            for _ in range(0, len(own), 40):
                own[rng.randrange(len(own))] = rng.choice(words)
            turns.append(" ".join(own))
        made.append(turns)
    return made


@dataclass
class Plant:
    """A planted text. `items` all have this text; `distance` is in edits, from edlib; `level` follows from it."""

    id: str
    kind: str
    text: str
    planted: str
    items: list[tuple[str, str]]
    length: int
    distance: int
    level: int


def edited(text: str, edits: int, rng: random.Random) -> str:
    """A text with `edits` of its letters substituted, deleted, or followed by another letter."""
    letters = list(text)
    places = [place for place, letter in enumerate(letters) if letter.isalnum()]
    for place in rng.sample(places, min(edits, len(places))):
        chance, other = rng.random(), rng.choice(LETTERS)
        if chance < 0.5:
            letters[place] = other
        else:
            letters[place] = "" if chance < 0.75 else letters[place] + other
    return "".join(letters)


def with_edits(text: str, length: int, level: int, rng: random.Random) -> str | None:
    """A text with a number of edits that `level` allows and `level` + 1 does not; None if there is no such number."""
    min_edits = allowed_edits(length, level + 1) + 1 if level < 100 else 0
    max_edits = allowed_edits(length, level)
    return edited(text, rng.randint(min_edits, max_edits), rng) if min_edits <= max_edits else None


def with_one_word(text: str, words: list[str], rng: random.Random) -> str:
    own = re.split(r"(\s+)", text)
    place = rng.randrange(0, len(own), 2)
    own[place] = rng.choice(words)
    return "".join(own)


def with_other_format(text: str, rng: random.Random) -> str:
    """A text with random words in bold face or capitals and random spaces replaced by line breaks."""
    words = text.split(" ")
    shapes = (str, str, str, str.upper, str.title, "**{}**".format, "\n- {}".format, "{}\n".format)
    return " ".join(rng.choice(shapes)(word) for word in words)


def vary(kind: str, query: Row, words: list[str], rng: random.Random) -> str | None:
    text, length = query["text"], len(query["normal"])
    match kind:
        case "one word":
            return with_one_word(text, words, rng)
        case "format":
            return with_other_format(text, rng)
        case "two turns":
            return text if " " in text.strip() else None
        case "code":
            return with_edits(text, length, rng.choice(LEVELS), rng)
        case _:
            return with_edits(text, length, int(kind), rng)


def put(turns: list[str], text: str, kind: str, rng: random.Random) -> None:
    """Insert a text between two words of a turn, or across the end of a turn and the start of the next."""
    turn = rng.randrange(len(turns) - 1)
    if kind == "two turns":
        spaces = [place for place, letter in enumerate(text.strip()) if letter == " "]
        middle = rng.choice(spaces)
        turns[turn] += "\n" + text.strip()[:middle]
        turns[turn + 1] = text.strip()[middle + 1 :] + "\n" + turns[turn + 1]
    else:
        words = turns[turn].split(" ")
        place = rng.randint(0, len(words))
        turns[turn] = " ".join([*words[:place], f"\n{text}\n", *words[place:]])


def plant(conversations: list[list[str]], texts: list[Row], amount: int, rng: random.Random) -> list[Plant]:
    """Plant `amount` texts of each kind, each in its own conversation; returns them with their distances from edlib."""
    free = rng.sample(range(len(conversations)), len(conversations))
    words = [word for turns in conversations[:200] for text in turns for word in text.split()]
    code = [row for row in texts if any(name == "humaneval" for name, _ in row["items"]) and "def " in row["text"]]
    plants = []
    for kind in KINDS:
        pool = code if kind == "code" else texts
        wanted, tries = (min(amount, len(pool)) if kind != "code" or code else 0), 0
        while wanted and tries < 400 * amount:
            tries += 1
            query = rng.choice(pool)
            varied = vary(kind, query, words, rng)
            if varied is None or not is_near(query, varied, kind):
                continue
            turns = list(conversations[free[-1]])
            put(turns, varied, kind, rng)
            length = len(query["normal"])
            distance = Haystack(padded("\n".join(turns))).distance(f" {query['normal']} ", allowed_edits(length, 97))
            level = level_of(distance, length, LEVELS) if distance >= 0 else None
            if level is None or (kind.isdigit() and level != int(kind)):
                continue
            number = free.pop()
            conversations[number] = turns
            plants.append(Plant(f"c{number}", kind, query["text"], varied, query["items"], length, distance, level))
            wanted -= 1
    return plants


def is_near(query: Row, varied: str, kind: str) -> bool:
    """Whether a variant on its own is a hit at 97 %; an exact hit is none for `one word`."""
    distance = Haystack(padded(varied)).distance(f" {query['normal']} ", allowed_edits(len(query["normal"]), 97))
    return distance >= 0 and (kind != "one word" or distance > 0)

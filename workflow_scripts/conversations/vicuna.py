"""Vicuna's cleaning and splitting of finished conversations (https://github.com/lm-sys/FastChat, fastchat/data)."""

import re

import pyarrow as pa

from workflow_scripts.common.conversations import turns
from workflow_scripts.common.types import Exchange
from workflow_scripts.seeds.cleaning.text_repair import repair_texts

# A number that begins with nine equal digits. FastChat's `reduce_rep` matches nine equal digits anywhere, and so also
# 1000000000 and 0.333333333.
DIGIT_RUN = re.compile(r"(?<![\d.,])(\d)\1{8}")
# Special tokens of Llama, Mistral and Gemma, and the form <|...|> of most other models.
SPECIAL_TOKEN = re.compile(
    r"<(?=(?:/?s|unk|pad|bos|eos|mask|start_of_turn|end_of_turn|\|[\w/]{1,40}\|)>|</?SYS>>)|\[(?=/?INST\])"
)
LIST_ITEM = re.compile(r"^(\s*)(\d{1,3})([.)])(?=\s)")
FENCE = re.compile(r"^\s*(?:```|~~~)")
HEADING = re.compile(r"^\s*(?:#|\*\*.*\*\*\s*$)|:[*_\s]*$")


def clean(exchanges: list[Exchange]) -> list[Exchange]:
    """The conversation with HTML converted to text, lists of "1." items renumbered, and special tokens split by a space.

    It ends before the first exchange with a run of nine equal digits, a typical degeneration; FastChat drops the whole
    conversation.
    """
    cleaned = []
    for exchange in exchanges:
        texts: Exchange = {"input": _clean_text(exchange["input"]), "output": _clean_text(exchange["output"])}
        if any(DIGIT_RUN.search(text) for text in turns([texts])):
            break
        cleaned.append(texts)
    return cleaned


def split(exchanges: list[Exchange], max_chars: int) -> list[list[Exchange]]:
    """The conversation in parts of whole exchanges, each of at most `max_chars` characters.

    A longer exchange is not split and forms a part of its own; see `too_long`.
    """
    parts: list[list[Exchange]] = []
    room = 0
    for exchange in exchanges:
        if not parts or length([exchange]) > room:
            parts.append([])
            room = max_chars
        parts[-1].append(exchange)
        room -= length([exchange])
    return parts


def too_long(parts: list[list[Exchange]], max_chars: int) -> list[int]:
    """The indices of the parts longer than the limit."""
    return [place for place, part in enumerate(parts) if length(part) > max_chars]


def length(exchanges: list[Exchange]) -> int:
    """The number of characters in all turns."""
    return sum(map(len, turns(exchanges)))


def _clean_text(text: str) -> str:
    if text.lstrip().startswith("<"):
        text = repair_texts(pa.array([text]))[0].as_py()
    return SPECIAL_TOKEN.sub(r"\g<0> ", _renumber(text))


def _renumber(text: str) -> str:
    """The text with lists in which every item is number 1 renumbered. Code is unchanged; a heading begins a new list."""
    if len(re.findall(r"(?m)^[^\S\n]*1[.)]\s", text)) < 2:
        return text
    lines = text.split("\n")
    lists: list[list[tuple[int, re.Match[str]]]] = []  # places of the items of each list
    last: dict[str, int] = {}  # number of the list that an item with this indentation continues
    code = False
    for place, line in enumerate(lines):
        code ^= FENCE.match(line) is not None
        item = None if code else LIST_ITEM.match(line)
        if item:
            indent = item[1]
            if indent not in last:
                last[indent] = len(lists)
                lists.append([])
            lists[last[indent]].append((place, item))
            last = {other: number for other, number in last.items() if len(other) <= len(indent)}
        elif HEADING.search(line) and not line.startswith(" "):
            last = {}
    for items in lists:
        if len(items) > 1 and len({item[3] for _, item in items}) == 1 and all(item[2] == "1" for _, item in items):
            for number, (place, item) in enumerate(items, 1):
                lines[place] = f"{item[1]}{number}{item[3]}{lines[place][item.end() :]}"
    return "\n".join(lines)

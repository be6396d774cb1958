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
    last: dict[str, tuple[str, int]] = {}  # by indentation: the last item's mark as written, and its new number
    code = False
    for place, line in enumerate(lines):
        code ^= FENCE.match(line) is not None
        item = None if code else LIST_ITEM.match(line)
        if item:
            indent, number, mark = item.groups()
            written = number + mark
            count = last[indent][1] + 1 if number == "1" and last.get(indent, ("",))[0] == written else int(number)
            last = {other: seen for other, seen in last.items() if len(other) < len(indent)}
            last[indent] = (written, count)
            lines[place] = f"{indent}{count}{mark}{line[item.end() :]}"
        elif HEADING.search(line) and not line.startswith(" "):
            last = {}
    return "\n".join(lines)

"""Vicuna's cleaning and splitting of conversations (https://github.com/lm-sys/FastChat, fastchat/data).

No step of a path: it is applied to conversations that are finished, ours or included ones.
"""

import re

import pyarrow as pa

from workflow_scripts.common.conversations import Exchange
from workflow_scripts.seeds.cleaning.text_repair import mend

# A number that begins with nine equal digits. FastChat's `reduce_rep` takes any nine in a row, and with them 1000000000
# and 0.333333333.
DIGITS = re.compile(r"(?<![\d.,])(\d)\1{8}")
# Of Llama, Mistral, Gemma, and the form <|...|> of most others.
SPECIAL = re.compile(
    r"<(?=(?:/?s|unk|pad|bos|eos|mask|start_of_turn|end_of_turn|\|[\w/]{1,40}\|)>|</?SYS>>)|\[(?=/?INST\])"
)
ITEM = re.compile(r"^(\s*)(\d{1,3})([.)])(?=\s)")
FENCE = re.compile(r"^\s*(?:```|~~~)")
HEADING = re.compile(r"^\s*(?:#|\*\*.*\*\*\s*$)|:[*_\s]*$")


def clean(exchanges: list[Exchange]) -> list[Exchange]:
    """The conversation with HTML read as text, numbered lists that only say "1." counted, special tokens broken up.

    It ends before the first exchange with a run of nine equal digits, which models fall into; FastChat drops all of it.
    """
    cleaned = []
    for exchange in exchanges:
        texts = {key: _cleaned(text) for key, text in exchange.items()}
        if any(DIGITS.search(text) for text in texts.values()):
            break
        cleaned.append(texts)
    return cleaned


def split(exchanges: list[Exchange], max_chars: int) -> list[list[Exchange]]:
    """The conversation in parts of whole exchanges, each of at most `max_chars` characters.

    An exchange that is longer by itself stays whole, alone in its part: `too_long` reports those.
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
    """The places of the parts that could not be brought under the limit."""
    return [place for place, part in enumerate(parts) if length(part) > max_chars]


def length(exchanges: list[Exchange]) -> int:
    """Characters of all turns."""
    return sum(len(text) for exchange in exchanges for text in exchange.values())


def _cleaned(text: str) -> str:
    if text.lstrip().startswith("<"):
        text = mend(pa.array([text]))[0].as_py()
    return SPECIAL.sub(r"\g<0> ", _counted(text))


def _counted(text: str) -> str:
    """A list whose every item is number 1 counted on; code, and lists under headings of their own, are left alone."""
    if len(re.findall(r"(?m)^\s*1[.)]\s", text)) < 2:
        return text
    lines = text.split("\n")
    last: dict[str, tuple[str, int]] = {}  # by indentation: the item's mark as written, and its number now
    code = False
    for place, line in enumerate(lines):
        code ^= FENCE.match(line) is not None
        item = None if code else ITEM.match(line)
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

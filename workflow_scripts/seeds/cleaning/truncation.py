"""Answers that stop before their end, found by how a text ends."""

import re

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.cleaning.spans import without_formulas

WORDS = read_yaml(package_file("seeds/cleaning/endings.yaml"))
# A text may end with these; RE2 and Python read the class alike. Letters, a comma, a colon and an opening bracket are not
# among them.
CLOSED = r"[.!?…。！？।؟\"”’'»)\]}>*_`~|$\\/%°=+#0-9\x{2190}-\x{2BFF}\x{1F000}-\x{1FAFF}\x{FE0F}\x{200D}™®©€£-]$"
CLOSED_PYTHON = re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda code: re.escape(chr(int(code[1], 16))), CLOSED))
FENCE = re.compile(r"^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]*)?(```|~~~)(?![`~])", re.MULTILINE)
# Marks and words that cannot end a sentence.
OPEN_END = re.compile(rf"(?:[,(\[{{]|\b(?:{'|'.join(' '.join(WORDS['open']).split())}))$")
STARTER = re.compile(rf"(?:{'|'.join(WORDS['starters'])})\b,?\s")
SENTENCE_END = re.compile(r"[.!?][\"')\]”’*_]*(?:\s|$)")
ENDS_CLOSED = re.compile(r"[.!?…:;][\"')\]”’*_]*\s*$")
ITEM = re.compile(r"^\s*(?:[-*+•–]|\(?\w{1,3}[.)]|#+)\s")
SIGN_OFF = re.compile(rf"^[\s—–-]*(?:{'|'.join(WORDS['sign_offs'])})\b", re.IGNORECASE)
SIGNATURE = re.compile(r"^\s*[—–-]\s*[A-Z]")
SIGN_OFF_CHARS = 60
# Ends that need no mark: a link, a tag or handle of a network, an equation or a reaction.
MARKED_END = re.compile(r"(?:https?://|www\.|[#@])\S+$|[.!?],$|[=→⇌≈⟶][^.!?]*$")
MAX_SYMBOLS = 0.12  # share of symbols in the last line; commands and formulas have more
SYMBOL = re.compile(r"[^\w\s.,;:!?'\"()’“”-]")
MIN_WORDS = 8  # of a last line; a shorter one is a title, a name, a label
# A text that ends on a word that could end a sentence was cut off only if it is long and ends every other paragraph with
# a mark: many people leave out the last one of a short text.
LONG_CHARS, MIN_SENTENCES = 150, 2
VERSE_CHARS = 60  # lines of verse and of tables are shorter, and several follow each other
MIN_PEERS = 2  # other items or lines by which the last one is judged


def cut_off(text: str, asked: str) -> str | None:
    """The end of an answer that was cut off, or None: an open code block, or prose without an end."""
    text = text.rstrip()
    if len(FENCE.findall(text)) % 2:
        return text[-200:]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or text.endswith("```"):
        return None
    last = without_formulas(lines[-1]).strip()
    if not last or CLOSED_PYTHON.search(last) or MARKED_END.search(last) or _signed(last):
        return None
    if len(SYMBOL.findall(last)) > MAX_SYMBOLS * len(last):
        return None
    return text[-200:] if _open(lines, last) else None


def _signed(last: str) -> bool:
    """Whether the last line, or what follows its last sentence, is the end of a letter."""
    *before, segment = SENTENCE_END.split(last)
    if before and len(segment) <= SIGN_OFF_CHARS and SIGNATURE.match(segment):
        return True
    return any(len(part) <= SIGN_OFF_CHARS and SIGN_OFF.match(part) for part in (last, segment))


def _open(lines: list[str], last: str) -> bool:
    """Whether the last line stops within a sentence, judged by its own end and by the lines before it."""
    earlier = lines[:-1]
    if _title(last):
        return False
    ends_open = OPEN_END.search(last) is not None or last.count("(") > last.count(")")
    long_line = len(last.split()) >= MIN_WORDS
    if ITEM.match(lines[-1]):
        peers = [line for line in earlier if ITEM.match(line)]
        closed = sum(ENDS_CLOSED.search(line) is not None for line in peers)
        complete = len(peers) >= MIN_PEERS and closed == len(peers)
        return (ends_open and (complete or long_line)) or (complete and _long(lines) and not _name(last))
    if _verse(lines):
        return False
    prose = [line for line in earlier if len(line.split()) >= MIN_WORDS and not ITEM.match(line)]
    sentences = sum(len(SENTENCE_END.findall(line)) for line in lines)
    if ends_open or last.endswith(":"):
        return long_line or bool(prose)
    if sentences < MIN_SENTENCES or not _long(lines) or _name(last):
        return False
    if not all(ENDS_CLOSED.search(line) for line in prose):
        return False
    return long_line or STARTER.match(last) is not None


def _long(lines: list[str]) -> bool:
    return sum(map(len, lines)) >= LONG_CHARS


def _name(last: str) -> bool:
    """Whether the last word begins with a capital: enumerations of names often lack the last mark."""
    return last.split()[-1][:1].isupper()


def _title(last: str) -> bool:
    """Whether most words of a line begin with a capital, as in a title or a list of names."""
    words = [word for word in last.split() if word[0].isalpha()]
    return sum(word[0].isupper() for word in words) > len(words) / 2


def _verse(lines: list[str]) -> bool:
    """Whether the last lines are verse, a table or a list without marks: short, and most of them without an end."""
    tail = lines[-4:]
    short = len(tail) > MIN_PEERS and all(len(line) < VERSE_CHARS for line in tail)
    return short and sum(ENDS_CLOSED.search(line) is None for line in tail[:-1]) >= len(tail[:-1]) / 2

"""The normal form in which items and conversations are compared.

NFKC, casefold, then every run of characters that are neither letters nor digits becomes one space: line breaks,
markdown, quotes and capitals then cost no edit.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from workflow_scripts.decontamination import kernels

_SEPARATORS = re.compile(r"[\W_]+")
# The character table ends here: what lies beyond is rare, and takes the slow way.
_TABLE_END = 0x20000


def normalise(text: str) -> str:
    """The normal form of a text; length is counted in code points."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def is_long_text(normal: str) -> bool:
    """Whether a normal form has 50 characters, or 20 where most of them are Chinese or Japanese, which
    are written without spaces."""
    if len(normal) >= 50 or len(normal) < 20 or normal.isascii():
        return len(normal) >= 50
    spaceless = sum("\u2e80" <= letter < "\uac00" or letter >= "\U00020000" for letter in normal)
    return 2 * spaceless >= len(normal)


def is_long(normal: str) -> bool:
    """Whether a normal form means something by itself: `is_long_text`, or 8 words."""
    return normal.count(" ") >= 7 or is_long_text(normal)


def code_points(text: str) -> np.ndarray:
    """The code points (uint32) of a text; half of a surrogate pair, which JSON may hold, is one too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@functools.cache
def _composing() -> frozenset[str]:
    """Characters that NFKC may merge with the one before them: second parts of canonical pairs, and Hangul's vowels
    and final consonants."""
    jamo = map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)])
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(_TABLE_END))
    return frozenset({*jamo, *(chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<")})


def starts_afresh(letter: str) -> bool:
    """Whether NFKC of any text with this character in it is NFKC of what is before it and NFKC of the rest."""
    first = unicodedata.normalize("NFKC", letter)[0]
    return not (unicodedata.combining(letter) or unicodedata.combining(first)) and not {letter, first} & _composing()


@functools.cache
def character_table() -> np.ndarray:
    """The normal form of each character alone, shape (0x20000,), uint32: a letter or digit, or a space for anything
    else; `kernels.COMPLEX` for those whose normal form has several characters or depends on their neighbours."""
    table = np.full(_TABLE_END, kernels.COMPLEX, dtype=np.uint32)
    for code in range(_TABLE_END):
        letter = chr(code)
        normal = unicodedata.normalize("NFKC", letter).casefold()
        if letter.isascii() or starts_afresh(letter):
            if not any(map(str.isalnum, normal)):
                table[code] = kernels.SPACE
            elif len(normal) == 1:
                table[code] = ord(normal)
    table[-1] = kernels.COMPLEX  # stands for all beyond
    return table


@functools.cache
def _identity_table() -> np.ndarray:
    """The same for texts that are in NFKC and casefolded already, shape (0x110000,)."""
    codes = np.arange(0x110000, dtype=np.uint32)
    table = np.full(len(codes), kernels.SPACE, dtype=np.uint32)
    wanted = np.fromiter((chr(code).isalnum() for code in range(len(codes))), bool, len(codes))
    table[wanted] = codes[wanted]
    return table


@dataclass(frozen=True)
class NormalTexts:
    """Padded normal forms of some texts, one after the other.

    `codes` (uint32; the same as `folds` where all is ASCII) and `folds` (uint8) hold them, text t in
    [bounds[t], bounds[t + 1]); anchors may begin at the places starts[start_bounds[t]:start_bounds[t + 1]];
    `numbers[t]` is the text's place in the list it came from.
    """

    codes: np.ndarray
    folds: np.ndarray
    starts: np.ndarray
    bounds: np.ndarray
    start_bounds: np.ndarray
    numbers: np.ndarray


def normal_texts(texts: list[str]) -> list[NormalTexts]:
    """The padded normal forms (` ` + `normalise(text)` + ` `) of all texts: those in ASCII and most others in one pass
    over their characters, those with a character that depends on its neighbours by way of `unicodedata`."""
    ascii_only = np.fromiter(map(str.isascii, texts), bool, len(texts))
    made = []
    if ascii_only.any():
        numbers = np.flatnonzero(ascii_only)
        made.append(_normal_texts([texts[number] for number in numbers], character_table(), numbers)[0])
    if not ascii_only.all():
        numbers = np.flatnonzero(~ascii_only)
        normal, simple = _normal_texts([texts[number] for number in numbers], character_table(), numbers)
        made.append(normal)
        if not simple.all():
            numbers = numbers[~simple]
            settled = [unicodedata.normalize("NFKC", texts[number]).casefold() for number in numbers]
            made.append(_normal_texts(settled, _identity_table(), numbers)[0])
    return made


def _normal_texts(texts: list[str], table: np.ndarray, numbers: np.ndarray) -> tuple[NormalTexts, np.ndarray]:
    joined = "".join(texts)
    raw = np.frombuffer(joined.encode(), np.uint8) if joined.isascii() else code_points(joined)
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    room = len(raw) + 2 * len(texts) + 1
    folds = np.zeros(room + kernels.PADDING, np.uint8)
    codes = folds if raw.dtype == np.uint8 else np.empty(room, np.uint32)
    simple, bounds = np.empty(len(texts), bool), np.empty(len(texts) + 1, np.int64)
    kernels.compact(raw, ends, table, codes, bounds, simple)
    length = bounds[-1]
    if codes is not folds:
        kernels.fold(codes[:length], folds)
    starts = np.empty(room, np.int32)
    starts = starts[: kernels.find_starts(folds, length, starts)]
    return NormalTexts(codes, folds, starts, bounds, np.searchsorted(starts, bounds), numbers), simple

"""The normal form in which items and conversations are compared.

NFKC, casefold, then every run of characters that are neither letters nor digits becomes one space. Line breaks, markdown,
quotes and capitals therefore cost no edit.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from workflow_scripts.decontamination import text_kernels

_SEPARATORS = re.compile(r"[\W_]+")
# End of the character table: characters beyond it are rare and are normalised by `unicodedata`.
_TABLE_END = 0x20000


def normalise(text: str) -> str:
    """The normal form of a text, without padding."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def is_long_text(normal: str) -> bool:
    """Whether a normal form has 50 characters, or 20 if at least half of them are of scripts without spaces (Chinese,
    Japanese)."""
    if len(normal) >= 50 or len(normal) < 20 or normal.isascii():
        return len(normal) >= 50
    spaceless = sum("\u2e80" <= letter < "\uac00" or letter >= "\U00020000" for letter in normal)
    return 2 * spaceless >= len(normal)


def is_long(normal: str) -> bool:
    """Whether a normal form is specific enough by itself: `is_long_text`, or 8 words."""
    return normal.count(" ") >= 7 or is_long_text(normal)


def code_points(text: str) -> np.ndarray:
    """The code points (uint32) of a text; unpaired surrogates, which JSON may contain, are kept."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@functools.cache
def _composing() -> frozenset[str]:
    """Characters that NFKC may compose with the one before: second parts of canonical pairs, Hangul vowels and finals."""
    jamo = map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)])
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(_TABLE_END))
    return frozenset({*jamo, *(chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<")})


def has_boundary_before(letter: str) -> bool:
    """Whether NFKC of a text can be computed separately before and from this character (a normalisation boundary)."""
    first = unicodedata.normalize("NFKC", letter)[0]
    return not (unicodedata.combining(letter) or unicodedata.combining(first)) and not {letter, first} & _composing()


@functools.cache
def character_table() -> np.ndarray:
    """The normal form of each single character, uint32, shape (0x20000,): a letter or digit, a space for anything else.

    `text_kernels.COMPLEX` marks characters whose normal form has several characters or depends on its neighbours.
    """
    table = np.full(_TABLE_END, text_kernels.COMPLEX, dtype=np.uint32)
    for code in range(_TABLE_END):
        letter = chr(code)
        normal = unicodedata.normalize("NFKC", letter).casefold()
        if letter.isascii() or has_boundary_before(letter):
            if not any(map(str.isalnum, normal)):
                table[code] = text_kernels.SPACE
            elif len(normal) == 1:
                table[code] = ord(normal)
    table[-1] = text_kernels.COMPLEX  # for all characters beyond the table
    return table


@functools.cache
def _identity_table() -> np.ndarray:
    """The table for texts that are already in NFKC and casefolded, uint32, shape (0x110000,)."""
    codes = np.arange(0x110000, dtype=np.uint32)
    table = np.full(len(codes), text_kernels.SPACE, dtype=np.uint32)
    alphanumeric = np.fromiter((chr(code).isalnum() for code in range(len(codes))), bool, len(codes))
    table[alphanumeric] = codes[alphanumeric]
    return table


@dataclass(frozen=True)
class NormalTexts:
    """The padded normal forms of several texts in one array.

    `codes` (uint32, or `folds` itself if all is ASCII) and `folds` (uint8) contain text t in [bounds[t], bounds[t + 1]).
    starts[start_bounds[t]:start_bounds[t + 1]] are the positions where its anchors may start; `numbers[t]` is its place
    in the list of texts.
    """

    codes: np.ndarray
    folds: np.ndarray
    starts: np.ndarray
    bounds: np.ndarray
    start_bounds: np.ndarray
    numbers: np.ndarray


def normal_texts(texts: list[str]) -> list[NormalTexts]:
    """The padded normal forms (` ` + `normalise(text)` + ` `) of all texts, in up to three groups.

    ASCII texts and most others take one pass over their characters. Texts with a character that depends on its
    neighbours are normalised by `unicodedata` first.
    """
    ascii_only = np.fromiter(map(str.isascii, texts), bool, len(texts))
    groups = []
    if ascii_only.any():
        numbers = np.flatnonzero(ascii_only)
        groups.append(_normal_texts([texts[number] for number in numbers], character_table(), numbers)[0])
    if not ascii_only.all():
        numbers = np.flatnonzero(~ascii_only)
        normal, simple = _normal_texts([texts[number] for number in numbers], character_table(), numbers)
        groups.append(normal)
        if not simple.all():
            numbers = numbers[~simple]
            normalised = [unicodedata.normalize("NFKC", texts[number]).casefold() for number in numbers]
            groups.append(_normal_texts(normalised, _identity_table(), numbers)[0])
    return groups


def _normal_texts(texts: list[str], table: np.ndarray, numbers: np.ndarray) -> tuple[NormalTexts, np.ndarray]:
    joined = "".join(texts)
    raw = np.frombuffer(joined.encode(), np.uint8) if joined.isascii() else code_points(joined)
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    room = len(raw) + 2 * len(texts) + 1
    folds = np.zeros(room + text_kernels.PADDING, np.uint8)
    codes = folds if raw.dtype == np.uint8 else np.empty(room, np.uint32)
    simple, bounds = np.empty(len(texts), bool), np.empty(len(texts) + 1, np.int64)
    text_kernels.compact(raw, ends, table, codes, bounds, simple)
    length = bounds[-1]
    if codes is not folds:
        text_kernels.fold(codes[:length], folds)
    starts = np.empty(room, np.int32)
    starts = starts[: text_kernels.find_starts(folds, length, starts)]
    return NormalTexts(codes, folds, starts, bounds, np.searchsorted(starts, bounds), numbers), simple

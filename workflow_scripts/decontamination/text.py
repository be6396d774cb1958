"""The normal form in which items and conversations are compared.

Format characters are removed (soft hyphens, zero-width characters, direction marks, tatweel; Unicode's
Default_Ignorable_Code_Point), then NFKC and casefold, as in Unicode's NFKC_Casefold. The combining marks that are left are
removed, and every run of other characters than letters and digits becomes one space. Line breaks, markdown, quotes, capitals,
vowel points and invisible characters inside words therefore cost no edit.
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


# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, and the tatweel, which only stretches a word.
_IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x640, 0x640), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip


@functools.cache
def format_characters() -> dict[int, None]:
    """The characters that are removed before NFKC, as a table for `str.translate`: they show nothing."""
    listed = {code for first, last in _IGNORABLE for code in range(first, last + 1)}
    return dict.fromkeys(listed | {code for code in range(_TABLE_END) if unicodedata.category(chr(code)) == "Cf"})


@functools.cache
def _removed() -> dict[int, None]:
    """The characters that are removed after NFKC: format characters and combining marks."""
    marks = (code for code in range(_TABLE_END) if unicodedata.category(chr(code)).startswith("M"))
    return format_characters() | dict.fromkeys(marks)


def folded(text: str) -> str:
    """The text without format characters, in NFKC and casefolded; combining marks are still in it."""
    return unicodedata.normalize("NFKC", text.translate(format_characters())).casefold()


def letters_of(text: str) -> str:
    """The normal form of a text before runs of separators become one space."""
    return folded(text).translate(_removed())


def normalise(text: str) -> str:
    """The normal form of a text, without padding."""
    return _SEPARATORS.sub(" ", letters_of(text)).strip()


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

    `text_kernels.DELETED` marks characters that are removed, `text_kernels.COMPLEX` characters whose normal form has
    several characters or depends on its neighbours.
    """
    table = np.full(_TABLE_END, text_kernels.COMPLEX, dtype=np.uint32)
    for code in range(_TABLE_END):
        letter = chr(code)
        if code in format_characters():
            table[code] = text_kernels.DELETED
        elif letter.isascii() or has_boundary_before(letter):
            normal = letters_of(letter)
            if not normal:
                table[code] = text_kernels.DELETED
            elif not any(map(str.isalnum, normal)):
                table[code] = text_kernels.SPACE
            elif len(normal) == 1:
                table[code] = ord(normal)
    table[-1] = text_kernels.COMPLEX  # for all characters beyond the table
    return table


@functools.cache
def _identity_table() -> np.ndarray:
    """The table for texts that are already `folded`, uint32, shape (0x110000,)."""
    codes = np.arange(0x110000, dtype=np.uint32)
    table = np.full(len(codes), text_kernels.SPACE, dtype=np.uint32)
    alphanumeric = np.fromiter((chr(code).isalnum() for code in range(len(codes))), bool, len(codes))
    table[alphanumeric] = codes[alphanumeric]
    table[list(_removed())] = text_kernels.DELETED
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
    neighbours are `folded` first.
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
            groups.append(_normal_texts([folded(texts[number]) for number in numbers], _identity_table(), numbers)[0])
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

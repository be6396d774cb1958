"""Detection of texts that are not English (lingua)."""

import functools
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean
from workflow_scripts.seeds.cleaning.spans import QUOTED, blank, without_code, without_formulas

HEAD_CHARS = 600  # sufficient for detection; a text may quote another language later
CODE = r"(?s)```.*?(?:```|$)"
# Words of English alone. A text in which at least one of 20 words is one of them is English; only one in 20 real
# English answers needs the detector.
ENGLISH_WORDS = r"(?i)\b(?:the|and|that|this|with|you|your|what|which|are|from|how|its|their|they|would|should|were|been|because|when|there)\b"
WORDS_PER_ENGLISH_WORD = 20
ENGLISH_WORD = re.compile(ENGLISH_WORDS)
WORD = re.compile("[A-Za-z]{2,}")
PUNCTUATION = str.maketrans(dict.fromkeys("‘’“”–—…•", " "))
MIN_WORDS = 12
MIN_OTHER_LETTERS = 20  # outside the Latin script; some scripts have no spaces
# The detector distinguishes these. With all 75 languages of lingua, code and lists of names become Latin, Tswana or
# Esperanto.
LANGUAGES = [
    "ENGLISH",
    "ARABIC",
    "BENGALI",
    "BOKMAL",
    "CHINESE",
    "CROATIAN",
    "CZECH",
    "DANISH",
    "DUTCH",
    "FINNISH",
    "FRENCH",
    "GERMAN",
    "GREEK",
    "HEBREW",
    "HINDI",
    "HUNGARIAN",
    "INDONESIAN",
    "ITALIAN",
    "JAPANESE",
    "KOREAN",
    "PERSIAN",
    "POLISH",
    "PORTUGUESE",
    "ROMANIAN",
    "RUSSIAN",
    "SPANISH",
    "SWEDISH",
    "THAI",
    "TURKISH",
    "UKRAINIAN",
    "VIETNAMESE",
]
MAX_ENGLISH = 0.05  # confidence in English of a foreign text
MIN_CONFIDENCE = 0.9  # in the language of a foreign text in the Latin script
MAX_SYMBOLS = 0.12  # share of symbols and digits among the characters of prose, without punctuation and white space
SYMBOL = re.compile(r"[^\w\s.,;:!?'\"’“”«»()¿¡…–—-]|[\d_]")
MAX_CAPITALS = 0.5  # share of capitals among the letters; ciphers and abbreviations have more
NUMBER_OR_MARK = re.compile(r"[\W\d_]+")


@functools.cache
def _detector(accurate: bool):
    """A detector that reads n-grams of up to five characters; not `accurate`: trigrams only, loaded in a tenth of the time."""
    from lingua import Language, LanguageDetectorBuilder

    builder = LanguageDetectorBuilder.from_languages(*(getattr(Language, name) for name in LANGUAGES))
    return (builder if accurate else builder.with_low_accuracy_mode()).build()


def foreign(texts: pa.Array) -> tuple[np.ndarray, list[str | None]]:
    """For each text whether it is foreign, and the name of its language or None.

    A text is tested if it has `MIN_WORDS` words, or `MIN_OTHER_LETTERS` letters outside the Latin script. Lists of names
    (most words are capitalised) and of words (a separator every three words), code and formulas are not tested: detectors
    fail on them.
    """
    heads = pc.utf8_slice_codeunits(pc.replace_substring_regex(texts, CODE, " "), 0, HEAD_CHARS)
    words = pc.count_substring_regex(heads, r"\pL{2,}")
    other_script = boolean(
        pc.greater_equal(pc.count_substring_regex(heads, r"[^\x{0}-\x{24F}\pZ\pN\pP\pS\pC]"), MIN_OTHER_LETTERS)
    )
    english = boolean(
        pc.greater_equal(pc.multiply(pc.count_substring_regex(heads, ENGLISH_WORDS), WORDS_PER_ENGLISH_WORD), words)
    )
    names = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"\b\p{Lu}\p{Ll}+"), 2), words))
    lists = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"[,;|\n]"), 3), words))
    prose = boolean(pc.greater_equal(words, MIN_WORDS)) & ~english & ~names & ~lists
    languages: list[str | None] = [None] * len(texts)
    for row in np.flatnonzero(prose | other_script):
        languages[row] = _language(heads[int(row)].as_py(), bool(other_script[row]))
    return np.array([name is not None for name in languages], dtype=bool), languages


def surely_english(text: str) -> bool:
    """Whether `foreign` would not test a text, because it is ASCII but for quotation marks and dashes, and has English words.

    It takes a twentieth of the time of `foreign` for one text.
    """
    head = re.sub(CODE, " ", text)[:HEAD_CHARS].translate(PUNCTUATION)
    return head.isascii() and WORDS_PER_ENGLISH_WORD * len(ENGLISH_WORD.findall(head)) >= len(WORD.findall(head))


def _language(head: str, other_script: bool) -> str | None:
    """The language of a head that is not English, or None."""
    text = without_formulas(without_code(head))
    if not other_script:
        text = blank(text, QUOTED)
        dense = "".join(text.split())
        letters = [character for character in text if character.isalpha()]
        capitals = sum(character.isupper() for character in letters)
        if (
            len(text.split()) < MIN_WORDS
            or len(SYMBOL.findall(dense)) > MAX_SYMBOLS * len(dense)
            or capitals > MAX_CAPITALS * len(letters)
        ):
            return None
    elif len(re.findall(r"[^\W\d_\x00-\u024f]", text)) < MIN_OTHER_LETTERS:
        return None
    text = NUMBER_OR_MARK.sub(" ", text)
    # Most texts that are tested are English, which trigrams show. The others need the accurate detector.
    if _english(text, accurate=False) >= MAX_ENGLISH or _english(text, accurate=True) >= MAX_ENGLISH:
        return None
    best = _detector(accurate=True).compute_language_confidence_values(text)[0]
    return best.language.name if best.value >= MIN_CONFIDENCE or other_script else None


def _english(text: str, accurate: bool) -> float:
    """The confidence in English, 0 to 1."""
    from lingua import Language

    confidence: float = _detector(accurate).compute_language_confidence(text, Language.ENGLISH)
    return confidence

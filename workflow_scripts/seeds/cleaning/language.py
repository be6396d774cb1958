"""Texts that are not English, found with lingua."""

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean

FIRST = 600  # characters: enough to tell, and a text may well quote another language later
CODE = r"(?s)```.*?(?:```|$)"
# English words that no neighbour has. Where every twentieth word is one of them, a text is not foreign, and nobody
# needs a detector: of real English answers it sees one in twenty.
ENGLISH = r"(?i)\b(?:the|and|that|this|with|you|your|what|which|are|from|how|its|their|they|would|should|were|been|because|when|there)\b"
SHARE = 20
DOUBT = 0.05  # lingua's confidence in English from which a text is not foreign


@functools.cache
def _detector():
    from lingua import LanguageDetectorBuilder

    # Low accuracy uses trigrams alone: texts here are sentences, not words, and it needs a tenth of the memory.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def foreign(texts: pa.Array) -> tuple[np.ndarray, list[str | None]]:
    """For each text whether it is foreign, and the language's name; a text too short to tell is not.

    Long enough are 12 words, or 20 letters beyond the Latin ones: some scripts put no spaces between words. A list of
    names (most words have a capital) or of words (a comma or line end every third word) is none that a detector can tell.
    """
    heads = pc.utf8_slice_codeunits(pc.replace_substring_regex(texts, CODE, " "), 0, FIRST)
    words = pc.count_substring_regex(heads, r"\pL{2,}")
    beyond = boolean(pc.greater_equal(pc.count_substring_regex(heads, r"[^\x{0}-\x{24F}\pZ\pN\pP\pS\pC]"), 20))
    english = boolean(pc.greater_equal(pc.multiply(pc.count_substring_regex(heads, ENGLISH), SHARE), words))
    names = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"\b\p{Lu}\p{Ll}+"), 2), words))
    lists = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"[,;|\n]"), 3), words))
    prose = boolean(pc.greater_equal(words, 12)) & ~english & ~names & ~lists
    found: list[str | None] = [None] * len(texts)
    unsure = np.flatnonzero(prose | beyond)
    if len(unsure):
        from lingua import Language

        letters = pc.replace_substring_regex(heads.take(pa.array(unsure)), r"[\pN\pP\pS]+", " ").to_pylist()
        confidence = _detector().compute_language_confidence_in_parallel(letters, Language.ENGLISH)
        for row, text, value in zip(unsure, letters, confidence, strict=True):
            if value < DOUBT and (language := _detector().detect_language_of(text)) is not None:
                found[row] = language.name
    return np.array([name is not None for name in found], dtype=bool), found

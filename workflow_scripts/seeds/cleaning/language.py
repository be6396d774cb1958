"""Detection of texts that are not English (lingua)."""

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean

HEAD_CHARS = 600  # sufficient for detection; a text may quote another language later
CODE = r"(?s)```.*?(?:```|$)"
# Words of English alone. A text in which at least one of 20 words is one of them is English; only one in 20 real
# English answers needs the detector.
ENGLISH_WORDS = r"(?i)\b(?:the|and|that|this|with|you|your|what|which|are|from|how|its|their|they|would|should|were|been|because|when|there)\b"
WORDS_PER_ENGLISH_WORD = 20
MIN_CONFIDENCE = 0.05  # of lingua in English; a text below it is foreign


@functools.cache
def _detector():
    from lingua import LanguageDetectorBuilder

    # Low accuracy mode uses trigrams only: sufficient for sentences, with a tenth of the memory.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def foreign(texts: pa.Array) -> tuple[np.ndarray, list[str | None]]:
    """For each text whether it is foreign, and the name of its language or None.

    A text is tested if it has 12 words, or 20 letters outside the Latin script (some scripts have no spaces). Lists of
    names (most words are capitalised) and of words (a separator every three words) are not tested: detectors fail on them.
    """
    heads = pc.utf8_slice_codeunits(pc.replace_substring_regex(texts, CODE, " "), 0, HEAD_CHARS)
    words = pc.count_substring_regex(heads, r"\pL{2,}")
    other_script = boolean(pc.greater_equal(pc.count_substring_regex(heads, r"[^\x{0}-\x{24F}\pZ\pN\pP\pS\pC]"), 20))
    english = boolean(
        pc.greater_equal(pc.multiply(pc.count_substring_regex(heads, ENGLISH_WORDS), WORDS_PER_ENGLISH_WORD), words)
    )
    names = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"\b\p{Lu}\p{Ll}+"), 2), words))
    lists = boolean(pc.greater(pc.multiply(pc.count_substring_regex(heads, r"[,;|\n]"), 3), words))
    prose = boolean(pc.greater_equal(words, 12)) & ~english & ~names & ~lists
    languages: list[str | None] = [None] * len(texts)
    tested = np.flatnonzero(prose | other_script)
    if len(tested):
        from lingua import Language

        letters = pc.replace_substring_regex(heads.take(pa.array(tested)), r"[\pN\pP\pS]+", " ").to_pylist()
        confidence = _detector().compute_language_confidence_in_parallel(letters, Language.ENGLISH)
        for row, text, value in zip(tested, letters, confidence, strict=True):
            if value < MIN_CONFIDENCE and (language := _detector().detect_language_of(text)) is not None:
                languages[row] = language.name
    return np.array([name is not None for name in languages], dtype=bool), languages

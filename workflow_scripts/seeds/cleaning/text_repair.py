"""Repair of texts: wrongly decoded characters (ftfy), and the HTML in which browser extensions saved ChatGPT's answers."""

import re

import ftfy
import ftfy.badness
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean
from workflow_scripts.seeds.posts import to_text

# A text that is one piece of ChatGPT's own HTML, as in ShareGPT. HTML that a user asked for or that an answer shows does
# not have this class.
WRAPPED = r"""(?s)^\s*<div[^>]*class=["'][^"'>]*\bmarkdown\b[^>]*>.*</div>\s*$"""


def _re2_pattern(verbose: str) -> str:
    """A verbose pattern of Python as RE2 reads it: no comments, no white space outside classes, Unicode \\w and \\s."""
    pattern = re.sub(r"(?m)^\s*#.*$", "", verbose)
    pattern = re.sub(r"(?a)(\[(?:\\.|[^\]\\])*\])|\s+", r"\1", pattern)
    return pattern.replace(r"\w", r"[\pL\pN_]").replace(r"\s", r"[\s\pZ]")


# ftfy reads 1.5 M characters/s. RE2 finds the texts in which it may find mojibake 20 times as fast.
MOJIBAKE = _re2_pattern(ftfy.badness.BADNESS_RE.pattern)
# A text about encodings may show mojibake on purpose.
ABOUT_ENCODINGS = r"(?i)\b(?:utf-?8|utf-?16|latin-?1|iso-?8859|windows-?125\d|cp-?125\d|ascii|unicode|mojibake|encod(?:ed|ing)|charsets?)\b"
# Only damage of the whole text is fixed: a text that decodes in part shows mojibake next to correct characters.
FIXES = ftfy.TextFixerConfig(decode_inconsistent_utf8=False, replace_lossy_sequences=False, explain=False)


def repair_texts(texts: pa.Array) -> pa.Array:
    """The texts with wrongly decoded characters (mojibake) fixed by ftfy, and HTML around a whole text converted to text.

    Nothing else is changed: quotes, ligatures, widths, compositions and HTML entities may be what a text is about. Nulls
    stay null.
    """
    about = pc.match_substring_regex(texts, ABOUT_ENCODINGS)
    broken = pc.and_not(pc.match_substring_regex(texts, MOJIBAKE), about)
    html = boolean(pc.fill_null(pc.match_substring_regex(texts, WRAPPED), False))
    changed = boolean(pc.fill_null(broken, False)) | html
    rows = np.flatnonzero(changed)
    if not len(rows):
        return texts
    repaired = [
        _repair(text, html[row]) for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True)
    ]
    return pc.replace_with_mask(texts, pa.array(changed), pa.array(repaired, pa.string()))


def _repair(text: str, html: bool) -> str:
    if not re.search(ABOUT_ENCODINGS, text):
        text = ftfy.fix_encoding(text, FIXES)
    return ("\n\n".join(to_text(text)) if html else text) or text

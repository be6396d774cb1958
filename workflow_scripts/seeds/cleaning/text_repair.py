"""Repair of texts: broken Unicode (ftfy), and the HTML in which browser extensions saved ChatGPT's answers."""

import re

import ftfy
import ftfy.badness
import ftfy.chardata
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


# ftfy reads 1.5 M characters/s. RE2 finds the texts that ftfy may change 20 times as fast: mojibake, and the characters of
# its other fixers.
MOJIBAKE = _re2_pattern(ftfy.badness.BADNESS_RE.pattern)
FIXED_CHARACTERS = "|".join(
    (
        ftfy.chardata.SINGLE_QUOTE_RE.pattern,
        ftfy.chardata.DOUBLE_QUOTE_RE.pattern,
        r"[\x00-\x08\x0b-\x1f\x7f-\x{9F}\x{2028}\x{2029}]",  # line ends, escapes and control characters
        "[" + "".join(map(chr, {**ftfy.chardata.LIGATURES, **ftfy.chardata.WIDTH_MAP})) + "]",
        "[" + "".join(chr(code) for code in ftfy.chardata.CONTROL_CHARS if code > 0x7F) + "]",
    )
)


def repair_texts(texts: pa.Array) -> pa.Array:
    """The texts with mojibake and other broken Unicode fixed by ftfy, and HTML around a whole text converted to text.

    HTML entities within a text stay: a question may be about them. Nulls stay null.
    """
    broken = pc.or_(pc.match_substring_regex(texts, FIXED_CHARACTERS), pc.match_substring_regex(texts, MOJIBAKE))
    broken = pc.or_(broken, pc.not_equal(pc.utf8_normalize(texts, form="NFC"), texts))
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
    text = ftfy.fix_text(text, unescape_html=False)
    return ("\n\n".join(to_text(text)) if html else text) or text

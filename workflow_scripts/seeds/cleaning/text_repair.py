"""What can be mended in a text is mended: broken unicode, and ChatGPT's HTML around a whole text."""

import ftfy
import ftfy.badness
import ftfy.chardata
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.text_arrays import boolean
from workflow_scripts.seeds.posts import to_text

# A text that is one piece of ChatGPT's own HTML, as browser extensions scraped ShareGPT. HTML that somebody asked for, or
# answered with, has no such class.
WRAPPED = r"""(?s)^\s*<div[^>]*class=["'][^"'>]*\bmarkdown\b[^>]*>.*</div>\s*$"""


def _compact(verbose: str) -> str:
    """A pattern without the white space and comments that re.VERBOSE passes over, which RE2 does not."""
    kept, in_class, in_comment = [], False, False
    for place, letter in enumerate(verbose):
        escaped = place and verbose[place - 1] == "\\"
        in_comment = (in_comment and letter != "\n") or (letter == "#" and not in_class and not escaped)
        if in_comment or (letter.isspace() and not in_class and not escaped):
            continue
        in_class = (not escaped and (letter == "[" or (in_class and letter != "]"))) or (in_class and bool(escaped))
        kept.append(letter)
    return "".join(kept)


# All that ftfy changes: what looks like mojibake to it, and the characters of its other fixers (curly quotes,
# ligatures, wide letters, control characters, line ends); besides it normalises to NFC.
MOJIBAKE = _compact(ftfy.badness.BADNESS_RE.pattern)
MOJIBAKE = MOJIBAKE.replace(r"\w", r"[\pL\pN_]").replace(r"\s", r"[\s\pZ]")  # which to RE2 are ASCII alone
FIXED = {
    *map(int, ftfy.chardata.LIGATURES),
    *map(int, ftfy.chardata.WIDTH_MAP),
    *map(int, ftfy.chardata.CONTROL_CHARS),
    *range(0x7F, 0xA0),
    *(0x0D, 0x1B, 0x02BC, 0x2028, 0x2029),
    *range(0x2018, 0x2020),
}
CHARACTERS = "[" + "".join(rf"\x{{{code:X}}}" for code in sorted(FIXED)) + "]"


def mend(texts: pa.Array) -> pa.Array:
    """The texts with mojibake and other broken unicode mended (ftfy), and HTML around a whole text read as text.

    HTML entities within a text stay: they may be what a question is about.
    """
    broken = pc.or_(pc.match_substring_regex(texts, CHARACTERS), pc.match_substring_regex(texts, MOJIBAKE))
    broken = pc.or_(broken, pc.not_equal(pc.utf8_normalize(texts, form="NFC"), texts))
    html = boolean(pc.fill_null(pc.match_substring_regex(texts, WRAPPED), False))
    unfit = boolean(pc.fill_null(broken, False)) | html
    rows = np.flatnonzero(unfit)
    if not len(rows):
        return texts
    mended = [_mend(text, html[row]) for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True)]
    return pc.replace_with_mask(texts, pa.array(unfit), pa.array(mended, pa.string()))


def _mend(text: str, html: bool) -> str:
    text = ftfy.fix_text(text, unescape_html=False)
    return ("\n\n".join(to_text(text)) if html else text) or text

"""The normal form in which items and conversations are compared.

NFKC, casefold, then every run of characters that are neither letters nor digits becomes one space: line breaks,
markdown, quotes and capitals then cost no edit.
"""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """The normal form of a text; length is counted in code points."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def is_long(normal: str) -> bool:
    """Whether a normal form is long enough to mean something by itself: 50 characters or 8 words."""
    return len(normal) >= 50 or normal.count(" ") >= 7

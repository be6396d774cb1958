"""Untrusted text in Markdown: displayed as text, without links, HTML or other markup."""

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # control, format (writing direction, zero width), private, line breaks


def visible(text: str) -> str:
    """The text on one line. Invisible and direction-changing characters are written as their code points."""
    spaced = " ".join(text.split())
    return "".join(f"<U+{ord(sign):04X}>" if unicodedata.category(sign) in _HIDDEN else sign for sign in spaced)


def code(text: str) -> str:
    """A code span with the text, safe in a table cell too: no link, HTML, image, formula or mention results from it."""
    shown = visible(text).replace("|", "\u00a6")  # a | ends a table cell even inside a code span
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] in ("", "`") or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def plain(text: str) -> str:
    """Text of this project or its configuration, with all markup escaped. Use `code` for text from other sources."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&$@])", r"\\\1", visible(text))

"""Texts of others in Markdown: shown, and doing nothing else."""

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # control, format (writing direction, zero width), private, line breaks


def visible(text: str) -> str:
    """The text in one line; characters that are not seen, or turn the writing round, as their code point's number."""
    spaced = " ".join(text.split())
    return "".join(f"<U+{ord(sign):04X}>" if unicodedata.category(sign) in _HIDDEN else sign for sign in spaced)


def code(text: str) -> str:
    """A code span that holds the text, also in a cell of a table: no link, HTML, image, formula or mention comes of it."""
    shown = visible(text).replace("|", "\u00a6")  # a table is cut at | even inside a code span
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] in ("", "`") or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def plain(text: str) -> str:
    """Prose of this project and of its configuration, without any markup; for what others wrote there is `code`."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&$@])", r"\\\1", visible(text))

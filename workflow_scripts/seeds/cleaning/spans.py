"""Spans of a text that are not its author's prose: code, formulas, quotations. Rules about wording do not read them."""

import re

FENCED = re.compile(r"(```|~~~).*?(?:\1|\Z)", re.DOTALL)
INLINE = re.compile(r"`[^`\n]+`")
# A call with its arguments, such as request('https://host/path').
CALL = re.compile(r"(?<![\w.])(?:[\d.]*\.)?[A-Za-z_][\w.]*+\((?:[^()\n]|\([^()\n]*\))*\)")
TAG = re.compile(r"</?[A-Za-z!][^<>\n]*>")
# A line of code without a fence: a statement, an assignment, a shell command, an entry of JSON, a line that ends as code.
CODE_LINE = re.compile(
    r"""^[^\S\n]*(?:import\s|from\s+\S+\s+import\b|def\s|class\s+\w+[:({]|const\s|let\s+\w+\s*=|var\s|return\s*[\w(\[{'"]+;?$|\#include\b
    |curl\s|wget\s|git\s+\w+\s|npm\s|pip\s+install|sudo\s|docker\s|\$\s|>>>\s|</?\w+[\s>]
    |(?:export\s|set\s)?[\w.\[\]'"]+\s*[+*/-]?=(?!=)\s*\S|["'][\w-]+["']\s*:\s).*$
    |^.*(?:[{}]|\)[^\S\n]*;)[^\S\n]*$|^[^=\n]*=.*;[^\S\n]*$""",
    re.VERBOSE | re.MULTILINE,
)
# A formula in brackets contains no other opening bracket: otherwise every bracket that is not closed would be searched for
# to the end of the text. \\[2pt] is a line break with its height.
FORMULA = re.compile(
    r"\$\$.+?\$\$|\$(?=\S)(?=[^$\n]*\$)[^$\n]*?[\\^_={}][^$\n]*\$"
    r"|\\\((?:(?!\\\().)+?\\\)|(?<!\\)\\\[(?:(?!(?<!\\)\\\[).)+?\\\]",
    re.DOTALL,
)
QUOTED = re.compile(
    r"\"[^\"\n]{2,400}\"|“[^”\n]{2,400}”|«[^»\n]{2,400}»|(?<![\w])['‘][^'’\n]{2,200}(?:['’]\w[^'’\n]{0,200}){0,9}['’](?!\w)"
)
QUOTED_LINE = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
WHOLE = re.compile(r"^\s*[\"“](.*)[\"”]\s*$", re.DOTALL)


def blank(text: str, *patterns: re.Pattern[str]) -> str:
    """The text with every match of the patterns replaced by a space, so that its neighbours stay apart."""
    for pattern in patterns:
        text = pattern.sub(" ", text)
    return text


def without_code(text: str) -> str:
    """The text without code: fenced, inline, calls, tags, and lines that are statements."""
    return blank(text, FENCED, INLINE, CODE_LINE, CALL, TAG)


def without_formulas(text: str) -> str:
    """The text without LaTeX formulas."""
    return blank(text, FORMULA)


def without_quotations(text: str) -> str:
    """The text without quotations. A text that is quoted as a whole is no quotation."""
    if (whole := WHOLE.match(text)) and '"' not in whole[1] and "“" not in whole[1]:
        text = whole[1]
    return blank(text, QUOTED, QUOTED_LINE)

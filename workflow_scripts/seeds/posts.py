"""Posts as seeds: the text of their HTML, an excerpt of it, and tasks about it (`post_tasks.yaml`)."""

import functools
import re

from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.yaml_files import read_yaml

# fmt: off
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))
# fmt: on
# An attribute has a value: "a <b and c> d" is not a tag.
TAG = re.compile(
    rf"</?(?:{'|'.join(sorted(BLOCKS))}|a|b|body|br|code|em|html|i|img|span|strong|sub|sup|u)"
    r"(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
# Conditional sections of Word, "<![if !supportLists]>"; the parser rejects some. The end of a comment is kept.
WORD_SECTION = re.compile(r"<!\[[^<>-]*>?")
# Footnotes are removed with their marks: an excerpt contains only some of them. The names are those of the site's
# editors (CKEditor, markdown-it) and of pandoc and kramdown, whose output authors pasted.
REMOVED = ", ".join(
    (
        "head, script, style, iframe, template, noscript, nav, #TOC, figure:has(img) figcaption",
        ".footnotes, .footnote-section, [data-footnote-section], .footnote-back-link, .footnote-backref",
        ".footnote-reference, .footnote-ref, .footnoteRef, [id^=fnref], a[href^='#fn']",
    )
)
ORDINALS = {"st", "nd", "rd", "th"}
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\xad"))

# Titles of announcements and of threads that only collect comments, as the site has used them since 2009.
ANNOUNCEMENT = re.compile(
    r"\bmeet-?ups?\b|\bthreads?\W*(?:$|\(|\d|for\b|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b)"
    r"|^open thread\b|\bgroup rationality diary\b|^rationality quotes\b|\breading group\b|^welcome to less ?wrong\b"
    r"|^\[(?:meetup|event|meta|moderator action)\]",
    re.IGNORECASE,
)
MEETUP = re.compile(r"class=[\"']meetup-meta|Discussion article for the meetup")

RULE = re.compile(r"([-_=*~])\1{4,}")  # a horizontal rule drawn with characters

# Characters of Unicode's private use area, for white space in code and ends of table cells while other white space is
# collapsed.
LINE, SPACE, CELL = "\ue000", "\ue001", "\ue002"
PROTECT = str.maketrans({"\n": LINE, " ": SPACE, "\t": SPACE * 4})
RESTORE = str.maketrans({LINE: "\n", SPACE: " ", CELL: " "})


def to_text(html: str) -> list[str]:
    """The paragraphs of a post, one per HTML block; a block of code is one paragraph with line ends.

    List items begin with "- " or their number, quoted lines with "> "; a table row is one line with " | " between cells.
    A formula of MathJax becomes its TeX in dollar signs, from its `aria-label`. Images, footnotes and their marks,
    scripts and styles are removed. A text without tags (some published copies are Markdown) is only split into lines.
    """
    if not TAG.search(html):
        return [line.rstrip() for line in html.splitlines() if line.strip() and not RULE.fullmatch(line.strip())]
    soup = BeautifulSoup(WORD_SECTION.sub("", html), "html.parser")
    for tag in soup.select(REMOVED):
        if not tag.decomposed:  # within a tag that was removed
            tag.decompose()
    for formula in soup.select(".mjx-math[aria-label]"):
        formula.replace_with(f"${' '.join(str(formula['aria-label']).split())}$")
    for text in soup.find_all(string=True):
        if isinstance(text, PreformattedString):  # comments and declarations
            text.extract()
        elif text.find_parent("pre"):
            text.replace_with(text.translate(PROTECT))
        elif text.find_parent(BLOCKS):  # outside of blocks, line ends may separate paragraphs
            text.replace_with(re.sub(r"\s+", " ", text))
    # Children follow their parents, so in reverse order every tag contains only text. Recursion would be too deep for
    # posts with thousands of unclosed paragraphs.
    for tag in reversed(soup.find_all(True)):
        tag.replace_with(_tag_text(tag))
    lines = (" ".join(line.split()) for line in soup.get_text().translate(INVISIBLE).split("\n"))
    texts = (line.translate(RESTORE).strip("\n").rstrip() for line in lines)
    return [text for text in texts if text and not RULE.fullmatch(text)]


def _tag_text(tag: Tag) -> str:
    """The text of a tag; blocks are separated by line ends."""
    text = tag.get_text()
    match tag.name:
        case "br":
            return "\n"
        case "li" if text.strip():
            ordered = tag.parent is not None and tag.parent.name == "ol"
            mark = f"{len(tag.find_previous_siblings('li')) + 1}." if ordered else "-"
            return f"\n{mark} {text.strip()}\n"
        case "blockquote":
            lines = [line.strip().replace(LINE, f"{LINE}>{SPACE}") for line in text.split("\n")]
            return "\n" + "".join(f"> {line}\n" for line in lines if line)
        case "td" | "th":
            return " ".join(text.split()) + CELL
        case "tr":
            return "\n" + " | ".join(cell.strip() for cell in text.split(CELL)[:-1]) + "\n"
        case "sup" if 0 < len(text.strip()) <= 4 and text.strip() not in ORDINALS and text.strip()[0] not in "[^":
            return f"^{text.strip()}"
        case "sub" if 0 < len(text.strip()) <= 4 and not text.strip().isdigit():
            return f"_{text.strip()}"
        case name if name in BLOCKS:
            return f"\n{text}\n"
    return text


def excerpt(paragraphs: list[str], max_chars: int) -> tuple[str, bool]:
    """The leading paragraphs that fit into `max_chars` characters, and whether these are all paragraphs.

    If the first paragraph is too long, its leading sentences that fit, or else its leading words.
    """
    chosen: list[str] = []
    length = 0
    for paragraph in paragraphs:
        if length + len(paragraph) > max_chars:
            chosen = chosen or [_cut(paragraph, max_chars)]
            break
        chosen.append(paragraph)
        length += len(paragraph) + 1
    return "\n".join(chosen), chosen == paragraphs


def _cut(paragraph: str, max_chars: int) -> str:
    """A paragraph up to the last sentence end within `max_chars` characters, else the last space, else all of it."""
    for end in (r"[.!?][\"”’)]*(?=\s)", r"\S(?=\s)"):
        if ends := [match.end() for match in re.finditer(end, paragraph[: max_chars + 1])]:
            return paragraph[: ends[-1]]
    return paragraph


def is_announcement(title: str, html: str) -> bool:
    """Whether a post announces a meetup, or opens a thread of comments such as "Open Thread", and is no essay."""
    return ANNOUNCEMENT.search(title) is not None or MEETUP.search(html) is not None


def introduce(title: str, body: str, complete: bool) -> str:
    """A quotation with the sentence that introduces it as a post, or as the first part of one."""
    name = "a post" if complete else "the first part of a post"
    return f'This is {name} titled "{title}":\n\n{body}' if title else f"This is {name}:\n\n{body}"


@functools.cache
def task_families() -> dict[str, dict[str, list[str]]]:
    """The instructions of each family in `post_tasks.yaml`, for `whole` posts and for an `excerpt`."""
    return read_yaml(package_file("seeds/post_tasks.yaml"))


def tasks_for(post_key: str, tasks: list[str], complete: bool) -> list[tuple[str, str]]:
    """One instruction of each family named in `tasks`, as (family, instruction), that fits a complete post or an excerpt.

    The choice depends only on the content of key and instruction: it is the same on every machine, and an instruction
    added to a family affects only the posts for which it is chosen.
    """
    families = task_families()
    if unknown := sorted(set(tasks) - set(families)):
        raise UserError(f"unknown tasks for posts: {', '.join(unknown)}. Choose from {', '.join(sorted(families))}.")
    form = "whole" if complete else "excerpt"
    return [(name, min(families[name][form], key=lambda task: content_id(post_key, task))) for name in tasks]

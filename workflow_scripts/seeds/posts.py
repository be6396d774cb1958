"""Posts as seeds: the text of their HTML, an excerpt of it, and tasks about it (`post_tasks.yaml`)."""

import functools
import re
from collections.abc import Set
from typing import Any, cast

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
MAX_DEPTH = 100  # of nested tags
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
    soup = _ShallowSoup(WORD_SECTION.sub("", html), "html.parser")
    tags = soup.find_all(True)
    code, blocks = _inside(tags, {"pre"}), _inside(tags, BLOCKS)

    def string_text(text: str, parent: Tag) -> str:
        if id(parent) in code:
            return text.translate(PROTECT)
        # Outside of blocks, line ends may separate paragraphs.
        return re.sub(r"\s+", " ", text) if id(parent) in blocks else text

    # The text of every tag by its identity. The tree is not changed: replacing a tag takes time for each of its siblings.
    texts = dict.fromkeys(map(id, soup.select(REMOVED)), "")
    numbers = _list_numbers(soup, removed=set(texts))
    for formula in soup.select(".mjx-math[aria-label]"):
        tex = f"${' '.join(str(formula['aria-label']).split())}$"
        texts.setdefault(id(formula), string_text(tex, cast(Tag, formula.parent)))

    def content(tag: Tag) -> str:
        return "".join(
            texts[id(child)] if isinstance(child, Tag) else string_text(str(child), tag)
            for child in tag.contents
            if not isinstance(child, PreformattedString)  # comments and declarations
        )

    # Children follow their parents: in reverse order, the texts of a tag's children are known.
    for tag in reversed(tags):
        if id(tag) not in texts:
            texts[id(tag)] = _tag_text(tag.name, content(tag), numbers.get(id(tag)))
    lines = (" ".join(line.split()) for line in content(soup).translate(INVISIBLE).split("\n"))
    shown = (line.translate(RESTORE).strip("\n").rstrip() for line in lines)
    return [text for text in shown if text and not RULE.fullmatch(text)]


class _ShallowSoup(BeautifulSoup):
    """A document of at most `MAX_DEPTH` levels: the time per tag depends on its depth.

    The parser does not close paragraphs: those of some posts are thousands of levels deep. Deeper tags become siblings.
    """

    def handle_starttag(self, *arguments: Any, **named: Any) -> Tag | None:
        """Open a tag in the deepest open one that is not too deep."""
        while len(self.tagStack) > MAX_DEPTH:
            self.popTag()
        return super().handle_starttag(*arguments, **named)


def _inside(tags: list[Tag], names: Set[str]) -> set[int]:
    """The identities of the tags, given in the order of the document, that have one of these names or are inside of one."""
    inside: set[int] = set()
    for tag in tags:
        if tag.name in names or id(tag.parent) in inside:
            inside.add(id(tag))
    return inside


def _list_numbers(soup: BeautifulSoup, removed: set[int]) -> dict[int, int]:
    """The number of every item of an ordered list, by the identity of its tag."""
    items = (
        [item for item in ordered.contents if getattr(item, "name", None) == "li"] for ordered in soup.find_all("ol")
    )
    return {
        id(item): number
        for shown in items
        for number, item in enumerate((item for item in shown if id(item) not in removed), 1)
    }


def _tag_text(name: str, text: str, number: int | None) -> str:
    """The text of a tag with this content; blocks are separated by line ends. `number` is that of an item of an ordered list."""
    match name:
        case "br":
            return "\n"
        case "li" if text.strip():
            mark = "-" if number is None else f"{number}."
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
        case _ if name in BLOCKS:
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

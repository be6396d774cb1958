"""Posts as seeds: the text of their HTML, an excerpt of it, and the tasks asked of it (`post_tasks.yaml`)."""

import functools
import re

import yaml
from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import content_id

# fmt: off
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))
# fmt: on
# An attribute has a value: "a <b and c> d" is no tag.
TAG = re.compile(
    rf"</?(?:{'|'.join(sorted(BLOCKS))}|a|b|body|br|code|em|html|i|img|span|strong|sub|sup|u)"
    r"(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
# "<![if !supportLists]>", which Word leaves behind; the parser refuses some. The end of a comment is to stay.
SECTION = re.compile(r"<!\[[^<>-]*>?")
# Footnotes go with their marks: at the end of an essay, without what they comment on, they say nothing. The names
# are those of the site's editors (CKEditor, markdown-it) and of pandoc and kramdown, whose output was pasted in.
DROPPED = ", ".join(
    (
        "head, script, style, iframe, template, noscript, nav, #TOC, figure:has(img) figcaption",
        ".footnotes, .footnote-section, [data-footnote-section], .footnote-back-link, .footnote-backref",
        ".footnote-reference, .footnote-ref, .footnoteRef, [id^=fnref], a[href^='#fn']",
    )
)
ORDINALS = {"st", "nd", "rd", "th"}
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\xad"))

RULED = re.compile(r"([-_=*~])\1{4,}")  # a line drawn with characters

# Stand-ins from Unicode's private area for what must outlive the joining of spaces: code's line ends and spaces, and
# the ends of a table's cells.
LINE, SPACE, CELL = "\ue000", "\ue001", "\ue002"
KEPT = str.maketrans({"\n": LINE, " ": SPACE, "\t": SPACE * 4})
RESTORED = str.maketrans({LINE: "\n", SPACE: " ", CELL: " "})


def to_text(html: str) -> list[str]:
    """The paragraphs of a post: a line for each block; a block of code is one paragraph with its own lines.

    List items begin with "- " or their number, quoted lines with "> ", a table's row is one line with " | " between
    its cells. Formulas set by MathJax become their TeX between dollars, from the label that stands beside the drawn
    characters. Images, footnotes and their marks, scripts and styles are left out. A text without any tag (some
    published copies hold Markdown) is taken as it is, line by line.
    """
    if not TAG.search(html):
        return [line.rstrip() for line in html.splitlines() if line.strip() and not RULED.fullmatch(line.strip())]
    soup = BeautifulSoup(SECTION.sub("", html), "html.parser")
    for tag in soup.select(DROPPED):
        if not tag.decomposed:  # within another that has gone
            tag.decompose()
    for formula in soup.select(".mjx-math[aria-label]"):
        formula.replace_with(f"${' '.join(formula['aria-label'].split())}$")
    for text in soup.find_all(string=True):
        if isinstance(text, PreformattedString):  # comments and declarations
            text.extract()
        elif text.find_parent("pre"):
            text.replace_with(text.translate(KEPT))
        elif text.find_parent(BLOCKS):  # outside of any block, line ends may be all that parts paragraphs
            text.replace_with(re.sub(r"\s+", " ", text))
    # Children come after their parents in the document: from the end, every tag holds nothing but text.
    for tag in reversed(soup.find_all(True)):
        tag.replace_with(_written(tag))
    lines = (" ".join(line.split()) for line in soup.get_text().translate(INVISIBLE).split("\n"))
    texts = (line.translate(RESTORED).strip("\n").rstrip() for line in lines)
    return [text for text in texts if text and not RULED.fullmatch(text)]


def _written(tag: Tag) -> str:
    """A tag as text; line ends part the blocks."""
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


def excerpt(paragraphs: list[str], most_chars: int) -> tuple[str, bool]:
    """As many whole leading paragraphs as fit into `most_chars` characters, and whether that is all.

    At least the first one: if it is too long, its whole sentences that fit, or failing that its words.
    """
    taken: list[str] = []
    length = 0
    for paragraph in paragraphs:
        if length + len(paragraph) > most_chars:
            taken = taken or [_cut(paragraph, most_chars)]
            break
        taken.append(paragraph)
        length += len(paragraph) + 1
    return "\n".join(taken), taken == paragraphs


def _cut(paragraph: str, most_chars: int) -> str:
    """A paragraph up to the last sentence end within `most_chars` characters, or else the last space, or else whole."""
    for end in (r"[.!?][\"”’)]*(?=\s)", r"\S(?=\s)"):
        if ends := [match.end() for match in re.finditer(end, paragraph[: most_chars + 1])]:
            return paragraph[: ends[-1]]
    return paragraph


@functools.cache
def task_families() -> dict[str, list[str]]:
    """The instructions of each family in `post_tasks.yaml`."""
    return yaml.safe_load(package_file("seeds/post_tasks.yaml").read_text(encoding="utf-8"))


def tasks_for(post_key: str, tasks: list[str]) -> list[tuple[str, str]]:
    """One instruction of each family named in `tasks`, as (family, instruction).

    The choice hangs on the content of key and instruction alone: it is the same on every machine, and an instruction
    added to a family changes only the posts that it is chosen for.
    """
    families = task_families()
    if unknown := sorted(set(tasks) - set(families)):
        raise UserError(f"unknown tasks for posts: {', '.join(unknown)}. There are {', '.join(sorted(families))}.")
    return [(name, min(families[name], key=lambda task: content_id(post_key, task))) for name in tasks]

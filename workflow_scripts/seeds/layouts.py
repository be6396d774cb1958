"""The layouts in which seed sources are published, each read into one seed.

`instruction`  Airoboros, Know_Logic, EverythingLM, GPTeacher, Alpaca, Dolly: a request, an optional input, an answer
`problem`      CamelAI: message_1 is the problem, message_2 the solution; the topic's key is literally `topic;` in some files
`post`         LessWrong: an essay in HTML or text, with author, date and address
`conversation` Dove (`conversation`), Puffin (`conversations`), TRL (`messages`): several exchanges
"""

from collections.abc import Callable
from typing import Any

from bs4 import BeautifulSoup

from workflow_scripts.common.conversations import read_exchanges
from workflow_scripts.common.rows import content_id

Row = dict[str, Any]

# What a reader of an essay is asked to do. The card speaks of "new seed instructions derived from posts" and of
# "hundreds of advanced difficult summary tasks"; the wording was never published and is ours.
POST_TASKS = (
    "Summarise the argument of the following essay, then name the assumption it depends on most.",
    "Read the following essay. What is its central claim, and what evidence would change your mind about it?",
    "Explain the main idea of the following essay to someone who has never met it, and give an example of your own.",
)


BLOCKS = [
    "p",
    "br",
    "hr",
    "li",
    "ul",
    "ol",
    "div",
    "section",
    "article",
    "blockquote",
    "pre",
    "table",
    "tr",
    "td",
    "th",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
]


class Unreadable(ValueError):
    """A row that holds no seed; the message is the reason, in snake_case."""


def _column(row: Row, names: tuple[str, ...], required: bool = True) -> Any:
    """The first of `names` that holds something, or None. KeyError, if the row has none of them, names them all."""
    for name in names:
        if row.get(name) is not None:
            return row[name]
    if required and not set(names) & set(row):
        raise KeyError(" or ".join(names))
    return None


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is {type(value).__name__}, a text was expected")
    return value.strip()


def _instruction(row: Row, options: Row) -> Row:
    return {
        "kind": "instruction",
        "instruction": _text(_column(row, ("instruction", "prompt", "question")), "instruction"),
        "context": _text(_column(row, ("input", "context"), required=False), "input"),
        "response": _text(_column(row, ("response", "output", "answer")), "response"),
        "meta": {key: row[key] for key in ("category", "system") if row.get(key)},
    }


def _problem(row: Row, options: Row) -> Row:
    topic = _column(row, ("topic;", "topic"), required=False)
    return {
        "kind": "problem",
        "instruction": _text(_column(row, ("message_1",)), "message_1"),
        "response": _text(_column(row, ("message_2",)), "message_2"),
        "meta": {key: value for key, value in (("topic", topic), ("sub_topic", row.get("sub_topic"))) if value},
    }


def _post(row: Row, options: Row) -> Row:
    html = _column(row, ("htmlBody", "text"), required=False)
    if html is None:
        contents = _column(row, ("contents",))
        html = contents.get("html") if isinstance(contents, dict) else contents
    body, full = _leading_paragraphs(_paragraphs(_text(html, "htmlBody")), options["post_chars"])
    if not body:
        raise Unreadable("empty_post")
    title = _text(row.get("title"), "title")
    user = row.get("user")
    author = user.get("displayName") if isinstance(user, dict) else row.get("user.displayName")
    task = POST_TASKS[int(content_id(title, body), 16) % len(POST_TASKS)]
    return {
        "kind": "post",
        "instruction": task,
        "context": f"{title}\n\n{body}" if title else body,
        "response": "",
        "meta": {
            "title": title,
            "author": author,
            "date": str(row.get("postedAt") or row.get("date_published") or ""),
            "address": row.get("pageUrl") or row.get("url"),
            "excerpt": not full,
        },
    }


def _paragraphs(html: str) -> list[str]:
    """The text of HTML, a line for each block: emphasis and links do not break a paragraph."""
    soup = BeautifulSoup(html, "html.parser")
    for block in soup.find_all(BLOCKS):
        block.insert_before("\n")
        block.insert_after("\n")
    return [line.strip() for line in soup.get_text().split("\n") if line.strip()]


def _leading_paragraphs(paragraphs: list[str], most: int) -> tuple[str, bool]:
    """As many whole leading paragraphs as fit into `most` characters (at least one), and whether that is all."""
    taken, length = [], 0
    for paragraph in paragraphs:
        if taken and length + len(paragraph) > most:
            return "\n".join(taken), False
        taken.append(paragraph)
        length += len(paragraph) + 1
    return "\n".join(taken), True


def _conversation(row: Row, options: Row) -> Row:
    try:
        exchanges = read_exchanges(row)
    except ValueError as error:
        raise Unreadable(str(error).replace(" ", "_")) from error
    return {
        "kind": "conversation",
        "instruction": exchanges[0]["input"].strip(),
        "response": exchanges[0]["output"].strip(),
        "meta": {"conversation": exchanges},
    }


LAYOUTS: dict[str, Callable[[Row, Row], Row]] = {
    "instruction": _instruction,
    "problem": _problem,
    "post": _post,
    "conversation": _conversation,
}


def adapt(row: Row, source: Row, origin: Row) -> Row:
    """One published row as a seed (schema: README, "A seed").

    `source` is the config's entry, `origin` what `fetch_source` recorded. Raises KeyError (missing column),
    TypeError (wrong type) or Unreadable (a reason).
    """
    found = LAYOUTS[source["layout"]](row, source)
    seed = {
        "source": source["label"],
        "dataset": origin["dataset"],
        "revision": origin["revision"],
        "license": source["license"],
        "kind": found["kind"],
        "instruction": found["instruction"],
        "context": found.get("context", ""),
        "response": found["response"],
        "domain": source.get("domain"),
        "skills": None,
        "difficulty": None,
        "meta": found["meta"],
    }
    content = [seed["instruction"], seed["context"], seed["response"], seed["meta"].get("conversation")]
    return {"id": content_id(*content), **seed}


def texts(seed: Row) -> list[tuple[str, bool]]:
    """Every text of a seed that reaches a conversation, each with whether it is an assistant's."""
    if seed["kind"] == "conversation":
        return [
            (exchange[key], key == "output") for exchange in seed["meta"]["conversation"] for key in ("input", "output")
        ]
    asked = [(seed["instruction"], False)] + ([(seed["context"], False)] if seed["context"] else [])
    # A post has no answer yet: the teacher writes the first one.
    return asked if seed["kind"] == "post" else [*asked, (seed["response"], True)]

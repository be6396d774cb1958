"""The layouts in which seed sources are published, each converted column-wise to seeds.

`instruction`  Airoboros, Know_Logic, EverythingLM, GPTeacher, Alpaca, Dolly: a request, an optional input, an answer
`problem`      CamelAI: message_1 is the problem, message_2 the solution; in some files the topic's key is literally `topic;`
`question`     TheoremQA: a question with a bare reference answer; the teacher writes the full answer
`post`         LessWrong: an essay in HTML or text, with author, date and address; one seed per task
`conversation` Dove (`conversation`), Puffin (`conversations`), TRL (`messages`): several exchanges
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.parquet_files import ROW, to_rows
from workflow_scripts.common.published import INVISIBLE, read_published
from workflow_scripts.common.published import LAYOUTS as CONVERSATIONS
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.text_arrays import boolean
from workflow_scripts.common.types import Config, Row
from workflow_scripts.seeds import posts
from workflow_scripts.seeds.columns import WrongType, as_texts, find_column, parsed
from workflow_scripts.seeds.schema import EXCHANGES, SEED

# The columns that a layout reads: the first non-empty one of each list. `columns` of a source names other columns. A
# non-empty value that is not a column of a seed is moved to `meta`.
COLUMNS: dict[str, dict[str, list[str]]] = {
    "instruction": {
        "instruction": ["instruction", "prompt", "question"],
        "context": ["input", "context"],
        "response": ["response", "output", "answer"],
        "category": ["category"],
        "system": ["system"],
    },
    "problem": {
        "instruction": ["message_1"],
        "response": ["message_2"],
        "topic": ["topic;", "topic"],
        "sub_topic": ["sub_topic"],
    },
    "question": {
        "instruction": ["Question", "question"],
        "reference": ["Answer", "answer"],
        "answer_type": ["Answer_type", "answer_type"],
        "picture": ["Picture", "picture"],
    },
    "post": {
        "body": ["htmlBody", "contents.html", "contents", "text"],
        "title": ["title"],
        "author": ["author", "user.displayName", "authors"],
        "date": ["postedAt", "date_published"],
        "address": ["pageUrl", "url"],
    },
}
# Nothing that is visible: white space, zero-width and control characters, empty letters.
BLANK = rf"^[\pZ\pC{''.join(sorted(INVISIBLE))}]*$"
SCORES = ["baseScore", "score", "karma"]  # columns of a post's score, which is a number
REQUIRED = {"instruction", "response", "reference", "body"}
NO_INPUT = r"(?i)^<?no ?input>?$|^n/a$"  # an empty input in datasets derived from Alpaca


@dataclass
class Adapted:
    """Seeds as columns of equal length, and the rows without a seed as (row from 0, reason)."""

    columns: dict[str, pa.Array]
    rejected: list[tuple[int, str]] = field(default_factory=list)


def needed_columns(names: list[str], source: Config) -> list[str]:
    """Those of a table's columns that the source's layout may read; all others stay undecoded."""
    wanted = {name for options in _wanted(source).values() for name in options}
    if source["layout"] == "post":
        wanted.update(_score_columns(source))
    return [
        name for name in names if name == ROW or name in wanted or any(other.startswith(f"{name}.") for other in wanted)
    ]


def _wanted(source: Config) -> dict[str, list[str]]:
    """The columns that the layout of a source reads, by the column of a seed."""
    if source["layout"] == "conversation":
        standard = {name: [name] for name in CONVERSATIONS}
    else:
        standard = COLUMNS[source["layout"]]
    named = {key: _as_list(names) for key, names in source.get("columns", {}).items() if key != "score"}
    return standard | named


def _score_columns(source: Config) -> list[str]:
    return _as_list(source.get("columns", {}).get("score")) or SCORES


def read_columns(table: pa.Table, source: Config) -> dict[str, pa.Array]:
    """The layout's columns that the table has, as trimmed texts. Raises KeyError (missing column) or WrongType."""
    columns = {}
    for key, names in _wanted(source).items():
        found = [values for name in names if (values := find_column(table, name)) is not None]
        if found:
            columns[key] = _first_shown(found)
        elif names and (key in REQUIRED or key in source.get("columns", {})):
            raise KeyError(" or ".join(names))
    return columns


def _first_shown(found: list[tuple[pa.Array, str]]) -> pa.Array:
    """Of each row the first text that shows something, trimmed; "" if all are blank, null if all are null.

    Values behind such a text are not read, so they may have any type.
    """
    count = len(found[0][0])
    result, blank = pa.nulls(count, pa.string()), np.ones(count, dtype=bool)
    for values, name in found:
        rows = np.flatnonzero(blank & values.is_valid().to_numpy(zero_copy_only=False))
        if not len(rows):
            continue
        try:
            texts = pc.utf8_trim_whitespace(as_texts(values.take(pa.array(rows)), name))
        except WrongType as error:
            raise error.at(rows) from None
        shown = pc.if_else(pc.match_substring_regex(texts, BLANK), "", texts)
        mask = np.zeros(count, dtype=bool)
        mask[rows] = True
        result = pc.replace_with_mask(result, pa.array(mask), shown)
        blank = boolean(pc.fill_null(pc.equal(result, ""), True))
    return result


def _as_list(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def _conversation_columns(table: pa.Table, columns: dict[str, list[str]]) -> pa.Table:
    """The columns with conversations, renamed to the names of their layouts. KeyError if there is no such column."""
    candidates = {name: [name] for name in CONVERSATIONS} | columns
    names = {
        key: next((name for name in names if name in table.column_names), None) for key, names in candidates.items()
    }
    if missing := next((columns[key] for key in columns if columns[key] and names[key] is None), None):
        raise KeyError(" or ".join(missing))
    if not any(names.values()):
        raise KeyError(" or ".join(CONVERSATIONS))
    return pa.table({key: table.column(name) for key, name in names.items() if name is not None})


def _complete_rows(columns: dict[str, pa.Array], *required: str) -> tuple[dict[str, pa.Array], list[tuple[int, str]]]:
    """The rows with a visible text in every required column, and the others as (row, reason)."""
    nulls = {name: pc.fill_null(pc.equal(columns[name], ""), True).to_numpy(zero_copy_only=False) for name in required}
    if not any(mask.any() for mask in nulls.values()):
        return columns, []
    rejected = {int(row): f"missing_{name}" for name in reversed(required) for row in np.flatnonzero(nulls[name])}
    keep = pa.array([row not in rejected for row in range(len(columns[required[0]]))])
    return {key: values.filter(keep) for key, values in columns.items()}, sorted(rejected.items())


def _instruction(columns: dict[str, pa.Array], table: pa.Table, source: Config) -> Adapted:
    columns, rejected = _complete_rows(columns, "instruction", "response")
    if "system" in columns:  # the answer depends on it, and Capybara's layout has no system message
        system = pc.fill_null(columns["system"], "")
        joined = pc.binary_join_element_wise(system, columns["instruction"], "\n\n")
        columns["instruction"] = pc.if_else(pc.equal(system, ""), columns["instruction"], joined)
    if "context" in columns:
        columns["context"] = pc.replace_substring_regex(columns["context"], NO_INPUT, "")
    return Adapted(columns, rejected)


def _question(columns: dict[str, pa.Array], table: pa.Table, source: Config) -> Adapted:
    pictures = columns.pop("picture", None)
    if pictures is not None:  # no model of this workflow reads pictures
        has_picture = pc.fill_null(pc.greater(pc.utf8_length(pictures), 0), False).to_numpy(zero_copy_only=False)
        keep = np.flatnonzero(~has_picture)
        columns = {key: values.take(pa.array(keep)) for key, values in columns.items()}
        columns, missing = _complete_rows(columns, "instruction", "reference")
        rejected = [(int(row), "needs_a_picture") for row in np.flatnonzero(has_picture)]
        return Adapted(columns, sorted(rejected + [(int(keep[row]), reason) for row, reason in missing]))
    return Adapted(*_complete_rows(columns, "instruction", "reference"))


def _post(columns: dict[str, pa.Array], table: pa.Table, source: Config) -> Adapted:
    seeds: list[Row] = []
    rejected = []
    scores = _scores(table, source)
    for row, post in enumerate(pa.table(columns).to_pylist()):
        html, title = post["body"] or "", post.get("title") or ""
        paragraphs = posts.to_text(html)
        if not paragraphs:
            reason = "empty_post"
        elif posts.is_announcement(title, html):
            reason = "announcement"
        elif sum(map(len, paragraphs)) < source["post_min_chars"]:
            reason = "short_post"
        elif scores is not None and (scores[row] is None or scores[row] < source["post_min_score"]):
            reason = "low_score"
        else:
            reason = None
        if reason is not None:
            rejected.append((row, reason))
            continue
        body, complete = posts.excerpt(paragraphs, source["post_chars"])
        context = posts.introduce(title, body, complete)
        meta = {key: post.get(key) for key in ("title", "author", "date", "address")} | {"excerpt": not complete}
        for task, instruction in posts.tasks_for(content_id(context), source["post_tasks"], complete):
            seeds.append(
                {"row": row, "task": task, "instruction": instruction, "context": context, "meta": _json(meta)}
            )
    return Adapted({key: pa.array([seed[key] for seed in seeds]) for key in (seeds[0] if seeds else ())}, rejected)


def _scores(table: pa.Table, source: Config) -> list[float | None] | None:
    """The posts' scores, None where a row has no number; None if `post_min_score` is null. KeyError without a column."""
    if source["post_min_score"] is None:
        return None
    names = _score_columns(source)
    name = next((name for name in names if name in table.column_names), None)
    if name is None:
        raise KeyError(" or ".join(names))
    values = table.column(name).combine_chunks()
    return [
        _number(value) for value in (parsed(values) if isinstance(values, pa.ExtensionArray) else values.to_pylist())
    ]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _conversation(columns: dict[str, pa.Array], table: pa.Table, source: Config) -> Adapted:
    conversations, changes, kept, rejected = [], [], [], []
    for row, layouts in enumerate(to_rows(table)):
        try:
            read = read_published(layouts)
        except KeyError:
            rejected.append((row, "no_exchange"))
        except ValueError as error:
            rejected.append((row, str(error).replace(" ", "_")))
        else:
            conversations.append(read.exchanges)
            changes.append(", ".join(read.changes))
            kept.append(row)
    seeds = _conversation_seeds(pa.array(conversations, EXCHANGES))
    return Adapted(seeds | {"changes": pa.array(changes, pa.string()), "row": pa.array(kept, pa.int64())}, rejected)


def _conversation_seeds(conversations: pa.Array) -> dict[str, pa.Array]:
    """The columns of conversation seeds. Instruction and response repeat the first exchange."""
    first = pc.list_element(conversations, 0) if len(conversations) else pa.array([], EXCHANGES.value_type)
    return {
        "conversation": conversations,
        "instruction": pc.utf8_trim_whitespace(pc.struct_field(first, "input")),
        "response": pc.utf8_trim_whitespace(pc.struct_field(first, "output")),
    }


def _single_exchanges(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Requests and answers as conversations of one exchange, which the teacher does not amplify (`as_is`)."""
    request = columns["instruction"]
    if "context" in columns:
        context = pc.fill_null(columns["context"], "")
        joined = pc.binary_join_element_wise(request, context, "\n\n")
        request = pc.if_else(pc.equal(context, ""), request, joined)
    exchanges = pa.StructArray.from_arrays([request, columns["response"]], ["input", "output"])
    offsets = pa.array(range(len(request) + 1), pa.int32())
    rest = {key: values for key, values in columns.items() if key != "context"}
    return rest | _conversation_seeds(pa.ListArray.from_arrays(offsets, exchanges))


LAYOUTS: dict[str, Callable[[dict[str, pa.Array], pa.Table, Row], Adapted]] = {
    "instruction": _instruction,
    "problem": lambda columns, table, source: Adapted(*_complete_rows(columns, "instruction", "response")),
    "question": _question,
    "post": _post,
    "conversation": _conversation,
}
KINDS = {name: name for name in LAYOUTS} | {"question": "problem"}


def adapt(table: pa.Table, source: Config, origin: Row, first: int = 1) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Published rows as seeds (columns: `schema.SEED`), and the rows that contain no seed as (row from 0, reason).

    `source` is the resolved entry of the config, `origin` the JSON file of `fetch_source`, `first` the number of the
    table's first row in the source, from 1, unless the table has the column `ROW`. Raises KeyError (missing column) or WrongType.
    """
    columns = {}
    numbers = table.column(ROW).combine_chunks() if ROW in table.column_names else None
    if source["layout"] == "conversation":
        table = _conversation_columns(table, {key: _as_list(names) for key, names in source.get("columns", {}).items()})
    else:
        columns = read_columns(table, source) | {"row": pa.array(range(table.num_rows), pa.int64())}
    adapted = LAYOUTS[source["layout"]](columns, table, source)
    columns = adapted.columns
    if source.get("as_is") and "conversation" not in columns:
        columns = _single_exchanges(columns)
    count = len(next(iter(columns.values()), ()))
    constants = {
        "source": source["label"],
        "dataset": origin["dataset"],
        "revision": origin["revision"],
        "license": source["license"],
        "kind": "conversation" if "conversation" in columns else KINDS[source["layout"]],
        "context": "",
        "response": "",
        "domain": source.get("domain"),
    }
    seeds = {
        name: pc.fill_null(columns[name], "") if name in columns and name in ("context", "response")
        else columns[name] if name in columns
        else pa.repeat(pa.scalar(constants.get(name), SEED.field(name).type), count)
        for name in SEED.names
        if name not in ("id", "meta")
    }  # fmt: skip
    other = {key: values for key, values in columns.items() if key not in SEED.names}
    seeds["meta"] = columns.get("meta", _meta(other, source.get("benchmark"), count))
    seeds["row"] = pc.add(seeds["row"], first) if numbers is None else numbers.take(seeds["row"])
    identity = [seeds[name].to_pylist() for name in ("instruction", "context", "response", "conversation")]
    seeds["id"] = pa.array([content_id(*parts) for parts in zip(*identity, strict=True)], pa.string())
    return pa.table({name: seeds[name] for name in SEED.names}, schema=SEED), adapted.rejected


def _meta(columns: dict[str, pa.Array], benchmark: str | None, count: int) -> pa.Array:
    """JSON objects of the non-empty values. `benchmark` names the benchmark whose items the seeds are, if any."""
    always = {"benchmark": benchmark} if benchmark else {}
    if not columns:
        return pa.repeat(_json(always), count)
    rows = zip(*(values.to_pylist() for values in columns.values()), strict=True)
    return pa.array(
        [
            _json({key: value for key, value in zip(columns, row, strict=True) if value} | always)
            for row in rows
        ],
        pa.string(),
    )  # fmt: skip


def _json(value: Row) -> str:
    return json.dumps(value, ensure_ascii=False)

"""The layouts in which seed sources are published, each read column-wise into seeds.

`instruction`  Airoboros, Know_Logic, EverythingLM, GPTeacher, Alpaca, Dolly: a request, an optional input, an answer
`problem`      CamelAI: message_1 is the problem, message_2 the solution; the topic's key is literally `topic;` in some files
`question`     TheoremQA: a question with a bare reference answer; the teacher writes the full one
`post`         LessWrong: an essay in HTML or text, with author, date and address; one seed for each task asked of it
`conversation` Dove (`conversation`), Puffin (`conversations`), TRL (`messages`): several exchanges
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.common.conversations import LAYOUTS as CONVERSATIONS
from workflow_scripts.common.conversations import read_exchanges
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.seeds import posts
from workflow_scripts.seeds.schema import EXCHANGES, SEED

# Which columns of a source a layout reads: the first of each list that holds something. `columns` of a source names
# others; what is neither a seed's own column nor empty goes to its `meta`.
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
REQUIRED = {"instruction", "response", "reference", "body"}
NO_INPUT = r"(?i)^<?no ?input>?$|^n/a$"  # what Alpaca's relatives write instead of leaving it empty


@dataclass
class Adapted:
    """Seeds of some rows: columns of equal length, and the rows without a seed as (row from 0, reason)."""

    columns: dict[str, pa.Array]
    rejected: list[tuple[int, str]] = field(default_factory=list)


def read_columns(table: pa.Table, source: Row) -> dict[str, pa.Array]:
    """The layout's columns that the table has, as trimmed texts. KeyError (missing) or WrongType."""
    table = _flat(table)
    wanted = COLUMNS[source["layout"]] | {key: _names(names) for key, names in source.get("columns", {}).items()}
    found = {}
    for key, names in wanted.items():
        present = [pc.utf8_trim_whitespace(_text(table, name)) for name in names if name in table.column_names]
        if present:
            filled = [pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts) for texts in present]
            found[key] = pc.coalesce(*filled, *present)
        elif names and (key in REQUIRED or key in source.get("columns", {})):
            raise KeyError(" or ".join(names))
    return found


def _flat(table: pa.Table) -> pa.Table:
    """{"user": {"displayName": …}} as `user.displayName`; an image of `datasets`, {bytes, path}, as a text."""
    for place, kind in enumerate(table.schema):
        if pa.types.is_struct(kind.type) and {inner.name for inner in kind.type} == {"bytes", "path"}:
            parts = table.column(place).combine_chunks().flatten()
            seen = pc.or_(*(part.is_valid() for part in parts))
            table = table.set_column(place, kind.name, pc.if_else(seen, "image", pa.scalar(None, pa.string())))
    return table.flatten()


def _names(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


class WrongType(TypeError):
    """A column, or one row of it (counted from 0), that holds something else than text."""

    def __init__(self, name: str, found: str, row: int | None = None):
        super().__init__(f"`{name}` is {found}, text was expected")
        self.row = row


def _text(table: pa.Table, name: str) -> pa.Array:
    values = table.column(name).combine_chunks()
    if isinstance(values, pa.ExtensionArray):  # so `datasets` keeps a column of mixed types: as JSON
        texts = [None if value is None else json.loads(value) for value in values.to_pylist()]
        for row, value in enumerate(texts):
            if not isinstance(value, str | None):
                raise WrongType(name, type(value).__name__, row)
        values = pa.array(texts, pa.string())
    if pa.types.is_null(values.type) or pa.types.is_dictionary(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(pa.string())
    if pa.types.is_timestamp(values.type):  # so `datasets` reads a date in a JSON file
        values = pc.strftime(values.cast(pa.timestamp("s"), safe=False), "%Y-%m-%dT%H:%M:%SZ")
    if values.type in (pa.list_(pa.string()), pa.list_(pa.null())):  # several authors
        values = pc.binary_join(values.cast(pa.list_(pa.string())), ", ")
    if not pa.types.is_string(values.type):
        raise WrongType(name, str(values.type))
    return values


def _renamed(table: pa.Table, columns: dict[str, list[str]]) -> pa.Table:
    """The columns that hold conversations, under the layouts' own names. KeyError if there is none."""
    found = {name: [name] for name in CONVERSATIONS} | columns
    names = {key: next((name for name in names if name in table.column_names), None) for key, names in found.items()}
    if missing := next((columns[key] for key in columns if columns[key] and names[key] is None), None):
        raise KeyError(" or ".join(missing))
    if not any(names.values()):
        raise KeyError(" or ".join(CONVERSATIONS))
    return pa.table({key: table.column(name) for key, name in names.items() if name is not None})


def _whole(columns: dict[str, pa.Array], *needed: str) -> tuple[dict[str, pa.Array], list[tuple[int, str]]]:
    """The rows in which every needed column holds a value, and the others."""
    nulls = {name: columns[name].is_null().to_numpy(zero_copy_only=False) for name in needed}
    if not any(mask.any() for mask in nulls.values()):
        return columns, []
    rejected = {int(row): f"missing_{name}" for name in reversed(needed) for row in np.flatnonzero(nulls[name])}
    keep = pa.array([row not in rejected for row in range(len(columns[needed[0]]))])
    return {key: values.filter(keep) for key, values in columns.items()}, sorted(rejected.items())


def _instruction(columns: dict[str, pa.Array], table: pa.Table, source: Row) -> Adapted:
    columns, rejected = _whole(columns, "instruction", "response")
    if "system" in columns:  # the answer obeys it; Capybara's layout has no place for it but the request
        system = pc.fill_null(columns["system"], "")
        joined = pc.binary_join_element_wise(system, columns["instruction"], "\n\n")
        columns["instruction"] = pc.if_else(pc.equal(system, ""), columns["instruction"], joined)
    if "context" in columns:
        columns["context"] = pc.replace_substring_regex(columns["context"], NO_INPUT, "")
    return Adapted(columns, rejected)


def _question(columns: dict[str, pa.Array], table: pa.Table, source: Row) -> Adapted:
    pictures = columns.pop("picture", None)
    if pictures is not None:  # nothing here reads pictures
        seen = pc.fill_null(pc.greater(pc.utf8_length(pictures), 0), False).to_numpy(zero_copy_only=False)
        keep = np.flatnonzero(~seen)
        columns = {key: values.take(pa.array(keep)) for key, values in columns.items()}
        columns, missing = _whole(columns, "instruction", "reference")
        rejected = [(int(row), "needs_a_picture") for row in np.flatnonzero(seen)]
        return Adapted(columns, sorted(rejected + [(int(keep[row]), reason) for row, reason in missing]))
    return Adapted(*_whole(columns, "instruction", "reference"))


def _post(columns: dict[str, pa.Array], table: pa.Table, source: Row) -> Adapted:
    seeds: list[Row] = []
    rejected = []
    for row, post in enumerate(pa.table(columns).to_pylist()):
        body, whole = posts.excerpt(posts.to_text(post["body"] or ""), source["post_chars"])
        if not body:
            rejected.append((row, "empty_post"))
            continue
        title = post.get("title") or ""
        context = f"{title}\n\n{body}" if title else body
        meta = {key: post.get(key) for key in ("title", "author", "date", "address")} | {"excerpt": not whole}
        for task, instruction in posts.tasks_for(content_id(context), source["post_tasks"]):
            seeds.append({"task": task, "instruction": instruction, "context": context, "meta": _json(meta)})
    return Adapted({key: pa.array([seed[key] for seed in seeds]) for key in (seeds[0] if seeds else ())}, rejected)


def _conversation(columns: dict[str, pa.Array], table: pa.Table, source: Row) -> Adapted:
    conversations, rejected = [], []
    kinds = {name: table.schema.field(name).type for name in CONVERSATIONS if name in table.column_names}
    for row, layouts in enumerate(table.select(list(kinds)).to_pylist()):
        try:
            conversations.append(read_exchanges({name: _parsed(layouts[name], kind) for name, kind in kinds.items()}))
        except KeyError:
            rejected.append((row, "no_exchange"))
        except ValueError as error:
            rejected.append((row, str(error).replace(" ", "_")))
    return Adapted(_opened(pa.array(conversations, EXCHANGES)), rejected)


def _parsed(value: Any, kind: pa.DataType) -> Any:
    """A value as the file had it: what differs in type from row to row `datasets` keeps as JSON, at any depth."""
    if value is None:
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return json.loads(value)
    if pa.types.is_struct(kind):
        return {inner.name: _parsed(value[inner.name], inner.type) for inner in kind}
    if pa.types.is_list(kind):
        return [_parsed(item, kind.value_type) for item in value]
    return value


def _opened(conversations: pa.Array) -> dict[str, pa.Array]:
    """A conversation seed's columns: instruction and response are those of its first exchange."""
    first = pc.list_element(conversations, 0) if len(conversations) else pa.array([], EXCHANGES.value_type)
    return {
        "conversation": conversations,
        "instruction": pc.utf8_trim_whitespace(pc.struct_field(first, "input")),
        "response": pc.utf8_trim_whitespace(pc.struct_field(first, "output")),
    }


def _as_is(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """A request and its answer as a conversation of one exchange, which no teacher amplifies."""
    asked = columns["instruction"]
    if "context" in columns:
        context = pc.fill_null(columns["context"], "")
        joined = pc.binary_join_element_wise(asked, context, "\n\n")
        asked = pc.if_else(pc.equal(context, ""), asked, joined)
    exchanges = pa.StructArray.from_arrays([asked, columns["response"]], ["input", "output"])
    offsets = pa.array(range(len(asked) + 1), pa.int32())
    rest = {key: values for key, values in columns.items() if key != "context"}
    return rest | _opened(pa.ListArray.from_arrays(offsets, exchanges))


LAYOUTS: dict[str, Callable[[dict[str, pa.Array], pa.Table, Row], Adapted]] = {
    "instruction": _instruction,
    "problem": lambda columns, table, source: Adapted(*_whole(columns, "instruction", "response")),
    "question": _question,
    "post": _post,
    "conversation": _conversation,
}
KINDS = {name: name for name in LAYOUTS} | {"question": "problem"}


def adapt(table: pa.Table, source: Row, origin: Row) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Published rows as seeds (columns: `schema.SEED`), and the rows that hold none as (row from 0, reason).

    `source` is the resolved entry of the config, `origin` what `fetch_source` recorded. Raises KeyError (missing
    column) or WrongType.
    """
    columns = {}
    if source["layout"] == "conversation":
        table = _renamed(table, {key: _names(names) for key, names in source.get("columns", {}).items()})
    else:
        columns = read_columns(table, source)
    adapted = LAYOUTS[source["layout"]](columns, table, source)
    columns = adapted.columns
    if source.get("as_is") and "conversation" not in columns:
        columns = _as_is(columns)
    count = len(next(iter(columns.values()), ()))
    told = [key for key in columns if key not in SEED.names]
    known = {
        "source": source["label"],
        "dataset": origin["dataset"],
        "revision": origin["revision"],
        "license": source["license"],
        "kind": "conversation" if "conversation" in columns else KINDS[source["layout"]],
        "context": "",
        "response": "",
        "domain": source.get("domain"),
    }
    whole = {
        name: pc.fill_null(columns[name], "") if name in columns and name in ("context", "response")
        else columns[name] if name in columns
        else pa.repeat(pa.scalar(known.get(name), SEED.field(name).type), count)
        for name in SEED.names
        if name not in ("id", "meta")
    }  # fmt: skip
    whole["meta"] = columns.get("meta", _meta({key: columns[key] for key in told}, source.get("benchmark"), count))
    identity = [whole[name].to_pylist() for name in ("instruction", "context", "response", "conversation")]
    whole["id"] = pa.array([content_id(*parts) for parts in zip(*identity, strict=True)], pa.string())
    return pa.table({name: whole[name] for name in SEED.names}, schema=SEED), adapted.rejected


def _meta(columns: dict[str, pa.Array], benchmark: str | None, count: int) -> pa.Array:
    """JSON objects of what the columns hold; `benchmark` flags seeds that are themselves benchmark items."""
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

"""docs/configuration.md, generated from the schema and the defaults of config.yaml.

python -m workflow_scripts.config.documentation > docs/configuration.md
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.common.types import Config
from workflow_scripts.config.files import DEFAULT, read_file
from workflow_scripts.config.renamed import RENAMED, RENAMED_VALUES
from workflow_scripts.config.schema import schema

HEAD = """\
<!-- Generated from rules/schemas/config.schema.yaml and config.yaml by `make docs`; do not edit. -->
# Configuration keys

- [config.yaml](../config.yaml) lists every key with its default: the pocket run.
- A preset or your own file overrides the keys that it names: `snakemake --cores all --configfile mine.yaml`.
  Mappings are merged key by key; lists are replaced as a whole.
- `snakemake --config key=value` overrides files.
- Errors are reported before any job starts; unknown keys are errors.
- Paths are relative to the folder of the workflow.
- A configuration is trusted like code: `training.launcher`, `evaluation.launcher` and `release.gguf_converter` start programs,
  and task files in `evaluation.include_path` may contain Python. Read a configuration from somewhere else before you run it.
- Keys and passwords belong in environment variables; the configuration names the variable.
- `documented` marks what the authors published; everything else is our choice.

In the tables, `[]` is an entry of a list and `NAME` a name of your choice.
A key with neither a default nor `required` is optional.
"""
MAX_DEFAULT_CHARS = 60  # a longer default is not repeated
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"array": "list", "object": "mapping"}
NUMBERS = ("integer", "number")
NO_DEFAULT = object()


def render(defaults: Config) -> str:
    """The page as Markdown: a table for each section of the configuration, then the renamed keys."""
    general, sections = [], []
    for name, part in schema()["properties"].items():
        first, *rows = _rows(name, part, defaults.get(name, NO_DEFAULT), required=False)
        if rows:
            sections.append(
                f"## {name}\n\n{part['description'][0].upper()}{part['description'][1:]}.\n\n{_table(rows)}"
            )
        else:
            general.append(first)
    renamed = [(f"`{old}`", f"`{new}`") for old, new in RENAMED.items()]
    renamed += [(f"`{key}: {old}`", f"`{key}: {new}`") for (key, old), new in RENAMED_VALUES.items()]
    history = "An old key or value is an error that names the new one.\n\n" + _markdown_table(
        ("before", "now"), renamed
    )
    page = "\n".join([HEAD, f"## General\n\n{_table(general)}", *sections, f"## Renamed keys and values\n\n{history}"])
    return re.sub(r"\bdocs/(\S+?\.md)", r"[\1](\1)", page)


def _rows(key: str, part: Any, default: Any, required: bool) -> Iterator[tuple[str, str, str, str]]:
    """(key, type, default, meaning) of a key and of all keys inside it."""
    part = _resolved(part)
    inner, names, entries = part.get("properties", {}), part.get("additionalProperties"), part.get("items")
    shown = "required" if required and default is NO_DEFAULT else ""
    if default is not NO_DEFAULT and not (inner and isinstance(default, dict)):
        shown = _default(default, repeatable=not (_nested(names) or _nested(entries)))
    yield (key, _type(part), shown, part.get("description", ""))
    for name, child in inner.items():
        value = default.get(name, NO_DEFAULT) if isinstance(default, dict) else child.get("default", NO_DEFAULT)
        yield from _rows(f"{key}.{name}", child, value, name in part.get("required", []))
    for child, step in ((names, ".NAME"), (entries, "[]")):
        if _nested(child):
            yield from list(_rows(f"{key}{step}", child, NO_DEFAULT, required=False))[1:]


def _resolved(part: Config) -> Config:
    """A schema with its `$ref` replaced by the definition; its own keywords win."""
    if "$ref" not in part:
        return part
    return {**schema()["$defs"][part["$ref"].removeprefix("#/$defs/")], **part}


def _nested(part: Any) -> bool:
    """Whether the entries of a list or mapping have keys of their own."""
    if not isinstance(part, dict):
        return False
    part = _resolved(part)
    return bool(part.get("properties")) or _nested(part.get("items")) or _nested(part.get("additionalProperties"))


def _type(part: Any) -> str:
    """The type and the range of a value in words: `integer ≥ 1 or null`, `one of split, cut`, `list of string`."""
    part = _resolved(part)
    if "enum" in part:
        return f"one of {', '.join(part['enum'])}"
    if "anyOf" in part:
        return " or ".join(map(_type, part["anyOf"]))
    limits = ", ".join(f"{sign} {part[name]}" for name, sign in LIMITS.items() if name in part)
    kinds = part.get("type", "any")
    words = []
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        names, entries = part.get("additionalProperties"), part.get("items")
        if kind == "array":
            plain = entries is not None and not _nested(entries)
            words.append(f"list of {_type(entries).replace('one of', 'any of')}" if plain else "list")
        elif kind == "object" and isinstance(names, dict) and not _nested(names):
            known = _resolved(part.get("propertyNames", {})).get("enum")
            words.append(f"mapping from {'one of ' + ', '.join(known) if known else 'NAME'} to {_type(names)}")
        else:
            word = TYPES.get(kind, str(kind))
            words.append(f"{word} {limits}".strip() if kind in NUMBERS else word)
    return " or ".join(words)


def _default(value: Any, repeatable: bool) -> str:
    """A default as YAML writes it in one line; a long one is only in config.yaml."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
    return f"`{text}`" if len(text) <= MAX_DEFAULT_CHARS and (repeatable or not value) else "see config.yaml"


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    return _markdown_table(
        ("key", "type or values", "default", "meaning"), [(f"`{key}`", *rest) for key, *rest in rows]
    )


def _markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    print(render(read_file(Path(DEFAULT))), end="")

"""The schema of the configuration, and its validation errors as one line each."""

import functools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema

from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config.renamed import RENAMED, RENAMED_VALUES
from workflow_scripts.config.secrets import hide_in_addresses

SCHEMA = Path(__file__).parents[2] / "rules" / "schemas" / "config.schema.yaml"
TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
# What the patterns of the schema accept, in words.
LAUNCHER = r"(python|accelerate launch|torchrun)( ([^;&|<>`$\n]|\$(?!\())*)?"
BASE_URL = "^https?://[^@?]+$"
PATTERNS = {
    "^[a-z0-9][a-z0-9_.-]*$": "use lower-case letters, digits, . _ and -, beginning with a letter or a digit",
    "^[A-Za-z0-9][A-Za-z0-9_.-]*$": "use letters, digits, . _ and -, beginning with a letter or a digit",
    "^(?!base$)[a-z0-9][a-z0-9_.-]*$": "use lower-case letters, digits, . _ and -; `base` is the name of the base model",
    "^[0-9a-f]{64}$": "it must be 64 hex digits",
    "^https?://": "it must begin with http:// or https://",
    BASE_URL: "it must begin with http:// or https:// and contain neither @ nor ?",
    "^[A-Za-z_][A-Za-z0-9_]*$": "it must be the name of an environment variable",
    f"^{LAUNCHER}$": "it must be one command that begins with python, accelerate launch or torchrun",
    f"^({LAUNCHER})?$": "it must be one command that begins with python, accelerate launch or torchrun",
    "^[^{}<>]+$": "it must not be empty and not contain { } < or >, which Snakemake replaces in file names",
    "/": "write the path of the file with its folder, such as ~/.keys/teacher",
    "^auto": "write a number, or auto",
    "^[a-z0-9][a-z0-9.-]*$": "use lower-case letters, digits, . and -",
}
NO_KEYS = {
    "api_key_env": "not the name of an environment variable. Export the key in one and write its name here.",
    "api_key_file": "not the path of a file with its folder. Write the key into a file and its path here, such as ~/.keys/teacher.",
}
SHOWN_CHARS = 80  # a longer value is shortened in a message


def _pattern(validator: Any, pattern: str, instance: Any, part: Config) -> Iterator[jsonschema.ValidationError]:
    """As in JSON Schema, and unlike Python, a `$` at the end does not match before a line end."""
    if validator.is_type(instance, "string") and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # jsonschema states no type for it
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)


@functools.cache
def schema() -> Config:
    """The schema of the whole configuration."""
    content: Config = read_yaml(SCHEMA)
    return content


def section_errors(section: str, key: str, value: Any) -> list[str]:
    """The errors of a value from another file that has the form of `section.key` of the configuration."""
    part = schema()["properties"][section]["properties"][key]
    return validation_errors(value, {"$defs": schema()["$defs"], **part}, key=f"{section}.{key}")


def validation_errors(value: Any, part: Config, *, name: str = "", key: str = "") -> list[str]:
    """One line for each error of `value` under the schema `part`, sorted by key.

    `name` precedes the keys in the messages. `key` is the dotted key of `value` in the configuration, by which the names
    of earlier versions are recognised.
    """
    errors = Validator(part).iter_errors(value)
    ordered = sorted(errors, key=lambda error: [str(step) for step in error.absolute_path])
    return list(dict.fromkeys(line for error in ordered for line in _explain(error, name, key)))


def infinite_numbers(value: Any, key: str = "") -> Iterator[str]:
    """One line for each number that is infinite or not a number: comparisons with limits do not find it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from infinite_numbers(inner, _dotted(key, str(name)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from infinite_numbers(inner, _dotted(key, place))
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{key}: {value} is not a finite number."


def renamed_key(name: str, key: str) -> str | None:
    """The message for a key of earlier versions, or None. `name` is the key as shown, `key` as the table has it."""
    if key not in RENAMED:
        return None
    parent = name.removesuffix(key.rpartition(".")[2])
    return f"{name}: renamed to {parent}{RENAMED[key].rpartition('.')[2]}."


def _dotted(start: str, *path: Any) -> str:
    """A dotted key with list positions in brackets: seeds.sources[2].path."""
    text = start
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _explain(error: jsonschema.ValidationError, name: str, key: str) -> Iterator[str]:
    where = _dotted(name, *error.absolute_path) or "the configuration"
    key = _dotted(key, *error.absolute_path)
    part = error.schema if isinstance(error.schema, Mapping) else {}  # not the schemas `true` and `false`
    validator, limit, instance = str(error.validator), cast(Any, error.validator_value), cast(Any, error.instance)
    value, meaning = _shown(error.instance), part.get("description")
    because = f" ({meaning})" if meaning else ""
    if advice := NO_KEYS.get(key.rpartition(".")[2]):  # the value may be the key itself: it is not repeated
        yield f"{where}: {advice}"
        return
    match validator:
        case "additionalProperties" if limit is False:
            known = list(part["properties"])
            for unknown in sorted(set(instance) - set(known), key=str):
                shown = _dotted(name, *error.absolute_path, unknown)
                hint = renamed_key(shown, _dotted(key, unknown))
                yield hint or f"{shown}: unknown key; {suggest(str(unknown), known)}"
        case "required":
            for missing in sorted(set(limit) - set(instance)):
                yield f"{_dotted(name, *error.absolute_path, missing)}: missing."
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            expected = " or ".join(TYPES[kind] for kind in kinds)
            yield f"{where}: {value}{_is_type(error.instance)}; expected {expected}{because}."
        case "enum" if new := RENAMED_VALUES.get((key, str(error.instance))):
            yield f"{where}: {error.instance} was renamed to {new}."
        case "enum":
            yield f"{where}: {value} is not one of {', '.join(map(str, limit))}{because}."
        case "oneOf":
            yield f"{where}: give either `path` or `hub`, not both."
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            yield f"{where}: {value} must be {LIMITS[validator]} {limit}{because}."
        case "pattern" if limit == BASE_URL and re.search(
            r"[@?]", str(error.instance)
        ):  # perhaps a password: not repeated
            yield f"{where}: not valid: {PATTERNS[limit]}{because}."
        case "pattern":
            yield f"{where}: {value} is not valid: {PATTERNS[limit]}{because}."
        case _:
            yield f"{where}: {error.message}{because}."


def _shown(value: Any) -> str:
    """A value as YAML writes it, shortened."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    text = hide_in_addresses(text)
    return text if len(text) < SHOWN_CHARS else f"{text[: SHOWN_CHARS - 3]}..."


def _is_type(value: Any) -> str:
    """` is a string` and so on; nothing for null, which is its own name."""
    kinds = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a mapping",
    }
    return next((f" is {kinds[kind]}" for kind in type(value).__mro__ if kind in kinds), "")

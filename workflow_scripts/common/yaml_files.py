"""YAML files, read with three differences from PyYAML: `2e-5` is a number, a repeated key is an error, errors name the line."""

import re
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.nesting import MAX_NESTING, TOO_DEEP

# libyaml's parser is about eight times as fast; wheels of PyYAML contain it, some distributions do not.
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.1 requires a point and the sign of the exponent; YAML 1.2 and JSON do not.
FLOAT = re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$")


class _RepeatedKey(yaml.YAMLError):
    """A key that a mapping contains twice, with the lines of both."""


class _NestedTooDeeply(yaml.YAMLError):
    """More than `MAX_NESTING` levels, with the line."""


class Loader(BASE):  # type: ignore[misc]  # the class depends on the build of PyYAML
    """A safe loader that reads numbers as JSON does and rejects repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises _RepeatedKey."""
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines and isinstance(key, yaml.ScalarNode):
                raise _RepeatedKey(
                    f"line {line}: `{key.value}` is set twice, first in line {lines[name]}. Delete one of them."
                )
            lines[name] = line
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789"))


def _check_nesting(text: str) -> None:
    """Raises _NestedTooDeeply. Events are read without recursion; building values is recursive, in C."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _NestedTooDeeply(f"line {line}: {TOO_DEEP} Fix the file.")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. UserError with file and line if it is not valid YAML; OSError if it cannot be opened."""
    return parse_yaml(path.read_bytes(), path)


def parse_yaml(content: bytes, path: Path) -> Any:
    """The content of a YAML text; `path` is named in its errors."""
    try:
        text = content.decode("utf-8-sig")
        _check_nesting(text)
        return yaml.load(text, Loader=Loader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    except (_RepeatedKey, _NestedTooDeeply) as error:
        raise UserError(f"{path}, {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        column = f" at column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}{place}: not valid YAML ({problem}{column}). Fix the file.") from error

"""The file and line of a configuration key, for error messages."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from workflow_scripts.common.yaml_files import Loader

KEY = re.compile(r"[^\s:]+")  # the dotted key with which an error begins


def with_locations(mistakes: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Errors that begin with a dotted key, preceded by the file and line that set it; `files` in the order of merging."""
    trees = [(path, tree) for path in files if (tree := _tree(path)) is not None]
    return [f"{place}: {line}" if (place := _location(line, trees)) else line for line in mistakes]


def _tree(path: Path) -> yaml.Node | None:
    node: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=Loader)
    return node


def _location(mistake: str, trees: Sequence[tuple[Path, yaml.Node]]) -> str:
    """`file, line N` of the last file that sets the key, or as much of it as any file does; empty if none sets a part."""
    found = KEY.match(mistake)
    best, place = 0, ""
    for path, tree in reversed(trees):
        length, line, final = _walk(tree, found[0] if found else "")
        if length > best:
            best, place = length, f"{path}, line {line}"
        if final:  # a list or a value replaces what earlier files set
            break
    return place


def _walk(node: yaml.Node, key: str) -> tuple[int, int, bool]:
    """How many characters of a key the node contains, the line, and whether the key goes through or ends at a list or value."""
    rest, line, final = key, 0, False
    while rest:
        step = None
        if isinstance(node, yaml.MappingNode):
            names = [
                (name.value, name.start_mark.line + 1, value)
                for name, value in node.value
                if re.match(rf"{re.escape(str(name.value))}(?:[.\[]|$)", rest)
            ]
            step = max(names, key=lambda entry: len(entry[0]), default=None)
        elif isinstance(node, yaml.SequenceNode) and (index := re.match(r"\[(\d+)\]", rest)):
            place = int(index[1])
            if place < len(node.value):
                step = (index[0], node.value[place].start_mark.line + 1, node.value[place])
        if step is None:
            break
        name, line, node = step
        rest = rest[len(name) :].removeprefix(".")
        final = final or not isinstance(node, yaml.MappingNode)
    return len(key) - len(rest), line, final

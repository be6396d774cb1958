"""The benchmarks that are known by name, and suites of them."""

import difflib
import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import load_hub, load_local
from workflow_scripts.decontamination.items import to_items

Row = dict[str, Any]
FOLDER = Path(__file__).parent


@functools.cache
def known() -> tuple[dict[str, Row], dict[str, list[str]]]:
    """Entries of benchmarks.yaml, and of suites.yaml."""
    benchmarks, suites = (
        yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("benchmarks", "suites")
    )
    return benchmarks, suites


def resolve(names: list[str], custom: dict[str, Row]) -> tuple[dict[str, Row], dict[str, list[str]]]:
    """The entry of each benchmark named, alone or by its suite, and the members of each name, in the order given.

    UserError for a name that is neither known nor one of `custom`.
    """
    benchmarks, suites = known()
    benchmarks = benchmarks | custom
    members = {}
    for name in names:
        if name in benchmarks:
            members[name] = [name]
        elif name in suites:
            members[name] = suites[name]
        else:
            raise UserError(f"unknown benchmark {name}; {_hint(name, [*benchmarks, *suites])}")
    entries = {name: benchmarks[name] for some in members.values() for name in some}
    return entries, members


def _hint(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(names))}; add an entry of your own."


def read_benchmark(name: str, entry: Row) -> tuple[list[Row], dict[str, str]]:
    """The items of a benchmark, from the hub or a local file, and {dataset, revision} of what was read.

    UserError naming the benchmark, and where it can be the row.
    """
    try:
        re.compile(entry.get("pattern", ""))
    except re.error as error:
        raise UserError(f"benchmark {name}: `pattern` is no regular expression: {error}.") from error
    entry = {**entry, "id_of_benchmark": name}
    try:
        if "path" in entry:
            data, origin = load_local(Path(entry["path"]))
            parts = [("items", data)]
        else:
            hub, parts = entry["hub"], []
            for split in hub["splits"]:
                data, origin = load_hub(hub["dataset"], hub["revision"], hub.get("name"), split, None)
                parts.append((split, data))
    except UserError as error:
        raise UserError(f"benchmark {name}: {error}") from error
    items: list[Row] = []
    seen: Counter[str] = Counter()
    for split, data in parts:
        for number, row in enumerate(data):
            try:
                for item in to_items(row, number, split, entry):
                    seen[item["id"]] += 1
                    # Items are counted and allowed by their names, so no two have the same.
                    again = f"#{seen[item['id']]}" if seen[item["id"]] > 1 else ""
                    items.append({**item, "id": item["id"] + again})
            except (KeyError, ValueError, TypeError, IndexError) as error:
                raise UserError(
                    f"benchmark {name}, {split}, row {number + 1}: {type(error).__name__} {error}. "
                    "Its entry does not fit its columns: correct `answer_is`, `labels`, `choices` or `pattern`."
                ) from error
    if not items:
        raise UserError(f"benchmark {name}: no items. Check its entry.")
    return items, origin

"""Values that rules take from the configuration: parameters as JSON, resources."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from workflow_scripts.common.types import Config


def to_json(value: Any) -> str:
    """JSON with sorted keys: equal values are equal parameters."""
    return json.dumps(value, sort_keys=True)


def subset_json(settings: Config, names: Iterable[str]) -> str:
    """The named keys as JSON: changing other keys triggers no rerun."""
    return to_json({name: settings[name] for name in names})


class JsonParameter(dict[str, str]):
    """A parameter that is JSON in the command. A plain string would not do: Snakemake parses its braces as wildcards."""

    def __init__(self, value: Any):
        # A dict, because Snakemake records and compares parameters of builtin types only; others trigger no rerun.
        super().__init__(json=to_json(value))

    def __str__(self) -> str:
        return self["json"]

    def __repr__(self) -> str:  # what Snakemake records
        return self["json"]

    def __format__(self, form: str) -> str:
        return format(self["json"], form)


def as_json(value: Any) -> JsonParameter:
    """A parameter that is JSON in the command of a job."""
    return JsonParameter(value)


def literal(value: Any) -> Callable[..., Any]:
    """A value of the configuration as a parameter function: Snakemake parses the braces of any other string as wildcards."""
    return lambda wildcards: value


def input_files(paths: Iterable[str]) -> list[str]:
    """The paths that a rule may have as inputs, so that a change triggers a rerun: Snakemake parses braces as wildcards."""
    return [path for path in paths if "{" not in path]


def local_file(entry: Config) -> list[str]:
    """The local file of an entry as an input; none for a Hub dataset or a URL."""
    return input_files([entry["path"]] if "path" in entry else [])


def entry_json(entry: Config, keys: Iterable[str] | None = None) -> str:
    """An entry with a `path`, `url` or `hub`, or those of its keys that it has, as JSON with the version of its file."""
    settings = entry if keys is None else {key: entry[key] for key in keys if key in entry}
    return to_json(with_versions(settings, [entry["path"]] if "path" in entry else []))


def with_versions(settings: Config, files: Iterable[str]) -> Config:
    """The settings with size and time of change (ns) of those files that cannot be inputs, so that a change triggers a rerun."""
    stats = [os.stat(path) for path in files if "{" in path]
    return settings | ({"versions": [[stat.st_size, stat.st_mtime_ns] for stat in stats]} if stats else {})


def stage_resources(*sections: Config) -> dict[str, int]:
    """`resources` of a section of the configuration as those of a rule: mem_mb (MiB), runtime (minutes), gpu (count).

    Of several sections, the maximum of each.
    """
    resources = [section["resources"] for section in sections]
    return {
        "mem_mb": int(max(entry["memory_gb"] for entry in resources) * 1024),
        "runtime": max(entry["minutes"] for entry in resources),
        "gpu": max(entry["gpus"] for entry in resources),
    }

"""Values that rules take from the configuration: parameters as JSON, resources that scale with the attempt."""

import json
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
    """A value of the configuration as a function, for a rule: Snakemake parses the braces of any other string as wildcards."""
    return lambda wildcards: value


def local_file(entry: Config) -> str | list[str]:
    """The local file of an entry as an input, so that a change triggers a rerun; none for a Hub dataset or a URL."""
    return entry.get("path", [])


def scale_with_attempt(amount: int) -> Callable[..., int]:
    """A resource function: `amount` of memory or minutes, times the number of the attempt."""
    return lambda wildcards, attempt: amount * attempt


def stage_resources(*sections: Config) -> dict[str, Any]:
    """`resources` of a section of the configuration as those of a rule: mem_mb (MiB), runtime (minutes), gpu (count).

    Of several sections, the maximum of each.
    """
    resources = [section["resources"] for section in sections]
    return {
        "mem_mb": scale_with_attempt(int(max(entry["memory_gb"] for entry in resources) * 1024)),
        "runtime": scale_with_attempt(max(entry["minutes"] for entry in resources)),
        "gpu": max(entry["gpus"] for entry in resources),
    }

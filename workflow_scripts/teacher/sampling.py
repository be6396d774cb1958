"""The parameters of requests: a section `sampling` of the config, passed to the server as it is."""

from collections.abc import Iterator
from typing import Any

from workflow_scripts.common.types import Config

# Set by the workflow, or unusable: its replies are single and complete.
RESERVED = {"model", "messages", "seed", "response_format", "stream", "stream_options", "n", "tools", "functions"}
# Fields that may hold a key. Requests are stored, exported and shown in the report.
SECRET_FIELDS = {"api_key", "authorization", "headers", "extra_headers", "extra_query", "token", "password"}
LIMITS = ("max_tokens", "max_completion_tokens")


def parameters(sampling: Config) -> dict[str, Any]:
    """The parameters to send: those of `extra_body` next to the others, none that is null."""
    flat = {**sampling, **(sampling.get("extra_body") or {})}
    return {name: value for name, value in flat.items() if name != "extra_body" and value is not None}


def max_tokens(sampling: Config) -> int:
    """The maximum tokens of a reply; 0 if there is no limit."""
    return next((sampling[name] for name in LIMITS if sampling.get(name)), 0)


def secret_fields(value: Any) -> set[str]:
    """The names of fields, at any depth, that may hold a key."""
    if isinstance(value, list):
        return set().union(*map(secret_fields, value))
    if not isinstance(value, dict):
        return set()
    own = {name for name in value if str(name).casefold() in SECRET_FIELDS}
    return own.union(*map(secret_fields, value.values()))


def sampling_mistakes(sampling: Config, where: str) -> Iterator[str]:
    """What the schema cannot check of a section `sampling` at the key `where`."""
    if sum(sampling.get(name) is not None for name in LIMITS) != 1:
        yield f"{where}: set exactly one of {' and '.join(LIMITS)}; the other is null or absent."
    extra = sampling.get("extra_body") or {}
    for name in sorted(RESERVED & extra.keys()):
        yield f"{where}.extra_body.{name}: set by the workflow. Delete it."
    for name in sorted(secret_fields(extra)):
        yield f"{where}.extra_body: {name} may hold a key, and requests are stored. Name its variable in `teacher.api_key_env`."

"""Seed sources: an entry of `seeds.sources`, completed by its entry in the registry."""

import functools

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml

REGISTRY = package_file("seeds/registry.yaml")
PLACES = ("path", "hub", "url", "graphql")
# Defaults of sources of the layout `post`.
POST_DEFAULTS: Config = {"post_tasks": ["complex_summary", "argument"], "post_min_chars": 1000, "post_min_score": 30}
# The keys that the rules fetch_source and adapt_source depend on.
FETCH = ("id", *PLACES, "sha256", "rows", "sample_by")
ADAPT = (
    *("id", "label", "license", "layout", "columns", "as_is", "benchmark", "domain"),
    *("post_chars", "post_tasks", "post_min_chars", "post_min_score"),
)


@functools.cache
def registry() -> dict[str, Config]:
    """All registered sources by name."""
    sources: dict[str, Config] = read_yaml(REGISTRY)
    return sources


def resolve(source: Config, registered: dict[str, Config]) -> Config:
    """An entry completed by its registered one. `id` is the registered name unless the entry sets another.

    A place in the entry (`path`, `hub`, ...) replaces the registered place; `revision` replaces only its commit.
    KeyError for a name that is not registered.
    """
    name = source.get("registered")
    entry = registered[name] if name else {}
    if any(place in source for place in PLACES):
        entry = {key: value for key, value in entry.items() if key not in PLACES}
    resolved = {"id": name, **entry, **source}
    if "revision" in resolved and "hub" in resolved:
        resolved["hub"] = {**resolved["hub"], "revision": resolved["revision"]}
    if resolved.get("layout") == "post":
        resolved = {**POST_DEFAULTS, **resolved}
        if "graphql" in resolved:  # the site need not send what would be rejected
            resolved["graphql"] = {"min_score": resolved["post_min_score"] or 0, **resolved["graphql"]}
    return resolved


def subset(source: Config, keys: tuple[str, ...]) -> Config:
    """The given keys of a source, as the parameter of a rule: changing other keys triggers no rerun."""
    return {key: source[key] for key in keys if key in source}


def cleaning(source: Config, settings: Config) -> Config:
    """`seeds.cleaning`, overridden by the source's own settings."""
    return {**settings, **source.get("cleaning", {})}


def completed(source: Config) -> Config:
    """`resolve` with the registry of the workflow."""
    return resolve(source, registry())

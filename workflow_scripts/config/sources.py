"""Seed sources: what the config says of one, completed by its entry in the registry."""

import functools

import yaml

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Config

REGISTRY = package_file("seeds/registry.yaml")
PLACES = ("path", "hub", "url", "graphql")
POST_TASKS = ["complex_summary", "argument"]
FETCH = ("id", *PLACES, "rows")
ADAPT = ("id", "label", "license", "layout", "columns", "as_is", "benchmark", "domain", "post_chars", "post_tasks")


@functools.cache
def registry() -> dict[str, Config]:
    """All registered sources by name."""
    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def resolve(source: Config, registered: dict[str, Config]) -> Config:
    """A source's entry with what its registered one adds; the id is then that name unless the config gives one.

    A place in the config (`path`, `hub`, ...) takes the place of the registered one, `revision` only its commit.
    KeyError for a name that is not registered.
    """
    name = source.get("registered")
    entry = registered[name] if name else {}
    if any(place in source for place in PLACES):
        entry = {key: value for key, value in entry.items() if key not in PLACES}
    whole = {"id": name, **entry, **source}
    if "revision" in whole and "hub" in whole:
        whole["hub"] = {**whole["hub"], "revision": whole["revision"]}
    if whole.get("layout") == "post":
        whole.setdefault("post_tasks", POST_TASKS)
    return whole


def subset(source: Config, keys: tuple[str, ...]) -> Config:
    """The keys of a source that one step needs: changing other keys triggers no rerun."""
    return {key: source[key] for key in keys if key in source}


def cleaning(source: Config, settings: Config) -> Config:
    """`seeds.cleaning` with the source's own settings in place of some."""
    return {**settings, **source.get("cleaning", {})}

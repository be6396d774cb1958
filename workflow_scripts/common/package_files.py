"""Prompts, templates and tables that are part of the package."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def package_file(name: str) -> Path:
    """Absolute path of a file or folder of the package, e.g. `package_file("seeds/post_tasks.yaml")`.

    Write `name` as a literal: `config.code` finds these calls in the source, so that editing a file reruns exactly the
    rules whose code reads it.
    """
    return PACKAGE / name

"""Prompts: a folder of Jinja files, and their hashes for the provenance."""

import functools
import hashlib
from pathlib import Path

import jinja2


class Prompts:
    """The `*.jinja` files of a folder.

    The texts are sent to a teacher and never put into a page, so nothing is escaped. A missing variable is an error.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, name: str, **values: object) -> str:
        """The prompt `name`.jinja with its variables filled in."""
        return self._environment.get_template(f"{name}.jinja").render(**values).strip()

    @functools.cached_property
    def _hashes(self) -> dict[str, str]:
        files = sorted(self._folder.glob("*.jinja"))
        return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}

    def hashes(self) -> dict[str, str]:
        """SHA-256 (16 hex digits) of every prompt file, by name."""
        return self._hashes

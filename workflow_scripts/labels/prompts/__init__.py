"""The prompt that asks a teacher for labels, a Jinja file."""

from pathlib import Path

import jinja2

# These texts go to a teacher, never into a page, so nothing is escaped; a missing variable is an error.
_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, **values) -> str:
    """The prompt `name`.jinja with its variables filled in."""
    return _environment.get_template(f"{name}.jinja").render(**values).strip()

"""The prompts of Amplify-Instruct, one Jinja file each, and the hashes that go into every row's provenance."""

import hashlib
from pathlib import Path

import jinja2

FOLDER = Path(__file__).parent
# These texts go to a teacher, never into a page, so nothing is escaped; a missing variable is an error.
_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(name: str, **values) -> str:
    """The prompt `name`.jinja with its variables filled in."""
    return _environment.get_template(f"{name}.jinja").render(**values).strip()


def hashes() -> dict[str, str]:
    """SHA-256 (16 hex digits) of every prompt file, by name."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(FOLDER.glob("*.jinja"))}

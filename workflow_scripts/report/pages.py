"""Render HTML pages from Jinja templates with autoescaping."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2

from workflow_scripts.common.plural import counted
from workflow_scripts.common.reasons import explain

SURROGATES = re.compile("[\ud800-\udfff]")  # single ones are valid in JSON strings, but not in UTF-8


def _replace_surrogates(text: str) -> str:
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def render(template: Path, **values: Any) -> str:
    """The page from a template and its values, every text escaped; single surrogates become U+FFFD.

    Raises jinja2.UndefinedError if the template uses a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"counted": counted, "explain": explain}
    quote = environment.filters["urlencode"]
    environment.filters["urlencode"] = lambda text: quote(_replace_surrogates(text))  # the filter encodes to UTF-8
    return _replace_surrogates(environment.get_template(template.name).render(**values))


def script_hash(script: str) -> str:
    """The source expression that allows a script in a Content-Security-Policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"

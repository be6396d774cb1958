"""How every page is made: by its template, every text escaped."""

import re
from pathlib import Path
from typing import Any

import jinja2

HALVES = re.compile("[\ud800-\udfff]")  # of surrogate pairs: JSON can hold one alone, UTF-8 cannot


def _whole(text: str) -> str:
    return HALVES.sub("\N{REPLACEMENT CHARACTER}", text)


def render(template: Path, **values: Any) -> str:
    """The page that a template makes of these values; a missing value is an error.

    Half of a surrogate pair is shown as the replacement character.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    quote = environment.filters["urlencode"]
    environment.filters["urlencode"] = lambda text: quote(_whole(text))  # it writes UTF-8 at once
    return _whole(environment.get_template(template.name).render(**values))

"""How every page is made: by its template, every text escaped."""

import re
from pathlib import Path
from typing import Any

import jinja2

HALVES = re.compile("[\ud800-\udfff]")  # of surrogate pairs: JSON can hold one alone, UTF-8 cannot
TEMPLATES = Path(__file__).parent / "templates"


def _whole(text: str) -> str:
    return HALVES.sub("\N{REPLACEMENT CHARACTER}", text)


def render(template: str, **values: Any) -> str:
    """The page that a template of `report/templates` makes of these values; a value that is missing is an error.

    Half of a surrogate pair is shown as the replacement character.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    quote = environment.filters["urlencode"]
    environment.filters["urlencode"] = lambda text: quote(_whole(text))  # it writes UTF-8 at once
    return _whole(environment.get_template(template).render(**values))

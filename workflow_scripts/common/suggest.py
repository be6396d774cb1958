"""Hints for misspelt names."""

import difflib
from collections.abc import Iterable

LISTED_NAMES = 40  # maximum in an error message


def suggest(name: str, known: Iterable[str], count: int = 1) -> str:
    """A sentence for an error message: the closest `count` known names, or all of them if none is close."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=count):
        return f"did you mean {' or '.join(f'`{other}`' for other in close)}?"
    return f"known here: {', '.join(names)}." if 0 < len(names) <= LISTED_NAMES else "no known name is similar."

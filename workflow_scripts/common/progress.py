"""Progress of long steps: done, total, rate and time left, as lines that are readable in a log file."""

import sys
from typing import Any

from tqdm import tqdm


class _LogLines:
    """Writes each state of a tqdm bar as a line; tqdm itself redraws one line with carriage returns."""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip()
        if text:
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(
    total: int | None, description: str, unit: str, every_seconds: float = 5.0, scale: bool = False
) -> "tqdm[Any]":
    """A tqdm bar that prints a line at most every `every_seconds` seconds; `scale` writes thousands as k, M and G."""
    options: dict[str, Any] = (
        {} if sys.stderr.isatty() else {"file": _LogLines(), "mininterval": every_seconds, "maxinterval": every_seconds}
    )
    return tqdm(total=total, desc=description, unit=unit, unit_scale=scale, ncols=100, **options)

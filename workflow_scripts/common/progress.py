"""Progress of long steps: done, total, rate and time left, as lines that also read well in a log file."""

import sys
from typing import Any

from tqdm import tqdm


class _Lines:
    """tqdm redraws one line with carriage returns; through a pipe into a log, whole lines are wanted."""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip()
        if text:
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(total: int | None, description: str, unit: str, every_seconds: float = 5.0, scale: bool = False) -> tqdm:
    """A tqdm bar that prints a line at most every `every_seconds` seconds; `scale` writes thousands as k, M and G."""
    options: dict[str, Any] = (
        {} if sys.stderr.isatty() else {"file": _Lines(), "mininterval": every_seconds, "maxinterval": every_seconds}
    )
    return tqdm(total=total, desc=description, unit=unit, unit_scale=scale, ncols=100, **options)

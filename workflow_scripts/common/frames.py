"""Rows of pandas frames."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def frame_rows(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows with their columns as attributes. The type of a value depends on its column, which pandas does not declare."""
    return iter(frame.itertuples())

"""The scores of the model card, read from scores.csv."""

from pathlib import Path

import pandas as pd


def read_scores(path: Path) -> pd.DataFrame:
    """One row per model, task, shots and metric. A filter other than `none` is appended to the metric's name; missing
    values are None, not NaN."""
    frame = pd.read_csv(path).drop_duplicates(["model", "task", "shots", "metric", "filter"])
    filtered = frame["filter"].fillna("none") != "none"
    frame.loc[filtered, "metric"] = frame["metric"] + " (" + frame["filter"].fillna("") + ")"
    frame = frame.astype(object)
    return frame.where(frame.notna(), None)

"""scores.csv as the cards show it."""

from pathlib import Path

import pandas as pd


def read_scores(path: Path) -> pd.DataFrame:
    """One row a model, entry, task and metric; a filter other than `none` is part of the metric's name, nothing is NaN."""
    frame = pd.read_csv(path).drop_duplicates(["model", "task", "shots", "metric", "filter"])
    filtered = frame["filter"].fillna("none") != "none"
    frame.loc[filtered, "metric"] = frame["metric"] + " (" + frame["filter"].fillna("") + ")"
    frame = frame.astype(object)
    return frame.where(frame.notna(), None)

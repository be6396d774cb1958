"""scores.csv as the report and the cards show it."""

from pathlib import Path

import pandas as pd


def read_scores(path: Path) -> pd.DataFrame:
    """One row a model, task and metric; a filter other than `none` is part of the metric's name, nothing is NaN."""
    frame = pd.read_csv(path).drop_duplicates(["model", "task", "metric", "filter"])
    filtered = frame["filter"].fillna("none") != "none"
    frame.loc[filtered, "metric"] = frame["metric"] + " (" + frame["filter"].fillna("") + ")"
    frame = frame.astype(object)
    return frame.where(frame.notna(), None)

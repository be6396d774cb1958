"""The scores and differences of the model card, read from the tables of the evaluation stage."""

from pathlib import Path

import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """A CSV table in which missing values are None, not NaN; of a table of comparisons, those with the base model."""
    frame = pd.read_csv(path).astype(object)
    if "reference" in frame:
        frame = frame[frame["reference"] == "base"]
    return frame.where(frame.notna(), None)


def read_scores(path: Path) -> pd.DataFrame:
    """One row per model, task, shots and metric. A filter other than `none` is appended to the metric's name."""
    return _with_filters(read_table(path).drop_duplicates(["model", "task", "shots", "metric", "filter"]))


def read_comparisons(path: Path) -> pd.DataFrame:
    """One row per model, task and metric, with the metrics' names of `read_scores`."""
    return _with_filters(read_table(path))


def _with_filters(frame: pd.DataFrame) -> pd.DataFrame:
    filtered = frame["filter"].fillna("none") != "none"
    frame.loc[filtered, "metric"] = frame["metric"] + " (" + frame["filter"].fillna("") + ")"
    return frame

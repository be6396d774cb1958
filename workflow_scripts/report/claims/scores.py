"""The scores that can be compared with published ones: tasks of which every document was scored, in percent."""

from typing import Any

import pandas as pd

from workflow_scripts.common.frames import frame_rows
from workflow_scripts.common.types import Row
from workflow_scripts.evaluation import suites

Key = tuple[str, str | None]


def comparable_scores(scores: pd.DataFrame, averages: pd.DataFrame, settings: Row, model: str) -> dict[Key, Row]:
    """{(suite, task): {value, stderr}} of one model; the task is None for the plain mean of a suite.

    Suites defined in the configuration are omitted, since they may be different suites under a known name.
    """
    if settings["limit"] is not None:
        return {}
    known = suites.known(settings["custom"])
    rows = scores[(scores["model"] == model) & (scores["documents"] == scores["of_documents"])]
    held = {
        (row.asked, row.task, row.metric, "none" if pd.isna(row.filter) else row.filter): row
        for row in frame_rows(rows)
    }
    means = {
        row.suite: row
        for row in frame_rows(averages[(averages["model"] == model) & (averages["rule"] == "mean")])
        if not pd.isna(row.value)
    }
    found: dict[Key, Row] = {}
    for suite in settings["suites"]:
        if suite in settings["custom"]:
            continue
        members = {
            member.task: means.get(member.suite)
            if member.suite
            else held.get((member.entry, member.task, member.metric, member.filter))
            for member in suites.members(suite, known)
        }
        found |= {(suite, task): _percent(row) for task, row in members.items() if row is not None}
        if suite in means and None not in members.values():
            found[suite, None] = _percent(means[suite])
    return found


def peer_differences(
    comparisons: pd.DataFrame, suite_comparisons: pd.DataFrame, settings: Row, model: str
) -> list[Row]:
    """{name, examples, differences} of each peer: {name, difference, low, high}, model − peer, in points.

    The plain mean of each suite, or the tasks of a suite without average. Without any if documents were left out
    (`evaluation.limit`).
    """
    if settings["limit"] is not None:
        return []
    known = suites.known(settings["custom"])
    entries = {
        (member.entry, member.metric): f"{suite} {member.task}"
        for suite in settings["suites"]
        if not known[suite]["average"]
        for member in suites.members(suite, known)
        if not member.suite
    }
    found = []
    for name, peer in settings["peers"].items():
        rows = [
            (f"{row.suite} mean", row)
            for row in frame_rows(suite_comparisons)
            if (row.model, row.reference, row.rule) == (model, name, "mean")
        ]
        rows += [
            (entries[row.asked, row.metric], row)
            for row in frame_rows(comparisons)
            if (row.model, row.reference) == (model, name) and (row.asked, row.metric) in entries
        ]
        differences = [
            {"name": about}
            | {
                key: None if pd.isna(getattr(row, key)) else 100 * getattr(row, key)
                for key in ("difference", "low", "high")
            }
            for about, row in rows
        ]
        found.append({"name": name, "examples": peer.get("examples"), "differences": differences})
    return found


def _percent(row: Any) -> Row:
    return {"value": 100 * row.value, "stderr": None if pd.isna(row.stderr) else 100 * row.stderr}

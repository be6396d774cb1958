"""The number of seeds per source (the configured shares), and their selection, spread evenly over strata of labels."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from workflow_scripts.common.types import Row

Shares = dict[str, float]


def quotas(composition: Shares, limit: int) -> dict[str, int]:
    """`limit` seeds divided by the shares (any positive scale), by largest remainder; ties go to the first name."""
    total = sum(composition.values())
    exact = {name: limit * share / total for name, share in composition.items()}
    floors = {name: math.floor(value) for name, value in exact.items()}
    rounded_up = sorted(exact, key=lambda name: (floors[name] - exact[name], name))[: limit - sum(floors.values())]
    return {name: floors[name] + (name in rounded_up) for name in composition}


def source_limits(sources: pd.Series, composition: Shares | None, limit: int) -> dict[str, int]:
    """The largest number of seeds of each source that occurs or has a share; without shares `limit` of each."""
    names = sorted(set(sources) | set(composition or {}))
    return dict.fromkeys(names, 0) | quotas(composition, limit) if composition else dict.fromkeys(names, limit)


def stratified_rank(seeds: pd.DataFrame, strata: list[str]) -> np.ndarray:
    """The rank of each seed within its source and stratum, from 0, shape (seeds,).

    `seeds` has the columns id, source and those named in `strata`. A stratum is one combination of their values. Seeds are
    ranked by id, which is a content hash, so the first n of a stratum are a random sample.
    """
    ordered = seeds.sort_values("id", kind="stable")
    ranks = ordered.groupby(["source", *strata], dropna=False, sort=False).cumcount()
    return ranks.reindex(seeds.index).to_numpy()


def choose(seeds: pd.DataFrame, composition: Shares | None, limit: int, strata: list[str]) -> np.ndarray:
    """A mask of the chosen seeds: at most its share of each source, as evenly over the strata as their sizes allow.

    A source with fewer seeds than its share falls short; other sources do not fill the gap.
    """
    order = seeds.assign(rank=stratified_rank(seeds, strata)).sort_values(["rank", "id"], kind="stable")
    limits = order["source"].map(source_limits(seeds["source"], composition, limit))
    within = order.groupby("source", sort=False).cumcount() < limits
    chosen = order[within].head(limit) if composition is None else order[within]
    return seeds.index.isin(chosen.index)


def composition_table(
    read: Mapping[str, float],
    unique: Mapping[str, float],
    chosen: Mapping[str, float],
    composition: Shares | None,
    limit: int,
) -> list[Row]:
    """One row per source, largest share first: number of seeds read, unique, wanted and chosen, and the shortfall."""
    share = quotas(composition, limit) if composition else {}
    names = sorted(set(read) | set(share), key=lambda name: (-share.get(name, 0), -chosen.get(name, 0), name))
    return [
        {
            "source": name,
            "read": int(read.get(name, 0)),
            "unique": int(unique.get(name, 0)),
            "wanted": share.get(name),
            "chosen": int(chosen.get(name, 0)),
            "shortfall": max(share[name] - int(chosen.get(name, 0)), 0) if name in share else 0,
        }
        for name in names
    ]

"""The number of seeds per source (the configured shares), and their selection, spread evenly over strata of labels."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from workflow_scripts.common.types import Row

Shares = dict[str, float]
Yield = float | dict[str, float]


def quotas(composition: Shares, limit: int) -> dict[str, int]:
    """`limit` seeds divided by the shares (any positive scale), by largest remainder; ties go to the first name."""
    total = sum(composition.values())
    exact = {name: limit * share / total for name, share in composition.items()}
    floors = {name: math.floor(value) for name, value in exact.items()}
    rounded_up = sorted(exact, key=lambda name: (floors[name] - exact[name], name))[: limit - sum(floors.values())]
    return {name: floors[name] + (name in rounded_up) for name in composition}


def wanted_seeds(composition: Shares, limit: int, expected_yield: Yield = 1) -> dict[str, int]:
    """The number of seeds of each source whose synthesis gives its share of `limit` conversations.

    `expected_yield` is the part of the seeds that become conversations, 0 to 1, of all sources or by source.
    """
    return {
        name: math.ceil(round(quota / source_yield(expected_yield, name), 9))
        for name, quota in quotas(composition, limit).items()
    }


def source_yield(expected_yield: Yield, name: str) -> float:
    """The yield of a source; 1 if it is not named."""
    return expected_yield.get(name, 1.0) if isinstance(expected_yield, dict) else expected_yield


def total_seeds(limit: int, expected_yield: Yield) -> int:
    """The largest number of seeds of a run without shares: a yield by source does not apply to it."""
    return limit if isinstance(expected_yield, dict) else math.ceil(round(limit / expected_yield, 9))


def source_limits(
    sources: pd.Series, composition: Shares | None, limit: int, expected_yield: Yield = 1
) -> dict[str, int]:
    """The largest number of seeds of each source that occurs or has a share; without shares that of the run for each."""
    names = sorted(set(sources) | set(composition or {}))
    if composition:
        return dict.fromkeys(names, 0) | wanted_seeds(composition, limit, expected_yield)
    return dict.fromkeys(names, total_seeds(limit, expected_yield))


def stratified_rank(seeds: pd.DataFrame, strata: list[str]) -> np.ndarray:
    """The cost of each seed and of all seeds before it in its source and stratum, shape (seeds,).

    `seeds` has the columns id, source, score (NaN if unknown), confidence and those named in `strata`. A stratum is one
    combination of their values. Seeds are ranked by score, then by id, which is a content hash, so that the first n of a
    stratum without scores are a random sample.

    A seed with a certain label costs 1, so that strata fill evenly. Even strata overrepresent a rare label, and most seeds
    that an uncertain classifier gives it do not deserve it: a seed with an uncertain label costs less in a large stratum
    and more in a small one, up to the costs that fill the strata in proportion to their sizes.
    """
    ordered = seeds.sort_values(["score", "id"], ascending=[False, True], kind="stable", na_position="last")
    keys = [ordered[name] for name in ["source", *strata]]
    size = ordered.groupby(keys, dropna=False, sort=False)["id"].transform("size")
    cells = ordered.drop_duplicates(["source", *strata]).groupby("source").size()
    mean_size = ordered.groupby("source")["id"].transform("size") / ordered["source"].map(cells)
    confidence = ordered["confidence"].astype(float)
    weight = confidence + (1 - confidence) * (size / mean_size).astype(float)
    ranks = (1 / weight).groupby(keys, dropna=False, sort=False).cumsum()
    return ranks.reindex(seeds.index).to_numpy()


def choose(
    seeds: pd.DataFrame, composition: Shares | None, limit: int, strata: list[str], expected_yield: Yield = 1
) -> np.ndarray:
    """A mask of the chosen seeds: at most its share of each source, as evenly over the strata as their sizes allow.

    A source with fewer seeds than its share falls short; other sources do not fill the gap.
    """
    order = seeds.assign(rank=stratified_rank(seeds, strata)).sort_values(["rank", "id"], kind="stable")
    limits = order["source"].map(source_limits(seeds["source"], composition, limit, expected_yield))
    within = order.groupby("source", sort=False).cumcount() < limits
    chosen = order[within].head(total_seeds(limit, expected_yield)) if composition is None else order[within]
    return seeds.index.isin(chosen.index)


def composition_table(
    read: Mapping[str, float],
    unique: Mapping[str, float],
    chosen: Mapping[str, float],
    composition: Shares | None,
    limit: int,
    expected_yield: Yield = 1,
) -> list[Row]:
    """One row per source, largest share first: number of seeds read, unique, wanted and chosen, and the shortfall."""
    share = wanted_seeds(composition, limit, expected_yield) if composition else {}
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

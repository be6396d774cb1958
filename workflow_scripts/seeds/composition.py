"""The selection of the seeds: the share of each source, spread evenly over strata of labels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from workflow_scripts.common.types import Row
from workflow_scripts.seeds.counts import Shares, Yield, total_seeds, wanted_seeds


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

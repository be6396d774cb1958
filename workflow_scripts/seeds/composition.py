"""How many seeds of each source, and which: the configured shares, spread evenly over the grid of labels."""

import math

import numpy as np
import pandas as pd

Shares = dict[str, float]


def quotas(composition: Shares, limit: int) -> dict[str, int]:
    """`limit` seeds divided by the shares (any positive scale), by largest remainder; the names break ties."""
    total = sum(composition.values())
    exact = {name: limit * share / total for name, share in composition.items()}
    whole = {name: math.floor(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: (whole[name] - exact[name], name))[: limit - sum(whole.values())]
    return {name: whole[name] + (name in rest) for name in composition}


def wanted(sources: pd.Series, composition: Shares | None, limit: int) -> dict[str, int]:
    """The most seeds to take of each source that occurs or has a share; `limit` of each where there are no shares."""
    names = sorted(set(sources) | set(composition or {}))
    return dict.fromkeys(names, 0) | quotas(composition, limit) if composition else dict.fromkeys(names, limit)


def spread_rank(seeds: pd.DataFrame, over: list[str]) -> np.ndarray:
    """For each seed its turn when its source's cells take turns: 0 for the first seed of every cell, 1 for the second, ...

    `seeds` has columns id, source and those that `over` names; a cell is one combination of their values. Within a
    cell seeds go by their ids, which are hashes of content and so a sample.
    """
    ordered = seeds.sort_values("id", kind="stable")
    turns = ordered.groupby(["source", *over], dropna=False, sort=False).cumcount()
    return turns.reindex(seeds.index).to_numpy()


def choose(seeds: pd.DataFrame, composition: Shares | None, limit: int, over: list[str]) -> np.ndarray:
    """A mask of the chosen seeds: of each source at most its share, cells of the grid as evenly as they can be filled.

    A source that has fewer than its share falls short; no other fills the gap.
    """
    order = seeds.assign(turn=spread_rank(seeds, over)).sort_values(["turn", "id"], kind="stable")
    most = order["source"].map(wanted(seeds["source"], composition, limit))
    taken = order.groupby("source", sort=False).cumcount() < most
    kept = order[taken].head(limit) if composition is None else order[taken]
    return seeds.index.isin(kept.index)


def table(
    read: Shares, unique: Shares, chosen: Shares, composition: Shares | None, limit: int
) -> list[dict[str, object]]:
    """One row a source: rows read, unique ones, wanted, chosen and what is missing, most wanted first."""
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

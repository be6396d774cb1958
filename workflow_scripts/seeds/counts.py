"""The number of seeds per source, from the shares of the configuration and the expected yield."""

import math

from workflow_scripts.common.types import Config

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


def most_seeds(seeds: Config) -> int:
    """The largest number of seeds that the section `seeds` of the config selects."""
    composition, limit, expected_yield = seeds["composition"], seeds["limit"], seeds["expected_yield"]
    return (
        sum(wanted_seeds(composition, limit, expected_yield).values())
        if composition
        else total_seeds(limit, expected_yield)
    )

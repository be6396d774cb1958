"""Which seeds are amplified, and in which shard."""

from collections.abc import Iterable

from workflow_scripts.common.types import Seed


def single_turn(seeds: Iterable[Seed]) -> list[Seed]:
    """The seeds to amplify, sorted by id: all but finished conversations."""
    return sorted((seed for seed in seeds if seed["kind"] != "conversation"), key=lambda seed: seed["id"])


def shard_rows(seeds: list[Seed], shard: int, size: int) -> list[Seed]:
    """The seeds of a shard: a fixed range of all seeds."""
    return seeds[shard * size : (shard + 1) * size]

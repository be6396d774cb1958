"""How many items and conversations were hit, per benchmark, tier, level and method."""

from collections import defaultdict
from collections.abc import Iterable

from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.queries import TIERS

KINDS = ("levels", "passages", "listed", "allowed")


def contamination_table(
    hits: Iterable[Row],
    copies: Iterable[Row] | None,
    benchmarks: dict[str, Row],
    suites: dict[str, list[str]],
    levels: list[int],
) -> dict[str, Row]:
    """{"benchmarks": …, "suites": …}: what `queries.summary` says of each benchmark, and cumulative counts by level.

    `levels` are hits that are a reason to remove, `by_tier` the same ones apart, `passages` and `listed` (short and
    shared texts) those that are not, `allowed` those that a person let pass; `minhash` what MinHash finds (`copies`).
    """
    # Highest level of each pair of an item and a conversation, by benchmark and kind.
    reached: dict[tuple[str, str], Pairs] = defaultdict(dict)
    for hit in hits:
        kind = kind_of(hit)
        _note(reached[hit["benchmark"], kind], hit)
        if kind == "levels":
            _note(reached[hit["benchmark"], hit["tier"]], hit)
    for copy in copies or ():
        _note(reached[copy["benchmark"], "minhash"], copy)
    kinds = [*KINDS, *(["minhash"] if copies is not None else [])]

    def counts(names: list[str]) -> Row:
        return {kind: _by_level([reached.get((name, kind), {}) for name in names], levels) for kind in kinds}

    return {
        "benchmarks": {
            name: {
                **entry,
                **counts([name]),
                "by_tier": {tier: _by_level([reached.get((name, tier), {})], levels) for tier in TIERS},
            }
            for name, entry in benchmarks.items()
        },
        "suites": {
            suite: {"benchmarks": names, "items": sum(benchmarks[name]["items"] for name in names), **counts(names)}
            for suite, names in suites.items()
        },
    }


Pairs = dict[tuple[str, tuple], int]


def kind_of(hit: Row) -> str:
    """Under which of `KINDS` a hit is counted."""
    if hit["allowed"] is not None:
        return "allowed"
    if hit["removes"]:
        return "levels"
    return "passages" if hit["field"] == "passage" else "listed"


def _note(pairs: Pairs, hit: Row) -> None:
    # Files of others may give one id to several rows.
    pair = (f"{hit['benchmark']} {hit['item']}", (hit["id"], hit.get("file"), hit.get("row")))
    pairs[pair] = max(hit["level"], pairs.get(pair, 0))


def _by_level(several: list[Pairs], levels: list[int]) -> Row:
    result = {}
    for level in levels:
        found = [pair for pairs in several for pair, highest in pairs.items() if highest >= level]
        result[str(level)] = {
            "items": len({item for item, _ in found}),
            "conversations": len({conversation for _, conversation in found}),
        }
    return result

"""How many items and conversations were hit, per benchmark, tier, level and method."""

from collections.abc import Callable

from workflow_scripts.common.rows import Row
from workflow_scripts.decontamination.queries import TIERS


def contamination_table(
    hits: list[Row],
    copies: list[Row] | None,
    benchmarks: dict[str, Row],
    suites: dict[str, list[str]],
    levels: list[int],
) -> dict[str, Row]:
    """{"benchmarks": …, "suites": …}: what `queries.summary` says of each benchmark, and cumulative counts by level.

    `levels` are hits that are a reason to remove, `by_tier` the same ones apart, `passages` and `listed` (short and
    shared texts) those that are not, `allowed` those that a person let pass; `minhash` what MinHash finds (`copies`).
    """
    return {
        "benchmarks": {
            name: {
                **entry,
                **_counts(hits, copies, {name}, levels),
                "by_tier": {
                    tier: _by_level(
                        [hit for hit in hits if hit["benchmark"] == name and hit["tier"] == tier and _removes(hit)],
                        levels,
                    )
                    for tier in TIERS
                },
            }
            for name, entry in benchmarks.items()
        },
        "suites": {
            suite: {
                "benchmarks": names,
                "items": sum(benchmarks[name]["items"] for name in names),
                **_counts(hits, copies, set(names), levels),
            }
            for suite, names in suites.items()
        },
    }


def _removes(hit: Row) -> bool:
    return hit["removes"] and hit["allowed"] is None


KINDS: dict[str, Callable[[Row], bool]] = {
    "levels": _removes,
    "passages": lambda hit: hit["allowed"] is None and hit["field"] == "passage",
    "listed": lambda hit: hit["allowed"] is None and not hit["removes"] and hit["field"] != "passage",
    "allowed": lambda hit: hit["allowed"] is not None,
}


def _counts(hits: list[Row], copies: list[Row] | None, names: set[str], levels: list[int]) -> Row:
    mine = [hit for hit in hits if hit["benchmark"] in names]
    counts = {kind: _by_level([hit for hit in mine if chosen(hit)], levels) for kind, chosen in KINDS.items()}
    if copies is not None:
        counts["minhash"] = _by_level([copy for copy in copies if copy["benchmark"] in names], levels)
    return counts


def _by_level(hits: list[Row], levels: list[int]) -> Row:
    result = {}
    for level in levels:
        reached = [hit for hit in hits if hit["level"] >= level]
        result[str(level)] = {
            "items": len({(hit["benchmark"], hit["item"]) for hit in reached}),
            "conversations": len({hit["id"] for hit in reached}),
        }
    return result

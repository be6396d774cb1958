"""Numbers of items and conversations with hits, per benchmark, tier, level and method."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.queries import TIERS
from workflow_scripts.decontamination.relation_kinds import RELATIONS

Pairs = dict[tuple[str, tuple[Any, ...]], int]  # the highest level of each pair of item and conversation
KINDS = ("levels", "passages", "listed", "words", "allowed")


def contamination_table(
    hits: Iterable[Mapping[str, Any]],
    minhash_pairs: Iterable[Row] | None,
    benchmarks: dict[str, Row],
    suites: dict[str, list[str]],
    levels: list[int],
) -> dict[str, Row]:
    """{"benchmarks": …, "suites": …}: `queries.summary` of each benchmark with cumulative counts by level.

    `levels` counts hits that are a reason to remove, `by_tier` the same hits by tier, `passages`, `listed`
    (shared answers, answers far from their question) and `words` (questions of tier C) hits that are not, `allowed` hits on the allow list, and `minhash` the pairs of the MinHash baseline.
    """
    # The highest level of each pair of item and conversation, by benchmark and kind.
    reached: dict[tuple[str, str], Pairs] = defaultdict(dict)
    for hit in hits:
        kind = kind_of(hit)
        _note(reached[hit["benchmark"], kind], hit)
        if kind == "levels":
            _note(reached[hit["benchmark"], hit["tier"]], hit)
    for pair in minhash_pairs or ():
        _note(reached[pair["benchmark"], "minhash"], pair)
    kinds = [*KINDS, *(["minhash"] if minhash_pairs is not None else [])]

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


def kind_of(hit: Mapping[str, Any]) -> str:
    """The one of `KINDS` under which a hit is counted."""
    if hit["allowed"] is not None:
        return "allowed"
    if hit["removes"]:
        return "levels"
    if is_word(hit):
        return "words"
    return "passages" if hit["field"] == "passage" else "listed"


def is_word(hit: Mapping[str, Any]) -> bool:
    """Whether a hit is a question of tier C: a few words that many texts contain. Such hits are counted, not listed."""
    return bool(hit["tier"] == "C" and hit["field"] == "question")


def _note(pairs: Pairs, hit: Mapping[str, Any]) -> None:
    # In external files several rows may have the same id.
    pair = (f"{hit['benchmark']} {hit['item']}", (hit["id"], hit.get("file"), hit.get("row")))
    pairs[pair] = max(hit["level"], pairs.get(pair, 0))


def _by_level(all_pairs: list[Pairs], levels: list[int]) -> Row:
    result = {}
    for level in levels:
        found = [pair for pairs in all_pairs for pair, highest in pairs.items() if highest >= level]
        result[str(level)] = {
            "items": len({item for item, _ in found}),
            "conversations": len({conversation for _, conversation in found}),
        }
    return result


def rephrased_table(rows: list[Row], benchmarks: list[str]) -> Row:
    """Items and conversations among judged candidates: {"relations": of all benchmarks, "benchmarks": of each, "unjudged": …}.

    A relation that no candidate has is missing; `candidates` counts all of them. `unjudged` are pairs without a relation.
    """

    def counts(rows: list[Row]) -> Row:
        kinds = {"candidates": rows} | {
            relation: own for relation in RELATIONS if (own := [row for row in rows if row["relation"] == relation])
        }
        return {
            kind: {"items": len({(row["benchmark"], row["item"]) for row in own}), "conversations": len({row["id"] for row in own})}
            for kind, own in kinds.items()
        }  # fmt: skip

    return {
        "relations": counts(rows),
        "benchmarks": {name: counts([row for row in rows if row["benchmark"] == name]) for name in benchmarks},
        "unjudged": sum(row["relation"] is None for row in rows),
    }

"""The decontamination section: the table by benchmark and level, and hits with their differences marked."""

from rapidfuzz.distance import Levenshtein

from workflow_scripts.common.types import Hit, Row

Pieces = list[tuple[str, bool]]  # text, and whether it differs from the other side


def mark_differences(item: str, found: str) -> tuple[Pieces, Pieces]:
    """Both texts in pieces, each with whether it differs from the other text (Levenshtein alignment)."""
    codes = list(Levenshtein.opcodes(item, found))
    return (
        [(item[c.src_start : c.src_end], c.tag != "equal") for c in codes if c.src_end > c.src_start],
        [(found[c.dest_start : c.dest_end], c.tag != "equal") for c in codes if c.dest_end > c.dest_start],
    )


def verdict(hit: Hit) -> str:
    """The outcome of a hit: removed, allowed, below the removal level, or listed only."""
    if hit["counts"]:
        return "removed"
    if hit["allowed"] is not None:
        return f"allowed: {hit['allowed']}"
    return "below the removal level" if hit["removes"] else "listed only"


def displayed_hit(hit: Hit) -> Row:
    """A hit for hit.html.jinja: both texts in pieces, and the verdict."""
    item, found = mark_differences(hit["item_normal"], hit["found_normal"])
    return {**hit, "item_pieces": item, "found_pieces": found, "verdict": verdict(hit)}


def by_relevance(hits: list[Hit]) -> list[Hit]:
    """Hits in display order: reasons for removal first, then by similarity and length, highest first."""
    return sorted(
        hits, key=lambda hit: (not hit["counts"], not hit["removes"], -hit["similarity"], -hit["length"], hit["id"])
    )


def section(stats: Row, hits: list[Hit], max_hits: int, seeds: Row | None = None) -> Row:
    """Values for contamination.html.jinja: table rows, with the members below each suite, and the first `max_hits` hits.

    `seeds` are the statistics of the seeds; None for a run without a synthesis.
    """
    rows = []
    for suite, entry in stats["suites"].items():
        members = entry["benchmarks"] if entry["benchmarks"] != [suite] else []
        rows.append({"name": suite, "member": False, **entry})
        # Members without any hit are omitted; stats.json contains all.
        rows += [
            {"name": name, "member": True, **stats["benchmarks"][name]}
            for name in members
            if any(cell["items"] for cell in stats["benchmarks"][name]["levels"].values())
        ]
    tiers = {tier: sum(entry["tiers"][tier] for entry in stats["benchmarks"].values()) for tier in ("A", "B", "C")}
    kinds = {
        kind: {
            "items": sum(
                entry[kind][str(min(*stats["levels"], stats["remove_at"]))]["items"]
                for entry in stats["benchmarks"].values()
            ),
        }
        for kind in ("passages", "listed", "words", "allowed")
    }
    return {
        "stats": stats,
        "rows": rows,
        "tiers": tiers,
        "kinds": kinds,
        "hits": [displayed_hit(hit) for hit in by_relevance(hits)[:max_hits]],
        "all_hits": len(hits),
        "seeds": None if seeds is None else seeds["rejected"].get("contaminated", 0),
        "minhash": any("minhash" in entry for entry in stats["suites"].values()),
    }

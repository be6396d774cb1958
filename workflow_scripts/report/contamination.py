"""What the pages tell of the decontamination: the table by benchmark and level, and hits with their differences marked."""

from rapidfuzz.distance import Levenshtein

from workflow_scripts.common.types import Row

Pieces = list[tuple[str, bool]]  # text, and whether the other side differs there


def marked(wanted: str, found: str) -> tuple[Pieces, Pieces]:
    """Two texts in pieces, each with whether it differs from the other text."""
    codes = Levenshtein.opcodes(wanted, found).as_list()
    return (
        [(wanted[a1:a2], tag != "equal") for tag, a1, a2, _, _ in codes if a2 > a1],
        [(found[b1:b2], tag != "equal") for tag, _, _, b1, b2 in codes if b2 > b1],
    )


def verdict(hit: Row) -> str:
    """What became of a hit, in a word."""
    if hit["counts"]:
        return "removed"
    if hit["allowed"] is not None:
        return f"allowed: {hit['allowed']}"
    return "below the level of removal" if hit["removes"] else "listed only"


def shown(hit: Row) -> Row:
    """A hit with both texts in pieces, and what became of it in a word."""
    item, found = marked(hit["item_normal"], hit["found_normal"])
    return {**hit, "item_pieces": item, "found_pieces": found, "verdict": verdict(hit)}


def by_weight(hits: list[Row]) -> list[Row]:
    """Hits in the order in which a person wants to see them: what was removed first, and the longest texts of it."""
    return sorted(
        hits, key=lambda hit: (not hit["counts"], not hit["removes"], -hit["similarity"], -hit["length"], hit["id"])
    )


def section(stats: Row, hits: list[Row], count: int) -> Row:
    """The table's rows, a suite's members under it, and the first few hits."""
    rows = []
    for suite, entry in stats["suites"].items():
        members = entry["benchmarks"] if entry["benchmarks"] != [suite] else []
        rows.append({"name": suite, "member": False, **entry})
        # Of a suite only members with something to see; all are in stats.json.
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
        for kind in ("passages", "listed", "allowed")
    }
    return {
        "stats": stats,
        "rows": rows,
        "tiers": tiers,
        "kinds": kinds,
        "hits": [shown(hit) for hit in by_weight(hits)[:count]],
        "hits_in_all": len(hits),
        "minhash": any("minhash" in entry for entry in stats["suites"].values()),
    }

"""Exact and near duplicates among seeds; the same rows in any order give the same survivors."""

import unicodedata
from collections import Counter

from rensa import RMinHash, RMinHashLSH

from workflow_scripts.common.rows import Row
from workflow_scripts.common.stage import Rejections

PERMUTATIONS = 128
BANDS = 32
SHINGLE = 5  # characters: word shingles, the web-corpus default, miss most near copies of short texts


def comparison_text(seed: Row) -> str:
    """What makes two seeds the same: request and context, or a whole conversation, in lower case, white space as one space.

    Punctuation stays: two equations may differ in nothing but their signs.
    """
    turns = [text for exchange in seed["meta"].get("conversation", []) for text in exchange.values()]
    text = " ".join(turns or [seed["instruction"], seed["context"]])
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def shingles(text: str) -> set[str]:
    """Character 5-grams of a text; a shorter text is its own and only shingle."""
    return {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}


def jaccard(a: set[str], b: set[str]) -> float:
    """Share of common shingles, 0 to 1."""
    return len(a & b) / len(a | b)


def deduplicate(seeds: list[Row], threshold: float) -> tuple[list[Row], Rejections]:
    """Survivors and rejections; a pair is a near duplicate from `threshold` (Jaccard of character 5-grams) on.

    Rows are taken in the order of (id, source); MinHash with LSH only proposes pairs, the exact Jaccard decides.
    """
    rejections = Rejections()
    survivors: list[Row] = []
    by_text: dict[str, Row] = {}
    sets: list[set[str]] = []
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS)
    for seed in sorted(seeds, key=lambda row: (row["id"], row["source"], row["revision"])):
        text = comparison_text(seed)
        if text in by_text:
            rejections.add(seed["id"], "exact_duplicate", {"kept": by_text[text]["id"], "source": seed["source"]})
            continue
        grams = shingles(text)
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(sorted(grams))
        matches = [(jaccard(grams, sets[other]), other) for other in index.query(sketch)]
        closest = max(matches, default=(0.0, 0))
        if closest[0] >= threshold:
            kept = survivors[closest[1]]
            rejections.add(
                seed["id"],
                "near_duplicate",
                {
                    "kept": kept["id"],
                    "jaccard": round(closest[0], 4),
                    "text": seed["instruction"][:200],
                    "kept_text": kept["instruction"][:200],
                },
            )
            continue
        index.insert(len(survivors), sketch)
        by_text[text] = seed
        sets.append(grams)
        survivors.append(seed)
    return survivors, rejections


def per_source(seeds: list[Row]) -> dict[str, int]:
    """Number of seeds for each source label, in the order of the labels."""
    return dict(sorted(Counter(seed["source"] for seed in seeds).items()))

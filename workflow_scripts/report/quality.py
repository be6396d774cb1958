"""The quality section: scores by source, best and worst conversations, what each filter removed, precision of the rules."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import quantiles

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.reasons import explain
from workflow_scripts.common.types import Conversation, Row
from workflow_scripts.common.yaml_files import read_yaml

PRECISION = package_file("seeds/cleaning/measured.yaml")
EXTREMES = 3  # best and worst conversations shown
MIN_PAIRS = 5  # of a faulty and a sound conversation, for the agreement


def value(row: Conversation) -> float:
    """The judge's mean score, 1 to 5; without a judge the score of the measures, 0 to 1."""
    provenance = row["provenance"]
    found: float = provenance["judgement"]["mean"] if "judgement" in provenance else provenance["measures"]["score"]
    return found


def deciles(values: list[float]) -> list[float]:
    """The 10th, 50th and 90th percentile."""
    if len(values) < 2:
        return values * 3
    cut = quantiles(values, n=10, method="inclusive")
    return [cut[0], cut[4], cut[8]]


def removed(stage: str, stats: Row) -> list[Row]:
    """One row per reason of a stage: rows, share of the stage's input in percent, and the explanation."""
    return [
        {
            "stage": stage,
            "reason": reason,
            "rows": rows,
            "share": 100 * rows / max(stats["in"], 1),
            "why": explain(reason),
        }
        for reason, rows in stats["rejected"].items()
    ]


def agreement(rows: Iterable[Conversation], items: Iterable[Row]) -> Row | None:
    """How well the judge's `correctness` separates conversations that experts found sound from faulty ones.

    `auc` is the probability that a sound one has the higher score (ties count half). None without enough of both.
    """
    scores = {
        row["id"]: row["provenance"]["judgement"]["scores"]["correctness"]
        for row in rows
        if "judgement" in row["provenance"]
    }
    verdicts = {item["id"]: item["verdict"] == "correct" for item in items if item["verdict"] and item["id"] in scores}
    sound = [scores[name] for name, good in verdicts.items() if good]
    faulty = [scores[name] for name, good in verdicts.items() if not good]
    pairs = len(sound) * len(faulty)
    if pairs < MIN_PAIRS:
        return None
    wins = sum((one > other) + (one == other) / 2 for one in sound for other in faulty)
    return {"sound": len(sound), "faulty": len(faulty), "auc": wins / pairs}


def section(seeds: Row | None, synthesis: Row | None, rows: list[Conversation], items: list[Row]) -> Row:
    """Values for quality.html.jinja. `rows` are the judged conversations that are kept, `items` the states of reviews."""
    by_source: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(value(row))
    chosen = {row["source"]: row["chosen"] for row in (seeds or {}).get("composition", [])}
    ordered = sorted(rows, key=lambda row: (-value(row), row["id"]))
    stages = [("seeds", seeds), ("synthesis", synthesis)]
    return {
        "seed_scores": (seeds or {}).get("scores", {}),
        "cleaning": (seeds or {}).get("cleaning"),
        "removed": [row for stage, stats in stages if stats for row in removed(stage, stats)],
        "judge": (synthesis or {}).get("judge"),
        "sources": [
            {
                "source": name,
                "conversations": len(values),
                "yield": len(values) / chosen[name] if chosen.get(name) else None,
                "deciles": deciles(values),
            }
            for name, values in sorted(by_source.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
        "best": [(value(row), row) for row in ordered[:EXTREMES]],
        "worst": [(value(row), row) for row in ordered[EXTREMES:][-EXTREMES:][::-1]],
        "agreement": agreement(rows, items),
        "precision": read_yaml(PRECISION),
    }

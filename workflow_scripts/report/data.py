"""What the page tells of the data: what the conversations are like, beside the released file, and how they were made."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.report import figures
from workflow_scripts.report.svg import Picture

PUBLISHED = package_file("report/published.yaml")
LENGTHS = (500, 1000, 2000, 4000, 8000, 16000)  # characters: upper ends of the picture's bars
MANY = 8  # conversations of more exchanges than these share a bar
NONE = "not labelled"
SOURCES = 40  # shown one by one: included rows name their own


class Measured:
    """Counts over conversations, filled one by one, so that a large set need not be held in memory."""

    def __init__(self, rows: Iterable[Row]):
        self.conversations = self.multi_turn = 0
        self.sources: dict[str, Counter[str]] = {}
        names = ("exchanges", "lengths", "domains", "skills", "difficulties", "paths", "moves", "licences", "teachers")
        self.counts: dict[str, Counter[Any]] = {name: Counter() for name in names}
        for row in rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        conversation, made = row["conversation"], row["provenance"]
        user, answers = (sum(len(exchange[side]) for exchange in conversation) for side in ("input", "output"))
        self.conversations += 1
        self.multi_turn += len(conversation) > 1
        self.sources.setdefault(row["source"], Counter()).update(
            conversations=1, exchanges=len(conversation), user=user, answers=answers
        )
        count = self.counts
        count["exchanges"][len(conversation)] += 1
        count["lengths"][next((end for end in LENGTHS if user + answers < end), None)] += 1
        count["domains"][made.get("domain") or NONE] += 1
        count["skills"].update(made.get("skills") or [NONE])
        count["difficulties"][made.get("difficulty") or NONE] += 1
        count["paths"][" > ".join(made.get("techniques") or []) or "as it came"] += 1
        count["moves"].update(move for step in made.get("steps") or [] for move in step.get("moves", []))
        count["licences"][made["license"]] += 1
        count["teachers"][(made.get("teacher") or {}).get("model", "none")] += 1

    def ordered(self, name: str) -> dict[Any, int]:
        """A count, most frequent first."""
        return dict(sorted(self.counts[name].items(), key=lambda item: (-item[1], str(item[0]))))


def published() -> Row:
    """The released file's composition and lengths, each with its source."""
    return yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))


def grouped(sources: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """The sources with the most conversations; those beyond `SOURCES` together as one."""
    order = sorted(sources, key=lambda name: (-sources[name]["conversations"], name))
    found = {name: sources[name] for name in order[:SOURCES]}
    if rest := order[SOURCES:]:
        found[f"{len(rest):,} other sources"] = sum((sources[name] for name in rest), Counter())
    return found


def composition(measured: Measured) -> list[Row]:
    """A row for each source of this run or of the released file: both counts, shares in percent, means of both."""
    known = published()
    theirs = known["composition"]["dialogues"]
    sources = grouped(measured.sources)
    names = [*sources, *(name for name in theirs if name not in sources)]
    rows = []
    for name in names:
        counts = sources.get(name, Counter())
        own = counts["conversations"]
        means = {
            "exchanges": round(counts["exchanges"] / own, 2),
            "user_chars": round(counts["user"] / counts["exchanges"]),
            "answer_chars": round(counts["answers"] / counts["exchanges"]),
        } if own else {}  # fmt: skip
        rows.append(
            {
                "source": name,
                "conversations": own,
                "share": 100 * own / measured.conversations,
                "published": theirs.get(name),
                "published_share": 100 * theirs[name] / sum(theirs.values()) if name in theirs else None,
                "means": means,
                "published_means": known["conversations"].get(name, {}),
            }
        )
    return sorted(rows, key=lambda row: (-row["conversations"], -(row["published"] or 0), row["source"]))


def lengths(measured: Measured) -> dict[str, int]:
    """Conversations by their characters, shortest first."""
    starts = (0, *LENGTHS)
    return {
        (f"{start:,} to {end:,}" if end else f"{start:,} or more"): measured.counts["lengths"][end]
        for start, end in zip(starts, (*LENGTHS, None), strict=True)
    }


def exchanges(measured: Measured) -> dict[str, int]:
    """Conversations by their exchanges, fewest first."""
    counted = measured.counts["exchanges"]
    found = {str(number): counted[number] for number in range(1, min(max(counted, default=1), MANY) + 1)}
    if more := sum(count for number, count in counted.items() if number > MANY):
        found[f"more than {MANY}"] = more
    return found


def pictures(measured: Measured, rows: list[Row]) -> list[Picture]:
    """Composition beside the released file's, then a picture for each property."""
    stats = [("decontamination/data.jsonl", "../decontamination/data.jsonl")]
    spread = {
        "domains": "domain",
        "skills": "skill (three each)",
        "difficulties": "difficulty",
        "paths": "path of techniques",
    }
    return [
        figures.shares(
            "composition",
            "Share of each source in this run and in the released file",
            {row["source"]: row["share"] for row in rows if row["conversations"]},
            {row["source"]: row["published_share"] for row in rows if row["published"]},
        ),
        figures.bars("exchanges", "Conversations by exchanges", exchanges(measured), "conversations", links=stats),
        figures.bars("lengths", "Conversations by length in characters", lengths(measured), "conversations", links=stats),
        *(
            figures.bars(name, f"Conversations by {words}", measured.ordered(name), f"conversations by {words}", links=stats)
            for name, words in spread.items()
        ),
        *([figures.bars("moves", "Follow-ups by move", measured.ordered("moves"), "follow-ups", links=stats)] if measured.counts["moves"] else []),
    ]  # fmt: skip


def seed_rows(seeds: Row) -> list[Row]:
    """The seeds' composition: each source with its share of the chosen ones, in percent."""
    return [{**row, "share": 100 * row["chosen"] / max(seeds["out"], 1)} for row in seeds["composition"]]


def section(
    rows: Iterable[Row], dataset: Row, seeds: Row | None, synthesis: Row | None, audit: Row, examples: list[Row]
) -> Row:
    """All that data.html.jinja shows. Tokens are counted by the base model's tokenizer, in the audit of the first model."""
    measured = Measured(rows)
    composed = composition(measured)
    return {
        "measured": measured,
        "composition": composed,
        "published_source": published()["composition"]["source"],
        "pictures": pictures(measured, composed),
        "dataset": dataset,
        "mean_exchanges": sum(part["exchanges"] for part in measured.sources.values()) / measured.conversations,
        "mean_tokens": (audit["tokens"] + audit["tokens_cut_off"]) / audit["conversations"],
        "audit": audit,
        "seeds": {"rows": seed_rows(seeds), "stats": seeds} if seeds else None,
        "synthesis": synthesis,
        "examples": examples,
    }

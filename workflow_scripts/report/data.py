"""The data section: composition and properties of the conversations, compared with the released file."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Conversation, Row
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.report import figures, released
from workflow_scripts.report.svg import Figure
from workflow_scripts.synthesis.released import SOURCES

PUBLISHED = package_file("report/published.yaml")
LENGTH_LIMITS = (500, 1000, 2000, 4000, 8000, 16000)  # characters: exclusive upper limits of the bars
MAX_EXCHANGES_BAR = 8  # conversations with more exchanges share a bar
NOT_LABELLED = "not labelled"
MAX_SOURCES = 40  # listed individually: included rows may name any number of sources


class Measured:
    """Counts over conversations, which are read one at a time so that a large dataset fits in memory."""

    def __init__(self, rows: Iterable[Conversation]):
        self.conversations = self.multi_turn = 0
        self.sources: dict[str, Counter[str]] = {}
        names = ("exchanges", "lengths", "domains", "skills", "difficulties", "paths", "moves", "licences", "teachers")
        self.counts: dict[str, Counter[Any]] = {name: Counter() for name in names}
        for row in rows:
            self._add(row)

    def _add(self, row: Conversation) -> None:
        conversation, provenance = row["conversation"], row["provenance"]
        user, answers = (sum(len(exchange[side]) for exchange in conversation) for side in ("input", "output"))
        self.conversations += 1
        self.multi_turn += len(conversation) > 1
        self.sources.setdefault(row["source"], Counter()).update(
            conversations=1, exchanges=len(conversation), user=user, answers=answers
        )
        count = self.counts
        count["exchanges"][len(conversation)] += 1
        count["lengths"][next((end for end in LENGTH_LIMITS if user + answers < end), None)] += 1
        count["domains"][provenance.get("domain") or NOT_LABELLED] += 1
        count["skills"].update(provenance.get("skills") or [NOT_LABELLED])
        count["difficulties"][provenance.get("difficulty") or NOT_LABELLED] += 1
        count["paths"][" > ".join(provenance.get("techniques") or []) or "unchanged"] += 1
        count["moves"].update(move for step in provenance.get("steps") or [] for move in step.get("moves", []))
        count["licences"][provenance["license"]] += 1
        count["teachers"][(provenance.get("teacher") or {}).get("model", "none")] += 1

    def ordered(self, name: str) -> dict[Any, int]:
        """The values of one count, most frequent first."""
        return dict(sorted(self.counts[name].items(), key=lambda item: (-item[1], str(item[0]))))


def published() -> Row:
    """The released file's composition, with its source."""
    return read_yaml(PUBLISHED)


def grouped(sources: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """The `MAX_SOURCES` sources with the most conversations, and all others combined."""
    order = sorted(sources, key=lambda name: (-sources[name]["conversations"], name))
    found = {name: sources[name] for name in order[:MAX_SOURCES]}
    if rest := order[MAX_SOURCES:]:
        found[counted(len(rest), "other source")] = sum((sources[name] for name in rest), Counter())
    return found


def composition(measured: Measured) -> list[Row]:
    """A row per source of this run or the released file: counts, shares in percent, and means of both."""
    released_counts = published()["composition"]["dialogues"]
    sources = grouped(measured.sources)
    names = [*sources, *(name for name in released_counts if name not in sources)]
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
                "published": released_counts.get(name),
                "published_share": 100 * released_counts[name] / sum(released_counts.values())
                if name in released_counts
                else None,
                "means": means,
                "published_means": SOURCES.get(name, {}),
            }
        )
    return sorted(rows, key=lambda row: (-row["conversations"], -(row["published"] or 0), row["source"]))


def lengths(measured: Measured) -> dict[str, int]:
    """Number of conversations by length in characters, shortest first."""
    starts = (0, *LENGTH_LIMITS)
    return {
        (f"{start:,} to {end:,}" if end else f"{start:,} or more"): measured.counts["lengths"][end]
        for start, end in zip(starts, (*LENGTH_LIMITS, None), strict=True)
    }


def exchanges(measured: Measured) -> dict[str, int]:
    """Number of conversations by number of exchanges, fewest first."""
    counts = measured.counts["exchanges"]
    found = {str(number): counts[number] for number in range(1, min(max(counts, default=1), MAX_EXCHANGES_BAR) + 1)}
    if more := sum(count for number, count in counts.items() if number > MAX_EXCHANGES_BAR):
        found[f"more than {MAX_EXCHANGES_BAR}"] = more
    return found


def data_figures(measured: Measured, rows: list[Row]) -> list[Figure]:
    """The composition compared with the released file, then one figure per property."""
    links = [("decontamination/data.jsonl", "../decontamination/data.jsonl")]
    labels = {
        "domains": "domain",
        "skills": "skill (three per conversation)",
        "difficulties": "difficulty",
        "paths": "path of techniques",
    }
    return [
        figures.share_chart(
            "composition",
            "Share of each source in this run and in the released file",
            {row["source"]: row["share"] for row in rows if row["conversations"]},
            {row["source"]: row["published_share"] for row in rows if row["published"]},
        ),
        figures.bar_chart("exchanges", "Conversations by exchanges", exchanges(measured), "conversations", links=links),
        figures.bar_chart("lengths", "Conversations by length in characters", lengths(measured), "conversations", links=links),
        *(
            figures.bar_chart(name, f"Conversations by {words}", measured.ordered(name), f"conversations by {words}", links=links)
            for name, words in labels.items()
        ),
        *([figures.bar_chart("moves", "Follow-ups by move", measured.ordered("moves"), "follow-ups", links=links)] if measured.counts["moves"] else []),
    ]  # fmt: skip


def seed_rows(seeds: Row) -> list[Row]:
    """The composition of the seeds: each source with its share of the selected seeds, in percent."""
    return [{**row, "share": 100 * row["chosen"] / max(seeds["out"], 1)} for row in seeds["composition"]]


def section(
    rows: Iterable[Conversation],
    dataset: Row,
    seeds: Row | None,
    synthesis: Row | None,
    audit: Row,
    examples: list[Row],
) -> Row:
    """Values for data.html.jinja. Token counts are from the audit of the first model, in the base model's tokenizer."""
    measured = Measured(rows)
    composed = composition(measured)
    return {
        "measured": measured,
        "composition": composed,
        "published_source": published()["composition"]["source"],
        "figures": data_figures(measured, composed),
        "dataset": dataset,
        "mean_exchanges": sum(part["exchanges"] for part in measured.sources.values()) / measured.conversations,
        "mean_tokens": (audit["tokens"] + audit["tokens_cut_off"]) / audit["conversations"],
        "audit": audit,
        "seeds": {"rows": seed_rows(seeds), "stats": seeds} if seeds else None,
        "synthesis": synthesis,
        "released": released.section(synthesis) if synthesis else None,
        "examples": examples,
    }

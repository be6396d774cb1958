"""What both cards tell, with every text of others in code spans."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq
from huggingface_hub import CardData, RepoCard

from workflow_scripts.common.types import Row
from workflow_scripts.release.licenses import restrictions
from workflow_scripts.release.markdown import code, plain

FULL_SIZE = 10_000  # conversations below which a model is called one for trying the chain
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def render(card: type[RepoCard], data: CardData, template: Path, **values: Any) -> str:
    """A card as text: the metadata by `huggingface_hub`, the body by the template of that name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return str(card(environment.get_template(template.name).render(card_data=data.to_yaml(), **values)))


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """{source, license, dataset, messages} of each published conversation; `messages` is their number."""
    tables = [pq.read_table(path, columns=["source", "license", "num_turns", "provenance"]) for path in paths]
    return [
        {
            "source": row["source"],
            "license": row["license"],
            "dataset": json.loads(row["provenance"])["dataset"],
            "messages": row["num_turns"],
        }
        for table in tables
        for row in table.to_pylist()
    ]


def source_rows(rows: list[Row]) -> list[Row]:
    """One row a source, the largest first: name, count, and the licences of its rows."""
    counts = Counter(row["source"] for row in rows)
    held: dict[str, Counter[str]] = {}
    for row in rows:
        held.setdefault(row["source"], Counter())[row["license"]] += 1
    return [
        {"name": code(source), "count": count, "licenses": ", ".join(map(code, sorted(held[source])))}
        for source, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def license_counts(rows: list[Row]) -> dict[str, int]:
    """Rows under each licence, the most frequent first."""
    return dict(sorted(Counter(row["license"] for row in rows).items(), key=lambda item: (-item[1], item[0])))


def restriction_text(parts: dict[str, int]) -> str:
    """What the licences of some rows ask of the whole, as a paragraph; empty if they ask nothing."""
    return " ".join(restrictions(parts))


def contamination(stats: Row) -> Row:
    """The table of the decontamination: for each suite its items, items found at each level, and hits that were allowed."""
    levels = stats["levels"]
    rows = [
        {
            "name": code(name),
            "items": entry["items"],
            "found": [entry["levels"][str(level)]["items"] for level in levels],
            "allowed": entry["allowed"][str(min(levels))]["items"],
        }
        for name, entry in stats["suites"].items()
    ]
    return {
        "rows": rows,
        "levels": levels,
        "remove_at": stats["remove_at"],
        "items": stats["items"],
        "removed": stats["rejected"].get("contaminated", 0),
        "stayed": any(row["allowed"] for row in rows) or stats["remove_at"] > min(levels),
    }


def claim_rows(claims: list[Row]) -> list[Row]:
    """Verdict, statement and reason of each claim."""
    return [{key: plain(row[key]) for key in ("verdict", "statement", "reason")} for row in claims]


def hub_names(names: Iterable[str]) -> list[str]:
    """Those that can be repositories of the hub, each once, in order of the alphabet."""
    return sorted(
        {
            name
            for name in names
            if HUB_NAME.fullmatch(name) and not name.endswith((".jsonl", ".json", ".parquet", ".csv"))
        }
    )

"""The parts that the model card and the data card share. Text from datasets and models is put into code spans."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq
from huggingface_hub import CardData, RepoCard

from workflow_scripts.common.model_location import on_hub
from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Row
from workflow_scripts.release.licenses import restrictions
from workflow_scripts.release.markdown import code, plain

FULL_SIZE_CONVERSATIONS = 10_000  # with fewer, the card says that the run only tests the workflow
FILE_SUFFIXES = (".jsonl", ".json", ".parquet", ".csv", ".tsv", ".txt", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".zip")
ABOUT_SYNTHESIS = re.compile("amplify-instruct|teacher", re.IGNORECASE)
HUB_NAME = re.compile(r"^[\w-][\w.-]*/[\w.-]+")


def render(card: type[RepoCard], data: CardData, template: Path, **values: Any) -> str:
    """A card as Markdown: `data` as its metadata block, the body from the Jinja template with `values`.

    Raises jinja2.UndefinedError if the template uses a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.globals["counted"] = counted
    return str(card(environment.get_template(template.name).render(card_data=data.to_yaml(), **values)))


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """{source, license, dataset, messages, synthetic} of each published conversation.

    `messages` is the number of messages; `synthetic` is whether a teacher wrote a part of it.
    """
    tables = [pq.read_table(path, columns=["source", "license", "num_turns", "provenance"]) for path in paths]
    found = []
    for table in tables:
        for row in table.to_pylist():
            provenance = json.loads(row["provenance"])
            synthetic = bool(provenance.get("teacher"))
            about = {"dataset": provenance["dataset"], "messages": row["num_turns"], "synthetic": synthetic}
            found.append({"source": row["source"], "license": row["license"], **about})
    return found


def model_name(settings: Row) -> str:
    """The public name of a model of the configuration: its `name`, or `model` without local folders."""
    name = settings.get("name") or settings["model"]
    return name if on_hub(name) else Path(name).name


def dataset_name(name: str) -> str:
    """The public name of a dataset: its address or name on the Hub, or that of a local file without folders."""
    return name if hub_names([name]) or "://" in name else Path(name).name


def tags(rows: list[Row]) -> list[str]:
    """The tags of both cards; `amplify-instruct` only for a run with a synthesis."""
    return ["capybara", *(["amplify-instruct", "synthetic"] if synthetic(rows) else []), "multi-turn"]


def synthetic(rows: list[Row]) -> bool:
    """Whether a teacher wrote a part of any conversation."""
    return any(row["synthetic"] for row in rows)


def included_datasets(rows: list[Row]) -> list[str]:
    """The Hub's names of the datasets whose conversations were included as they are."""
    return hub_names(row["dataset"] for row in rows if not row["synthetic"])


def source_rows(rows: list[Row]) -> list[Row]:
    """One row per source, largest first: name, number of conversations, and the licences of its rows."""
    counts = Counter(row["source"] for row in rows)
    licenses: dict[str, set[str]] = {}
    for row in rows:
        licenses.setdefault(row["source"], set()).add(row["license"])
    return [
        {"name": code(source), "count": count, "licenses": ", ".join(map(code, sorted(licenses[source])))}
        for source, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def license_counts(rows: list[Row]) -> dict[str, int]:
    """Number of rows under each licence, most frequent first."""
    return dict(sorted(Counter(row["license"] for row in rows).items(), key=lambda item: (-item[1], item[0])))


def restriction_text(parts: dict[str, int]) -> str:
    """The restrictions that the licences of some rows impose on the dataset, as one paragraph; empty without any."""
    return " ".join(restrictions(parts))


def contamination(stats: Row) -> Row:
    """The contamination table: for each suite its items, the items found at each level, and the allowed hits."""
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


def claim_rows(claims: list[Row], synthesised: bool) -> list[Row]:
    """Verdict, statement and reason of each claim; without a synthesis, those about it are left out."""
    shown = [[row[key] for key in ("verdict", "statement", "reason")] for row in claims]
    return [
        dict(zip(("verdict", "statement", "reason"), map(plain, row), strict=True))
        for row in shown
        if synthesised or not ABOUT_SYNTHESIS.search(" ".join(row))
    ]


def hub_names(names: Iterable[str]) -> list[str]:
    """The names that have the form of a repository on the Hub, unique and sorted."""
    return sorted({name for name in names if HUB_NAME.fullmatch(name) and not name.endswith(FILE_SUFFIXES)})

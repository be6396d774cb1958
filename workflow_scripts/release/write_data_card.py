"""The data card: composition, licences and file layouts of the published conversations, in the format of the Hub."""

import argparse
import json
import logging
from pathlib import Path

from huggingface_hub import DatasetCard, DatasetCardData

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.release import cards
from workflow_scripts.release.licenses import card_license
from workflow_scripts.release.markdown import code, plain

# The Hub's size categories, each with its exclusive upper bound in rows.
SIZE_CATEGORIES = {
    "n<1K": 10**3,
    "1K<n<10K": 10**4,
    "10K<n<100K": 10**5,
    "100K<n<1M": 10**6,
    "1M<n<10M": 10**7,
    "10M<n<100M": 10**8,
}


def size_category(rows: int) -> str:
    """The Hub's size category of a number of rows."""
    return next((name for name, border in SIZE_CATEGORIES.items() if rows < border), "100M<n<1B")


def configurations() -> list[Row]:
    """The configurations for the Hub's viewer and `load_dataset`: the parquet files only.

    A repository is read by a single builder, so JSONL files cannot be a second configuration (datasets 5.2).
    """
    files = [{"split": split, "path": f"messages/{split}.parquet"} for split in ("train", "test")]
    return [{"config_name": "messages", "data_files": files, "default": True}]


def license_text(parts: dict[str, int]) -> str:
    """The number of rows under each licence, as a sentence."""
    counts = ", ".join(f"{code(name)} ({counted(count, 'row')})" for name, count in parts.items())
    return f"All rows: {counts}." if len(parts) == 1 else f"The rows have several licences: {counts}."


def main(argv: list[str] | None = None) -> None:
    """Write the card of the dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="run, teacher, included, as JSON")
    parser.add_argument("--decontamination", required=True, type=Path, help="stats.json of the decontamination stage")
    parser.add_argument("--dataset", required=True, type=Path, help="stats.json of the dataset stage")
    parser.add_argument("--parquet", required=True, type=Path, nargs="+", help="parquet files of split_dataset")
    parser.add_argument("--card", required=True, type=Path, help="Markdown file to write")
    args = parser.parse_args(argv)

    settings = args.settings
    rows = cards.read_rows(args.parquet)
    parts = cards.license_counts(rows)
    name = f"capybara-{settings['run']}"
    data = DatasetCardData(
        pretty_name=name,
        # Synthesis and cleaning keep only English; included files are not checked.
        language=None if settings["included"] else "en",
        **card_license(parts),
        size_categories=size_category(len(rows)),
        task_categories=["text-generation"],
        source_datasets=cards.hub_names(row["dataset"] for row in rows) or None,
        tags=cards.tags(rows),
        configs=configurations(),
    )
    card = cards.render(
        DatasetCard,
        data,
        package_file("release/templates/data_card.md.jinja"),
        name=plain(name),
        synthesised=cards.synthetic(rows),
        teacher=code(cards.model_name(settings["teacher"])),
        datasets=cards.included_datasets(rows),
        dataset=read_json(args.dataset),
        exchanges=f"{sum(row['messages'] for row in rows) / 2 / max(len(rows), 1):.1f}",
        languages="The language of conversations included from files was not checked."
        if settings["included"]
        else "The language is English, according to an automatic language detector.",
        sources=cards.source_rows(rows),
        licenses=license_text(parts),
        restrictions=cards.restriction_text(parts),
        contamination=cards.contamination(read_json(args.decontamination)),
    )
    write_text(args.card, card)
    logging.info("%s", args.card)


if __name__ == "__main__":
    run(main)

"""The data card: composition, licences and layouts of the published conversations, in the hub's form."""

import argparse
import json
import logging
from pathlib import Path

from huggingface_hub import DatasetCard, DatasetCardData

from workflow_scripts.common.cli import run
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_json, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.release import cards
from workflow_scripts.release.licenses import card_license
from workflow_scripts.release.markdown import code, plain

# The hub's names of sizes, with the number of rows below which each holds.
SIZES = {
    "n<1K": 10**3,
    "1K<n<10K": 10**4,
    "10K<n<100K": 10**5,
    "100K<n<1M": 10**6,
    "1M<n<10M": 10**7,
    "10M<n<100M": 10**8,
}


def size_category(rows: int) -> str:
    """The hub's name for a number of rows."""
    return next((name for name, border in SIZES.items() if rows < border), "100M<n<1B")


def configurations() -> list[Row]:
    """What the hub's viewer and `load_dataset` find: the parquet files. One repository is read by one builder, so that
    JSONL files cannot be a second configuration of it (datasets 5.2)."""
    files = [{"split": split, "path": f"messages/{split}.parquet"} for split in ("train", "test")]
    return [{"config_name": "messages", "data_files": files, "default": True}]


def license_text(parts: dict[str, int]) -> str:
    """How many rows are under which licence."""
    told = ", ".join(f"{code(name)} ({count:,} rows)" for name, count in parts.items())
    if len(parts) == 1:
        return f"All rows: {told}."
    return f"The rows have several licences: {told}."


def main(argv: list[str] | None = None) -> None:
    """Write the card of the data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="run, teacher, included, as JSON")
    parser.add_argument("--decontamination", required=True, type=Path, help="statistics of the decontamination")
    parser.add_argument("--dataset", required=True, type=Path, help="statistics of the data set")
    parser.add_argument("--parquet", required=True, type=Path, nargs="+", help="parquet files of split_dataset")
    parser.add_argument("--card", required=True, type=Path, help="Markdown file to write")
    args = parser.parse_args(argv)

    settings = args.settings
    rows = cards.read_rows(args.parquet)
    parts = cards.license_counts(rows)
    name = f"capybara-{settings['run']}"
    data = DatasetCardData(
        pretty_name=name,
        # Synthesis and cleaning keep English alone; a file that came in finished was not checked.
        language=None if settings["included"] else "en",
        **card_license(parts),
        size_categories=size_category(len(rows)),
        task_categories=["text-generation"],
        source_datasets=cards.hub_names(row["dataset"] for row in rows) or None,
        tags=["capybara", "amplify-instruct", "multi-turn", "synthetic"],
        configs=configurations(),
    )
    card = cards.render(
        DatasetCard,
        data,
        package_file("release/templates/data_card.md.jinja"),
        name=plain(name),
        teacher=code(settings["teacher"]["model"]),
        dataset=read_json(args.dataset),
        exchanges=f"{sum(row['messages'] for row in rows) / 2 / max(len(rows), 1):.1f}",
        languages="Finished conversations that were taken in from files were not checked for their language."
        if settings["included"]
        else "The language is English, as far as a detector tells.",
        sources=cards.source_rows(rows),
        licenses=license_text(parts),
        restrictions=cards.restriction_text(parts),
        contamination=cards.contamination(read_json(args.decontamination)),
    )
    write_text(args.card, card)
    logging.info("%s", args.card)


if __name__ == "__main__":
    run(main)

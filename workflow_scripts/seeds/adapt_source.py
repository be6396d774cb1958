"""Convert the published rows of one source to seeds."""

import argparse
import json
import logging
from pathlib import Path

import pyarrow as pa

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.parquet_files import ROW, parquet_tables, read_schema
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import content_id, read_json, write_json
from workflow_scripts.common.tables import RejectedWriter, TableWriter
from workflow_scripts.common.types import Config, Rejected, Row
from workflow_scripts.seeds.columns import WrongType
from workflow_scripts.seeds.layouts import adapt, needed_columns
from workflow_scripts.seeds.schema import SEED


def adapt_table(
    table: pa.Table, first: int, source: Config, origin: Row, names: list[str]
) -> tuple[pa.Table, list[Rejected]]:
    """The seeds of a table whose first row has number `first` (from 1), and the rows that contain no seed.

    `names` are all columns of the source, for the message about a missing one. Raises UserError for a missing column or a wrong type.
    """
    numbers = table.column(ROW).to_pylist() if ROW in table.column_names else range(first, first + table.num_rows)
    where = f"seed source {source['id']} ({origin['dataset']})"
    try:
        seeds, rejected = adapt(table, source, origin, first)
    except KeyError as error:
        raise UserError(
            f"{where}: no column {error.args[0]}, which the layout `{source['layout']}` needs; the columns are "
            f"{', '.join(names)}. Name yours under `columns` of the source, or choose another `layout`."
        ) from error
    except WrongType as error:
        row = "" if error.row is None else f", row {numbers[error.row]}"
        raise UserError(
            f"{where}{row}: {error}. Name another column under `columns` of the source, or fix the file."
        ) from error
    provenance = {"dataset": origin["dataset"], "revision": origin["revision"], "license": source["license"]}
    return seeds, [
        {
            "id": content_id(source["id"], numbers[row]),
            "reason": reason,
            "evidence": {"source": source["label"], "file": origin["dataset"], "row": numbers[row]},
            "source": source["label"],
            "conversation": [{"input": row_text(table, row), "output": ""}],
            "provenance": provenance | {"row": numbers[row]},
        }
        for row, reason in rejected
    ]


def row_text(table: pa.Table, row: int) -> str:
    """A published row as text, for the pages that show it: a line for each column that is not empty."""
    [values] = table.slice(row, 1).to_pylist()
    return "\n".join(
        f"{name}: {value}" for name, value in values.items() if name != ROW and value not in (None, "", [])
    )


def main(argv: list[str] | None = None) -> None:
    """Write the seeds of the source, the rows that contain none, and the number of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="the source's entry in the config, as JSON")
    parser.add_argument("--rows", required=True, type=Path, help="parquet file of fetch_source")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file of fetch_source")
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--counts", required=True, type=Path, help="JSON file to write: rows, seeds, rejected")
    args = parser.parse_args(argv)

    origin = read_json(args.origin)
    done = 0
    with (
        TableWriter(args.seeds, SEED) as seeds,
        RejectedWriter(args.rejected) as rejected,
        progress(origin["rows"], f"reading {args.settings['id']}", "row") as bar,
    ):
        names = read_schema(args.rows).names
        for table in parquet_tables(args.rows, needed_columns(names, args.settings)):
            adapted, unreadable = adapt_table(table, done + 1, args.settings, origin, names)
            seeds.write(adapted)
            rejected.add(unreadable)
            done += table.num_rows
            bar.update(table.num_rows)
    counts = {"source": args.settings["label"], "rows": done, "seeds": seeds.rows, "rejected": rejected.rows}
    write_json(args.counts, counts)
    logging.info("%s: %d rows, %d seeds, %d rows rejected", args.settings["id"], done, seeds.rows, rejected.rows)


if __name__ == "__main__":
    run(main)

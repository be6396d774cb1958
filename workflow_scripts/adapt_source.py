"""Read one source's rows, in their published layout, into seeds."""

import argparse
import json
import logging
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import Row, content_id, read_json, write_jsonl
from workflow_scripts.common.stage import Rejections
from workflow_scripts.seeds.layouts import Unreadable, adapt


def adapt_rows(rows: list[Row], source: Row, origin: Row) -> tuple[list[Row], Rejections]:
    """Seeds in the rows' order, and the rows that hold none. UserError for a missing column or a wrong type."""
    seeds, rejections = [], Rejections()
    for number, row in enumerate(rows, 1):
        where = f"seed source {source['id']} ({origin['dataset']}), row {number}"
        try:
            seeds.append(adapt(row, source, origin))
        except KeyError as error:
            raise UserError(
                f"{where}: no column {error.args[0]}, which the layout `{source['layout']}` needs; "
                f"there are {', '.join(row)}. Choose another `layout` in the config."
            ) from error
        except TypeError as error:
            raise UserError(f"{where}: {error}. Mend the row.") from error
        except Unreadable as error:
            rejections.add(content_id(row), str(error), {"source": source["label"], "row": number})
    return seeds, rejections


def main(argv: list[str] | None = None) -> None:
    """Write the source's seeds and the rows that hold none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="the source's entry in the config, as JSON")
    parser.add_argument("--rows", required=True, type=Path, help="parquet file that fetch_source wrote")
    parser.add_argument("--origin", required=True, type=Path, help="JSON file that fetch_source wrote")
    parser.add_argument("--seeds", required=True, type=Path, help="JSONL file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="JSONL file to write")
    args = parser.parse_args(argv)

    seeds, rejections = adapt_rows(pq.read_table(args.rows).to_pylist(), args.settings, read_json(args.origin))
    write_jsonl(args.seeds, seeds)
    write_jsonl(args.rejected, rejections.rows)
    logging.info("%s: %d seeds, %d rows without one", args.settings["id"], len(seeds), len(rejections.rows))


if __name__ == "__main__":
    run(main)

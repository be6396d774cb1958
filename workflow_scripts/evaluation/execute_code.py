"""Run a model's HumanEval completions in a sandbox and score them: pass@1 of one greedy completion."""

import argparse
import json
import logging
import math
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.progress import progress
from workflow_scripts.common.rows import read_json, write_json
from workflow_scripts.evaluation import sandbox

METRIC = "pass@1"
PROGRAM_SECONDS = 10.0  # timeout of a program with its tests; HumanEval's harness allows 3 on an idle machine


def standard_error(outcomes: list[bool]) -> float | None:
    """Standard error of the share that passed, as lm-eval computes it for a mean; None for a single item."""
    count, share = len(outcomes), sum(outcomes) / len(outcomes)
    return math.sqrt(share * (1 - share) / (count - 1)) if count > 1 else None


def main(argv: list[str] | None = None) -> None:
    """Write the result and the items with pass@1 and the outcome of each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", required=True, type=Path, help="JSON file of evaluate_task")
    parser.add_argument("--table", required=True, type=Path, help="its parquet file of items")
    parser.add_argument("--threads", required=True, type=int, help="programs that run concurrently")
    parser.add_argument("--executed", required=True, type=Path, help="JSON file to write")
    parser.add_argument("--executed-table", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    sandbox.check()
    items = pq.read_table(args.table)
    documents = map(json.loads, items["document"].to_pylist())
    completions = [outputs[0] for outputs in items["outputs"].to_pylist()]
    with progress(len(completions), "executing", "program") as bar, ThreadPoolExecutor(args.threads) as pool:
        outcomes = []
        for outcome in pool.map(sandbox.run_program, documents, completions, repeat(PROGRAM_SECONDS)):
            outcomes.append(outcome)
            bar.update()
    passed = [outcome == "passed" for outcome in outcomes]
    result = read_json(args.result)
    (values,) = result["results"].values()
    values |= {f"{METRIC},none": sum(passed) / len(passed), f"{METRIC}_stderr,none": standard_error(passed)}
    args.executed_table.parent.mkdir(parents=True, exist_ok=True)
    outputs_with_end = [
        [*outputs, f"ended: {outcome}"] for outputs, outcome in zip(items["outputs"].to_pylist(), outcomes, strict=True)
    ]
    items = items.set_column(
        items.column_names.index("outputs"), "outputs", pa.array(outputs_with_end, pa.list_(pa.string()))
    )
    items = items.append_column(METRIC, pa.array(passed).cast(pa.float64()))
    pq.write_table(items, args.executed_table, compression="zstd")
    write_json(args.executed, result)
    logging.info("%d of %d passed", sum(passed), len(passed))


if __name__ == "__main__":
    run(main)

"""Compare conversations of a scripted teacher with the released ones, property by property, at the size of a batch.

    python -m tests.benchmarks.released_figures --seeds 2000                # Amplify-Instruct alone
    python -m tests.benchmarks.released_figures --seeds 2000 --recipe       # with the techniques of the V1 preset
    python -m tests.benchmarks.released_figures --seeds 500 --careless      # a teacher that ignores the prompts

The settings are those of presets/capybara-7b-v1.yaml. The texts have no meaning: the benchmark shows that draws, prompts, checks
and metrics work together, not that a teacher writes well. Prints a table and the warnings of `collect_synthesis`. Exits with 1 if
a teacher that follows the prompts is off target, or a careless one causes no warning.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.support.simulated_synthesis import generate, make_seeds
from workflow_scripts.config.files import merged_config
from workflow_scripts.report.released import tables
from workflow_scripts.synthesis.comparison import compare, off_target
from workflow_scripts.synthesis.metrics import describe

PRESET = Path("presets/capybara-7b-v1.yaml")


def main() -> None:
    """Generate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=2000, help="number of seeds")
    parser.add_argument("--recipe", action="store_true", help="use the preset's techniques, not Amplify-Instruct alone")
    parser.add_argument("--careless", action="store_true", help="use a teacher that ignores the prompts")
    args = parser.parse_args()
    settings = merged_config([PRESET])["synthesis"]
    if not args.recipe:
        settings["recipe"] = [{"path": ["amplify"], "weight": 1}]
    rows, lost, faults = generate(make_seeds(args.seeds), settings, args.careless)
    compared, described = compare(rows), describe(rows)
    print(f"{args.seeds} seeds, {len(rows)} conversations, lost: {dict(lost)}")
    print(f"faults: {dict(faults.most_common())}")
    for title, figures in tables(compared["all"]):
        print(f"\n{title}")
        for row in figures:
            mark = "OFF " if row["off"] else "    "
            print(
                f"  {mark}{row['text']:52}{row['value']:>9}{row['interval']:>18}{row['released']:>9}   target {row['target']}"
            )
    print("\nMoves by kind of request")
    for kind, moves in described["moves_by_kind"].items():
        print(f"  {kind}: {dict(Counter(moves).most_common())}")
    warnings = off_target(compared)
    print("\n" + "\n".join(["warnings:", *warnings] if warnings else ["no warnings"]))
    sys.exit(bool(warnings) != args.careless)


if __name__ == "__main__":
    main()

"""Precision and recall of each cleaning rule on rows written for this project.

    python -m tests.benchmarks.cleaning_rules [--errors] [--write] [FILE.parquet ...]

The rows are in cleaning_rows.yaml; every rule reads every row, so a row of one rule is also a negative of the others.
With parquet files of real rows (columns instruction/prompt/message_1 and response/output/message_2), it also cuts
their answers at a random word and prints the share of cut and of whole answers that `truncated` reports.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from workflow_scripts.common.rows import write_text
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.seeds.cleaning.rules import OPTIONAL_RULES, RULES, first_faults

ROWS = Path(__file__).with_name("cleaning_rows.yaml")
MEASURED = Path("workflow_scripts/seeds/cleaning/measured.yaml")
HEADER = "# Precision and recall of the cleaning rules: `python -m tests.benchmarks.cleaning_rules --write`. A test compares them.\n\n"
ASKED, ANSWERED = ("instruction", "prompt", "message_1"), ("response", "output", "message_2")
# A model that refuses speaks of itself: of these two rules, a row of one is no negative of the other.
VOICE = {"self_reference", "refusal"}
MIN_WHOLE_CHARS = 300  # of a real answer that is cut


@dataclass(frozen=True)
class Labelled:
    """An answer, what was asked, and the rule that it breaks, if any."""

    rule: str
    asked: str
    text: str
    faulty: bool


def labelled_rows() -> list[Labelled]:
    """The rows of cleaning_rows.yaml."""
    return [
        Labelled(rule, asked, text, kind == "faulty")
        for rule, kinds in read_yaml(ROWS).items()
        for kind, rows in kinds.items()
        for asked, text in rows
    ]


def broken_rules(rows: list[Labelled]) -> list[set[str]]:
    """The rules that each answer breaks, each rule applied alone."""
    texts, answers = pa.array([row.text for row in rows]), np.ones(len(rows), dtype=bool)
    broken: list[set[str]] = [set() for _ in rows]
    for rule in set(RULES) - OPTIONAL_RULES:
        faults = first_faults(texts, answers, [rule], lambda number: rows[number].asked)
        for number, fault in enumerate(faults):
            if fault is not None:
                broken[number].add(rule)
    return broken


@dataclass(frozen=True)
class Score:
    """The errors of one rule, and its true positives and faulty rows."""

    false_positives: list[Labelled]
    missed: list[Labelled]
    hits: int
    faulty: int

    @property
    def precision(self) -> float:
        """True positives of all that the rule reports, 0 to 1."""
        reported = self.hits + len(self.false_positives)
        return self.hits / reported if reported else 1.0

    @property
    def recall(self) -> float:
        """Reported of all faulty rows, 0 to 1."""
        return self.hits / self.faulty


def scores(rows: list[Labelled]) -> dict[str, Score]:
    """The score of each rule that has rows."""
    found = list(zip(rows, broken_rules(rows), strict=True))
    return {
        rule: Score(
            [
                row
                for row, broken in found
                if rule in broken and not (row.faulty and (row.rule == rule or {row.rule, rule} == VOICE))
            ],
            [row for row, broken in found if row.faulty and row.rule == rule and rule not in broken],
            sum(row.faulty and row.rule == rule and rule in broken for row, broken in found),
            sum(row.faulty and row.rule == rule for row in rows),
        )
        for rule in dict.fromkeys(row.rule for row in rows)
    }


def figures(rows: list[Labelled], found: dict[str, Score]) -> dict:
    """The content of measured.yaml."""
    rules = {
        rule: {"faulty": score.faulty, "precision": round(score.precision, 3), "recall": round(score.recall, 3)}
        for rule, score in found.items()
    }
    return {"rows": len(rows), "rules": rules}


def cut_answers(file: Path) -> tuple[int, int, int]:
    """(answers, whole ones reported as truncated, cut ones reported) of a parquet file."""
    table = pq.read_table(file)
    asked, answered = (
        table[next(name for name in names if name in table.column_names)].to_pylist() for names in (ASKED, ANSWERED)
    )
    pairs = [(a, b) for a, b in zip(asked, answered, strict=True) if a and b and len(b) >= MIN_WHOLE_CHARS]
    rng = np.random.default_rng(0)
    cut = []
    for _, text in pairs:
        spaces = [place for place, character in enumerate(text) if character == " " and place > len(text) / 3]
        cut.append(text[: rng.choice(spaces)])

    def reported(texts: list[str]) -> int:
        found = first_faults(
            pa.array(texts), np.ones(len(texts), dtype=bool), ["truncated"], lambda number: pairs[number][0]
        )
        return sum(fault is not None for fault in found)

    return len(pairs), reported([text for _, text in pairs]), reported(cut)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="parquet files of real rows, for `truncated`")
    parser.add_argument("--errors", action="store_true", help="print the rows on which a rule is wrong")
    parser.add_argument("--write", action="store_true", help=f"write the figures to {MEASURED}, for the report")
    args = parser.parse_args()

    rows = labelled_rows()
    counts = Counter(row.rule for row in rows)
    print(f"{len(rows)} rows, {sum(row.faulty for row in rows)} of them faulty")
    print(f"{'rule':22}{'rows':>6}{'faulty':>8}{'precision':>11}{'recall':>8}")
    found = scores(rows)
    if args.write:
        write_text(MEASURED, HEADER + yaml.safe_dump(figures(rows, found), sort_keys=False))
    for rule, score in found.items():
        print(f"{rule:22}{counts[rule]:6}{score.faulty:8}{score.precision:11.3f}{score.recall:8.3f}")
        if args.errors:
            for kind, wrong in (("false positive", score.false_positives), ("missed", score.missed)):
                for row in wrong:
                    print(f"    {kind}: {row.asked[:60]!r} {row.text[-140:]!r}")
    for file in args.files:
        answers, whole, cut = cut_answers(file)
        print(f"{file.stem}: {answers} answers, truncated reports {whole / answers:.1%} whole, {cut / answers:.1%} cut")


if __name__ == "__main__":
    main()

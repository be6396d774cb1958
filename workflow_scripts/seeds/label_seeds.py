"""Label every seed with FLASK's skills, domain and difficulty (arXiv 2307.10928)."""

import argparse
import contextlib
import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.types import Row
from workflow_scripts.seeds.asking import AskAll, AskOne, asking, reject_failed
from workflow_scripts.seeds.embedding import embed, load_embedder, vectors
from workflow_scripts.seeds.labels.classifier import Classifier
from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.seeds.labels.teacher import label
from workflow_scripts.seeds.schema import CONFIDENCE
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.servers import serve
from workflow_scripts.teacher.structured import Ask

LABEL_TYPES = {"domain": pa.string(), "skills": pa.list_(pa.string()), "difficulty": pa.string()}
Labeller = AskAll


def labelled_schema(path: Path) -> pa.Schema:
    """The columns of the seeds and the confidence; label columns have the types of `LABEL_TYPES`."""
    fields = pq.read_schema(path).remove_metadata()
    return pa.schema([*(pa.field(field.name, LABEL_TYPES.get(field.name, field.type)) for field in fields), CONFIDENCE])


def no_labels(seeds: pa.Table) -> list[Row | Exception]:
    """Null labels for every row."""
    return [{**dict.fromkeys(LABEL_TYPES), "confidence": 1.0}] * seeds.num_rows


def by_classifier(model_name: str) -> Labeller:
    """A labeller that uses the offline classifier. The model embeds its examples and rows without a vector."""
    if not model_name:
        raise UserError(
            "`seeds.labels.by: classifier` needs an embedding model. Set `seeds.embedding.model`, or choose teacher or none."
        )
    model = load_embedder(model_name)

    def embed_function(texts: list[str]) -> np.ndarray:
        return embed(model, texts)

    classifier = Classifier(load_grid(), embed_function)
    dimensions = embed_function([""]).shape[1]

    def labeller(seeds: pa.Table) -> list[Row | Exception]:
        labels = classifier.classify(vectors(seeds, embed_function, dimensions))
        rows = zip(labels.domain, labels.skills, labels.difficulty, labels.probability, strict=True)
        return [dict(zip((*LABEL_TYPES, "confidence"), row, strict=True)) for row in rows]

    return labeller


def by_teacher(sampling: Row) -> AskOne:
    """A function that asks the teacher for the labels of one seed, which are not weighted by a confidence."""
    grid = load_grid()

    async def label_one(ask: Ask, text: str, seed: Row) -> Row:
        return {**await label(ask, text, grid, sampling), "confidence": 1.0}

    return label_one


def fill(seeds: pa.Table, labels: list[Row]) -> pa.Table:
    """The seeds with their labels and the confidence in the domain. Labels that a seed already has are kept."""
    known_domain = seeds["domain"].is_valid()
    confidence = pa.array([row["confidence"] for row in labels], pa.float32())
    seeds = seeds.append_column(CONFIDENCE, pc.if_else(known_domain, pa.scalar(1.0, pa.float32()), confidence))
    for name, kind in LABEL_TYPES.items():
        known, new = seeds[name].cast(kind), pa.array([row[name] for row in labels], kind)
        seeds = seeds.set_column(seeds.column_names.index(name), name, pc.coalesce(known, new))
    return seeds


def label_all(args: argparse.Namespace, labeller: Labeller, bar: tqdm) -> None:
    """Write the labelled seeds in their order, and the seeds that could not be labelled."""
    domains: Counter[str | None] = Counter()
    with (
        TableWriter(args.labelled, labelled_schema(args.seeds)) as labelled,
        RejectedWriter(args.rejected) as rejected,
    ):
        for seeds in batches(args.seeds):
            kept, labels = reject_failed(seeds, labeller(seeds), "unlabelled", rejected)
            filled = fill(seeds.filter(pa.array(kept)), labels)
            labelled.write(filled)
            domains.update(filled["domain"].to_pylist())
            bar.update(labelled.rows + rejected.rows - bar.n)
    logging.info(
        "%d seeds labelled, %d rejected; domains %s", labelled.rows, rejected.rows, dict(domains.most_common())
    )


def main(argv: list[str] | None = None) -> None:
    """Write the labelled seeds, and those that could not be labelled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of deduplicate_semantic")
    parser.add_argument("--settings", required=True, type=json.loads, help="`seeds.labels` of the config, as JSON")
    parser.add_argument(
        "--embedding-model", required=True, help="embedding model of embed_seeds; used by the classifier"
    )
    add_teacher_arguments(parser)
    parser.add_argument("--labelled", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    total = count_rows([args.seeds])
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress(total, "labelling seeds", "seed"))
        labeller: Labeller
        match args.settings["by"]:
            case "none":
                labeller = no_labels
            case "classifier":
                labeller = by_classifier(args.embedding_model) if total else no_labels
            case "teacher":
                teacher = stack.enter_context(
                    serve(args.teacher, args.threads, args.teacher_folder / "servers" / "label_seeds.log")
                )
                task = ("label", "`seeds.labels.by` to classifier")
                cache = args.teacher_folder / "cache"
                labeller = stack.enter_context(
                    asking(teacher, args.teacher, cache, total, bar, by_teacher(args.settings["sampling"]), task)
                )
            case other:
                raise UserError(f"`seeds.labels.by` is {other!r}. Use classifier, teacher or none.")
        label_all(args, labeller, bar)


if __name__ == "__main__":
    run(main)

"""Score every seed's complexity and quality (DEITA, arXiv 2312.15685), and number the clusters of its source."""

import argparse
import contextlib
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import RejectedWriter, TableWriter, batches, count_rows
from workflow_scripts.common.types import Row
from workflow_scripts.seeds.asking import AskAll, AskOne, asking, reject_failed
from workflow_scripts.seeds.embedding import embed, embedded_text, load_embedder, vectors
from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.seeds.schema import SCORES
from workflow_scripts.seeds.scores.model import Scorer
from workflow_scripts.seeds.scores.teacher import score
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.servers import serve
from workflow_scripts.teacher.structured import Ask

MAX_CLUSTERS = 64  # of a source
ROWS_PER_CLUSTER = 20
NO_SCORES = {"complexity": None, "quality": None, "reason": None}


def no_scores(seeds: pa.Table) -> list[Row | Exception]:
    """Null scores for every row."""
    return [dict(NO_SCORES)] * seeds.num_rows


def by_model(model_name: str) -> AskAll:
    """A function that scores a table with the offline models."""
    if not model_name:
        raise UserError(
            "`seeds.scores.by: model` needs an embedding model. Set `seeds.embedding.model`, or choose none."
        )
    model = load_embedder(model_name)

    def embed_function(texts: list[str]) -> np.ndarray:
        return embed(model, texts)

    scorer = Scorer(load_grid(), embed_function)
    dimensions = embed_function([""]).shape[1]

    def score_table(seeds: pa.Table) -> list[Row | Exception]:
        complexity = scorer.complexity(vectors(seeds, embed_function, dimensions))
        quality = scorer.quality(embedded_text(seeds).to_pylist(), seeds["response"].to_pylist())
        return [
            {"complexity": float(one), "quality": None if math.isnan(other) else float(other), "reason": None}
            for one, other in zip(complexity.round(2), quality.round(2), strict=True)
        ]

    return score_table


def by_teacher(sampling: Row) -> AskOne:
    """A function that asks the teacher for the scores of one seed."""

    async def score_one(ask: Ask, text: str, seed: Row) -> Row:
        scores = await score(ask, text, seed["response"], sampling)
        return scores if seed["response"] else {**scores, "quality": None}  # the teacher will write the answer

    return score_one


def clusters(path: Path) -> np.ndarray:
    """The cluster of each seed among those of its source (k-means of the embeddings), from 0, shape (rows,).

    Seeds without an embedding are in cluster 0. Independent of the number of threads.
    """
    import faiss

    table = pq.read_table(path, columns=["source", "embedding"])
    sources = np.array(table["source"].to_pylist(), dtype=object)
    found = np.zeros(len(sources), dtype=np.int64)
    embedded = table["embedding"].is_valid().to_numpy()
    faiss.omp_set_num_threads(1)
    for source in sorted(set(sources)):
        rows = np.flatnonzero((sources == source) & embedded)
        count = min(MAX_CLUSTERS, len(rows) // ROWS_PER_CLUSTER)
        if count < 2:
            continue
        matrix = np.stack(table["embedding"].take(pa.array(rows)).to_numpy()).astype(np.float32)
        means = faiss.Kmeans(matrix.shape[1], count, seed=0, niter=20, spherical=True)
        means.train(matrix)
        found[rows] = means.index.search(matrix, 1)[1][:, 0]
    return found


def score_all(args: argparse.Namespace, score_table: Callable[[pa.Table], list[Row | Exception]]) -> None:
    """Write the scored seeds in their order without the embedding, and the seeds that could not be scored."""
    schema = pq.read_schema(args.seeds).remove_metadata()
    schema = pa.schema([field for field in schema if field.name != "embedding"] + list(SCORES))
    numbers = clusters(args.seeds) if args.settings["clusters"] else np.zeros(count_rows([args.seeds]), dtype=np.int64)
    done = 0
    with (
        TableWriter(args.scored, schema) as scored,
        RejectedWriter(args.rejected) as rejected,
        progress(len(numbers), "scoring seeds", "seed") as bar,
    ):
        for seeds in batches(args.seeds):
            kept, scores = reject_failed(seeds, score_table(seeds), "unscored", rejected)
            own = numbers[done : done + seeds.num_rows][kept]
            done += seeds.num_rows
            fit = seeds.drop_columns("embedding").filter(pa.array(kept))
            for field in SCORES:
                column = own if field.name == "cluster" else [row[field.name] for row in scores]
                fit = fit.append_column(field, pa.array(column, field.type))
            scored.write(fit)
            bar.update(done - bar.n)
    logging.info("%d seeds scored, %d rejected", scored.rows, rejected.rows)


def main(argv: list[str] | None = None) -> None:
    """Write the scored seeds, and those that could not be scored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of label_seeds")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="by, and whether to number clusters, as JSON"
    )
    parser.add_argument("--embedding-model", required=True, help="embedding model of embed_seeds; used by the model")
    add_teacher_arguments(parser)
    parser.add_argument("--scored", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    total = count_rows([args.seeds])
    with contextlib.ExitStack() as stack:
        match args.settings["by"]:
            case "none":
                score_table: AskAll = no_scores
            case "model":
                score_table = by_model(args.embedding_model) if total else no_scores
            case "teacher":
                teacher = stack.enter_context(
                    serve(args.teacher, args.threads, args.teacher_folder / "servers" / "score_seeds.log")
                )
                bar = stack.enter_context(progress(total, "asking for scores", "seed"))
                task = ("score", "`seeds.scores.by` to model")
                cache = args.teacher_folder / "cache"
                score_table = stack.enter_context(
                    asking(teacher, args.teacher, cache, total, bar, by_teacher(args.settings["sampling"]), task)
                )
            case other:
                raise UserError(f"`seeds.scores.by` is {other!r}. Use model, teacher or none.")
        score_all(args, score_table)


if __name__ == "__main__":
    run(main)

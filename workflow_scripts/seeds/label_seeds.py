"""Label every seed in FLASK's terms: skills, domain, difficulty."""

import argparse
import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
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
from workflow_scripts.seeds.embed_seeds import embedded_text
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.seeds.labels.classifier import Classifier
from workflow_scripts.seeds.labels.grid import load_grid
from workflow_scripts.seeds.labels.teacher import LabelError, label
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient, TeacherError
from workflow_scripts.teacher.runtime_settings import shared_limits
from workflow_scripts.teacher.servers import Teacher, serve

FILLED = {"domain": pa.string(), "skills": pa.list_(pa.string()), "difficulty": pa.string()}
SHOWN = 3000  # characters of a seed that its teacher sees, so that the question fits into 2048 tokens

# The labels of each row of a table, or what went wrong with it.
Labeller = Callable[[pa.Table], list[Row | Exception]]


def labelled_schema(path: Path) -> pa.Schema:
    """The seeds' own columns without the embedding, those that are filled in their own types."""
    fields = [field for field in pq.read_schema(path).remove_metadata() if field.name != "embedding"]
    return pa.schema([pa.field(field.name, FILLED.get(field.name, field.type)) for field in fields])


def nothing(seeds: pa.Table) -> list[Row | Exception]:
    """No label for any row."""
    return [dict.fromkeys(FILLED)] * seeds.num_rows


def vectors(seeds: pa.Table, embed_function: Callable[[list[str]], np.ndarray], dimensions: int) -> np.ndarray:
    """Unit vectors, float32, shape (rows, dimensions): the stored ones, and new ones for rows that have none."""
    stored = seeds["embedding"].combine_chunks()
    has = stored.is_valid().to_numpy(zero_copy_only=False)
    made = np.empty((seeds.num_rows, dimensions), dtype=np.float32)
    if has.any():
        flat = pc.list_flatten(stored.drop_null()).to_numpy(zero_copy_only=False)
        if len(flat) != has.sum() * dimensions:
            raise UserError(
                f"the seeds' embeddings have {len(flat) / has.sum():g} dimensions, the embedding model's {dimensions}: "
                "they come from another model. Delete the embedded seeds and run again."
            )
        made[has] = flat.reshape(-1, dimensions)
    if not has.all():
        made[~has] = embed_function(embedded_text(seeds.filter(pa.array(~has))).to_pylist())
    return made


def by_classifier(model_name: str) -> Labeller:
    """Labels by the offline classifier; the model embeds its examples and the rows that have no vector yet."""
    if not model_name:
        raise UserError("`seeds.labels.by: classifier` needs an embedding model. Name one, or choose teacher or none.")
    model = load_embedder(model_name)

    def embed_function(texts: list[str]) -> np.ndarray:
        return embed(model, texts)

    classifier = Classifier(load_grid(), embed_function)
    dimensions = embed_function([""]).shape[1]

    def labeller(seeds: pa.Table) -> list[Row | Exception]:
        found = classifier.classify(vectors(seeds, embed_function, dimensions))
        rows = zip(found.domain, found.skills, found.difficulty, strict=True)
        return [dict(zip(FILLED, row, strict=True)) for row in rows]

    return labeller


@contextlib.contextmanager
def by_teacher(teacher: Teacher, settings: Row, cache: Path, seeds_in_all: int, bar: tqdm) -> Iterator[Labeller]:
    """Labels by the teacher; it raises UserError past the configured rate of seeds that it cannot label."""
    client = TeacherClient(teacher.base_url, teacher.model, settings, RequestCache(cache), identity=teacher.identity)
    grid = load_grid()
    # Only so many seeds at once: a teacher that answers none is then noticed after a few, not after a whole table.
    seats = asyncio.Semaphore(settings["concurrency"])
    failures = 0

    async def one(text: str) -> Row | Exception:
        nonlocal failures
        async with seats:
            try:
                return await label(client.ask, text[:SHOWN], grid)
            except (LabelError, TeacherError) as error:
                failures += 1
                if failures > settings["max_failure_rate"] * seeds_in_all:
                    raise UserError(
                        f"the teacher at {teacher.base_url} could not label {failures} of {seeds_in_all} seeds (at last: "
                        f"{error}), more than `teacher.max_failure_rate` allows. Mend the teacher, or set `seeds.labels.by` "
                        "to classifier, and run again: finished requests are kept."
                    ) from error
                return error
            finally:
                bar.set_postfix_str(f"{client.usage.requests} requests, {client.usage.cached} cached")
                bar.update()

    async def all_of(texts: list[str]) -> list[Row | Exception]:
        return await asyncio.gather(*(one(text) for text in texts))

    with asyncio.Runner() as runner:
        try:
            yield lambda seeds: runner.run(all_of(embedded_text(seeds).to_pylist()))
        finally:
            runner.run(client.close())


def fill(seeds: pa.Table, found: list[Row]) -> pa.Table:
    """The seeds with their labels; what was known of a seed stays."""
    for name, kind in FILLED.items():
        known, new = seeds[name].cast(kind), pa.array([labels[name] for labels in found], kind)
        seeds = seeds.set_column(seeds.column_names.index(name), name, pc.coalesce(known, new))
    return seeds


def label_all(args: argparse.Namespace, labeller: Labeller, bar: tqdm) -> None:
    """Write the labelled seeds in the order they came in, and those without labels."""
    domains: Counter[str | None] = Counter()
    with (
        TableWriter(args.labelled, labelled_schema(args.seeds)) as labelled,
        RejectedWriter(args.rejected) as rejected,
    ):
        for seeds in batches(args.seeds):
            found = labeller(seeds)
            failed = np.array([isinstance(labels, Exception) for labels in found], dtype=bool)
            for row in np.flatnonzero(failed):
                evidence = {"source": seeds["source"][int(row)].as_py(), "error": str(found[row])}
                rejected.add([(seeds["id"][int(row)].as_py(), "unlabelled", evidence)])
            filled = fill(seeds.filter(pa.array(~failed)), [found[row] for row in np.flatnonzero(~failed)])
            labelled.write(filled)
            domains.update(filled["domain"].to_pylist())
            bar.update(labelled.rows + rejected.rows - bar.n)
    logging.info("%d seeds labelled, %d not: %s", labelled.rows, rejected.rows, dict(domains.most_common()))


def main(argv: list[str] | None = None) -> None:
    """Write the labelled seeds and the rejected ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", required=True, type=Path, help="parquet file of deduplicate_meanings")
    parser.add_argument("--settings", required=True, type=json.loads, help="`seeds.labels` of the config, as JSON")
    parser.add_argument("--embedding-model", required=True, help="the model of embed_seeds, for the classifier")
    parser.add_argument("--teacher", required=True, type=json.loads, help="which teacher, from `teacher` of the config")
    parser.add_argument("--server-log", required=True, type=Path, help="file for what a server started here has to say")
    parser.add_argument("--threads", required=True, type=int, help="threads for a teacher that runs in this job")
    parser.add_argument(
        "--cache", required=True, type=Path, help="folder of finished requests; shared, and kept when the job fails"
    )
    parser.add_argument("--labelled", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--rejected", required=True, type=Path, help="parquet file to write")
    args = parser.parse_args(argv)

    args.teacher |= shared_limits() if args.settings["by"] == "teacher" else {}
    total = count_rows([args.seeds])
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress(total, "labelling seeds", "seed"))
        match args.settings["by"]:
            case "none":
                labeller = nothing
            case "classifier":
                labeller = by_classifier(args.embedding_model) if total else nothing
            case "teacher":
                teacher = stack.enter_context(serve(args.teacher, args.threads, args.server_log))
                labeller = stack.enter_context(by_teacher(teacher, args.teacher, args.cache, total, bar))
            case other:
                raise UserError(f"`seeds.labels.by` is {other!r}. Use classifier, teacher or none.")
        label_all(args, labeller, bar)


if __name__ == "__main__":
    run(main)

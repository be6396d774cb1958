"""Candidates for rephrased benchmark items: passages of conversations whose embeddings are close to those of items.

Edit distance finds no rephrasing. Each passage is compared with all items (faiss, exact inner products); its nearest items
above a similarity are candidates, which a judge may classify (`relations`).
"""

import bisect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.progress import progress
from workflow_scripts.common.published import ASSISTANT_ROLES, SYSTEM_ROLES, TOOL_ROLES
from workflow_scripts.common.tables import TableWriter
from workflow_scripts.common.types import Row
from workflow_scripts.decontamination.corpus import SearchText

# Of a longer turn, passages of at most this length are compared, each beginning half a passage after the last: an item is
# then in the middle of one.
PASSAGE_CHARS = 600
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
NO_REQUEST = ASSISTANT_ROLES | SYSTEM_ROLES | TOOL_ROLES
BATCH_PASSAGES = 2048  # embedded at once
ITEM_SCHEMA = pa.schema(
    [("benchmark", pa.string()), ("item", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32()))]
)
Embed = Callable[[list[str]], np.ndarray]


def item_texts(queries: Iterable[Row]) -> dict[tuple[str, str], str]:
    """{(benchmark, item): text} of the items with a specific text, from the rows of queries.jsonl.

    The text is the question, in tier B with the choices or, without any, with the answer.
    """
    found: dict[str, dict[tuple[str, str], str]] = {
        field: {} for field in ("question", "question+choices", "question+answer")
    }
    for query in queries:
        if query["field"] in found and query["tier"] != "C":
            found[query["field"]].setdefault((query["benchmark"], query["item"]), query["text"])
    return found["question+answer"] | found["question+choices"] | found["question"]


def write_items(path: Path, queries: Iterable[Row], embed: Embed) -> int:
    """Write the vectors of `item_texts`; returns their number."""
    texts = list(item_texts(queries).items())
    with TableWriter(path, ITEM_SCHEMA) as writer, progress(len(texts), "embedding items", "item") as bar:
        for start in range(0, len(texts), BATCH_PASSAGES):
            part = texts[start : start + BATCH_PASSAGES]
            vectors = list(embed([text for _, text in part]))
            rows = [
                {"benchmark": benchmark, "item": item, "text": text, "vector": vector}
                for ((benchmark, item), text), vector in zip(part, vectors, strict=True)
            ]
            writer.write(pa.Table.from_pylist(rows, ITEM_SCHEMA))
            bar.update(len(part))
    return len(texts)


class ItemVectors:
    """The items of `write_items` with an index of their vectors."""

    def __init__(self, path: Path):
        import faiss

        table = pq.read_table(path)
        self.rows = table.drop_columns("vector").to_pylist()
        if self.rows:
            flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            matrix = np.ascontiguousarray(flat.reshape(len(self.rows), -1), dtype=np.float32)
            self._index: Any = faiss.IndexFlatIP(matrix.shape[1])
            self._index.add(matrix)

    def nearest(self, vectors: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosine similarities and numbers of the nearest items of unit vectors, both of shape (vectors, neighbours)."""
        similarities, numbers = self._index.search(
            np.ascontiguousarray(vectors, dtype=np.float32), min(neighbours, len(self.rows))
        )
        return similarities, numbers


def passages(text: str) -> list[tuple[int, int]]:
    """[start, end) of the passages of a text: the whole text, or pieces of whole sentences if it is long."""
    if len(text) <= PASSAGE_CHARS:
        return [(0, len(text))] if text.strip() else []
    half = PASSAGE_CHARS // 2
    borders = [0]
    for end in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        borders += range(borders[-1] + half, end, half)  # within a sentence that is longer than half a passage
        borders.append(end)
    found, first, last = [], 0, 0
    while last < len(borders) - 1:
        last = bisect.bisect_right(borders, borders[first] + PASSAGE_CHARS) - 1
        found.append((borders[first], borders[last]))
        first = min(bisect.bisect_left(borders, borders[first] + half), last)
    return found


def candidates(
    texts: Iterable[SearchText], items: ItemVectors, embed: Embed, neighbours: int, min_similarity: float, answers: bool
) -> Iterator[Row]:
    """{id, row, source, turn, role, start, end, benchmark, item, similarity, item_text, found_text} of each close pair.

    In order of the texts; of each text and item the most similar passage. `neighbours` is the number of items that are
    considered for a passage, `answers` whether answers are compared as well as requests.
    """
    if not items.rows:
        return
    for batch in _batches(texts, answers):
        places = [(place, turn, span) for place, (_, spans) in enumerate(batch) for turn, span in spans]
        if not places:
            continue
        vectors = embed([batch[place][0].turns[turn][1][start:end] for place, turn, (start, end) in places])
        similarities, numbers = items.nearest(vectors, neighbours)
        best: dict[tuple[int, int], tuple[float, int, tuple[int, int]]] = {}  # by text and item
        for (place, turn, span), row_similarities, row_numbers in zip(places, similarities, numbers, strict=True):
            for similarity, number in zip(row_similarities.tolist(), row_numbers.tolist(), strict=True):
                if similarity >= min_similarity and similarity > best.get((place, number), (-1.0,))[0]:
                    best[place, number] = similarity, turn, span
        for (place, number), (similarity, turn, (start, end)) in sorted(
            best.items(), key=lambda one: (one[0][0], -one[1][0], one[0][1])
        ):
            text, item = batch[place][0], items.rows[number]
            yield {
                "id": text.id, "row": text.row, "source": text.source, "turn": turn, "role": text.turns[turn][0], "start": start, "end": end,
                "benchmark": item["benchmark"], "item": item["item"], "similarity": round(similarity, 4),
                "item_text": item["text"], "found_text": text.turns[turn][1][start:end],
            }  # fmt: skip


def _batches(
    texts: Iterable[SearchText], answers: bool
) -> Iterator[list[tuple[SearchText, list[tuple[int, tuple[int, int]]]]]]:
    """Whole texts with (turn, span) of their passages, about `BATCH_PASSAGES` passages at a time."""
    batch: list[tuple[SearchText, list[tuple[int, tuple[int, int]]]]] = []
    size = 0
    for text in texts:
        spans = [
            (number, span)
            for number, (role, turn) in enumerate(text.turns)
            if answers or role.lower() not in NO_REQUEST
            for span in passages(turn)
        ]
        batch.append((text, spans))
        size += len(spans)
        if size >= BATCH_PASSAGES:
            yield batch
            batch, size = [], 0
    yield batch

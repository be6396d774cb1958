"""Types of the rows that stages exchange; docs/ and `rules/schemas/` describe their files."""

from typing import Any, NotRequired, TypedDict

Row = dict[str, Any]  # a row of any other table
Config = dict[str, Any]  # the configuration, or a section of it


class Exchange(TypedDict):
    """A request and its answer."""

    input: str
    output: str


class Seed(TypedDict):
    """A row of `seeds/data.jsonl`. `meta` contains fields of some seeds only: task, reference, category, conversation, scores.

    `score` is complexity times quality, 1 to 36, or None. `examples` is in the files of shard_seeds only: {id, instruction} of
    other seeds.
    """

    id: str
    source: str
    dataset: str
    revision: str
    license: str
    kind: str
    instruction: str
    context: str
    response: str
    domain: str | None
    skills: list[str] | None
    difficulty: str | None
    score: float | None
    meta: Row
    examples: NotRequired[list[Row]]


class Conversation(TypedDict):
    """A row of `data.jsonl` of the synthesis and later stages. `provenance`: seed, licence, techniques, teacher, and more."""

    id: str
    source: str
    conversation: list[Exchange]
    provenance: Row


class Rejected(TypedDict):
    """A row of `rejected.jsonl`: `reason` is a code in snake_case, `evidence` is what a reviewer needs to check it.

    The other fields are the rejected row itself (a seed: `seed_as_conversation`). `conversation` is empty if the row could
    not be read.
    """

    id: str
    reason: str
    evidence: Any
    source: str | None
    conversation: list[Exchange]
    provenance: Row


class Hit(TypedDict):
    """A row of `decontamination/hits.jsonl`: a benchmark text found in a conversation.

    The text runs from character `start` of turn `turn` to character `end` of turn `end_turn`, in the turns as written.
    `distance` is in edits, `length` in characters of the normalised item text. `file` and `row` (from 1) are the place of
    the conversation. `level`, `allowed` and `counts` are added when the hit is judged.
    """

    id: str
    source: str | None
    turn: int
    role: str
    start: int
    end_turn: int
    end: int
    benchmark: str
    item: str
    tier: str
    field: str
    removes: bool
    distance: int
    length: int
    similarity: float
    item_text: str
    found_text: str
    item_normal: str
    found_normal: str
    file: NotRequired[str]
    row: NotRequired[int]
    level: NotRequired[int]
    allowed: NotRequired[str | None]
    counts: NotRequired[bool]

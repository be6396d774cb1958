"""Files of conversations, read a block at a time: JSON Lines and parquet, in the layouts that people use.

A block is what one process reads at once: the lines that begin in a range of bytes, or the rows of one row group. So
memory does not grow with a file, and any share of the blocks is a shard.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import LINE_BYTES
from workflow_scripts.common.rows import Row, parse_line

BLOCK = 4 * 2**20  # bytes
Turn = tuple[str, str]  # role, text
# Column of a layout, and where a turn has its role and its text.
MESSAGES = {"conversations": ("from", "value"), "messages": ("role", "content")}


@dataclass(frozen=True)
class Block:
    """Lines of `path` that begin at bytes [start, end); of a parquet file row group `group`, `start` and `end` being
    its place among the bytes of all groups."""

    path: Path
    start: int
    end: int
    group: int | None = None


@dataclass(frozen=True)
class Conversation:
    """Row `row` of its block, counted from 0 with blank lines; its id, None if it has none, and its turns."""

    row: int
    id: str | None
    source: str | None
    turns: list[Turn]


def blocks(paths: list[Path]) -> list[Block]:
    """The blocks of all files, in order. UserError for a file that is none of ours."""
    found = []
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: no such file.")
        if path.suffix == ".parquet":
            place = 0
            for group, size in enumerate(_group_sizes(path)):
                found.append(Block(path, place, place + size, group))
                place += size
        elif path.suffix in (".jsonl", ".json", ".ndjson"):
            size = path.stat().st_size
            found += [Block(path, start, min(start + BLOCK, size)) for start in range(0, size, BLOCK)]
        else:
            raise UserError(f"{path}: unknown kind of file. JSON Lines (.jsonl) and .parquet are read.")
    return found


def shard(all_blocks: list[Block], number: int, count: int) -> list[Block]:
    """Shard `number` (from 1) of `count`: neighbouring blocks of about the same number of bytes, each block in one shard."""
    total = sum(block.end - block.start for block in all_blocks)
    mine, place = [], 0
    for block in all_blocks:
        if total * (number - 1) <= place * count < total * number:
            mine.append(block)
        place += block.end - block.start
    return mine


def _group_sizes(path: Path) -> list[int]:
    try:
        footer = pq.read_metadata(path)
    except Exception as error:
        raise UserError(f"{path}: cannot be read as parquet: {' '.join(str(error).split())}") from error
    return [footer.row_group(group).total_byte_size for group in range(footer.num_row_groups)]


def read_block(block: Block, columns: list[str]) -> tuple[list[Conversation], int]:
    """The conversations of a block, and its number of rows; `columns` hold the texts, or none for the usual layouts.

    UserError naming file and row for what cannot be read.
    """
    rows = _parquet_rows(block) if block.group is not None else _lines(block)
    conversations, number = [], -1
    for number, row in rows:
        if row is None:
            continue
        try:
            turns = read_turns(row, columns)
        except (KeyError, ValueError) as error:
            raise UserError(f"{_where(block, number)}: {error.args[0]}") from error
        source = row.get("source")
        name = row.get("id")
        conversations.append(
            Conversation(
                number, None if name is None else str(name), source if isinstance(source, str) else None, turns
            )
        )
    return conversations, number + 1


def read_turns(row: Row, columns: list[str]) -> list[Turn]:
    """The texts of a row, each with the role of who says it: of the `columns`, or of the layout that the row has.

    KeyError (no such column) or ValueError (a text of another type), with a message for the user.
    """
    if columns:
        if missing := [name for name in columns if name not in row]:
            raise KeyError(f"no column {', '.join(missing)}; there are {', '.join(row)}. Correct --columns.")
        return [(name, _text(row[name], name)) for name in columns]
    try:
        if (exchanges := row.get("conversation")) is not None:
            return [
                (role, _text(exchange[name], name))
                for exchange in exchanges
                for role, name in (("user", "input"), ("assistant", "output"))
            ]
        for layout, (role, text) in MESSAGES.items():
            if (messages := row.get(layout)) is not None:
                return [(str(message[role]), _text(message[text], text)) for message in messages]
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"a turn of another shape than its layout has ({type(error).__name__} {error}). Mend the row."
        ) from error
    raise KeyError(
        f"no column conversation, conversations or messages; there are {', '.join(row)}. "
        "Name the columns that hold text with --columns."
    )


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):  # content in parts, of which those with text count
        return "\n".join(part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
    raise ValueError(f"`{name}` is {type(value).__name__}, text was expected. Mend the row.")


def raw_lines(block: Block) -> Iterator[bytes]:
    """The lines that begin in a block, without their ends; blank ones too. UserError for one that is too long."""
    with open(block.path, "rb") as file:
        if block.start:
            file.seek(block.start - 1)
            if file.read(1) != b"\n" and not _finish_line(file, block.end):
                return
        data = file.read(block.end - file.tell())
        if not data:
            return
        if not data.endswith(b"\n"):
            data += file.readline(LINE_BYTES + 1)
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n")):
        if len(line) > LINE_BYTES:
            raise UserError(
                f"{_where(block, number)}: longer than {LINE_BYTES // 2**20} MiB, which no row of text is. "
                "Are its line ends lost? Mend or remove the line."
            )
        yield line


def _lines(block: Block) -> Iterator[tuple[int, Row | None]]:
    """(number, row) of each line that begins in the block; None for a blank one."""
    for number, line in enumerate(raw_lines(block)):
        row = None
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:  # half of a surrogate pair, NaN, or a mistake that json explains
                row = parse_line(block.path, row_number(block, number), line)
            if not isinstance(row, dict):
                row = parse_line(block.path, row_number(block, number), line)
        yield number, row


def _finish_line(file: Any, end: int) -> bool:
    """Move on to the first line that begins before `end`; False if there is none."""
    while file.tell() < end:
        if file.readline(min(BLOCK, end - file.tell())).endswith(b"\n"):
            return file.tell() < end
    return False


def _parquet_rows(block: Block) -> Iterator[tuple[int, Row]]:
    with pq.ParquetFile(block.path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=1024, row_groups=[block.group]):
            for row in batch.to_pylist():
                yield number, row
                number += 1


def rows_before(block: Block) -> int:
    """Rows of its file that are before a block."""
    if block.group is not None:
        footer = pq.read_metadata(block.path)
        return sum(footer.row_group(group).num_rows for group in range(block.group))
    count, left, last = 0, block.start, b"\n"
    with open(block.path, "rb") as file:
        while left and (data := file.read(min(BLOCK, left))):
            count, left, last = count + data.count(b"\n"), left - len(data), data[-1:]
    return count + (last != b"\n")  # the line that reaches into the block began before it


def row_number(block: Block, number: int) -> int:
    """The number in its file, from 1, of a row that is `number` in its block."""
    return rows_before(block) + number + 1


def _where(block: Block, number: int) -> str:
    return f"{block.path}, {'row' if block.group is not None else 'line'} {row_number(block, number)}"

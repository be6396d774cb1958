"""Files of conversations, read a block at a time: JSON Lines and parquet, in the layouts that people use.

A block is what one process works on: the lines that begin in a range of bytes, or one row group, some rows at a time. So
memory does not grow with a file, and any share of the blocks is a shard.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.loading import LINE_BYTES
from workflow_scripts.common.rows import parse_line
from workflow_scripts.common.types import Row

BLOCK = 4 * 2**20  # bytes
ROWS = 512  # of a parquet file in memory at once
Turn = tuple[str, str]  # role, text
MESSAGES = ("conversations", "messages")


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
            raise UserError(f"{path}: {'a folder; name its files' if path.is_dir() else 'no such file'}.")
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
        names = pq.read_schema(path).names
    except Exception as error:
        raise UserError(f"{path}: cannot be read as parquet: {' '.join(str(error).split())}") from error
    if len(set(names)) < len(names):
        raise UserError(f"{path}: two columns of one name. Rename one.")
    return [footer.row_group(group).total_byte_size for group in range(footer.num_row_groups)]


def read_block(block: Block, columns: list[str]) -> Iterator[tuple[list[Conversation], int]]:
    """The conversations of a block in batches, each with its number of rows; `columns` hold the texts, or none for the
    usual layouts.

    UserError naming file and row for what cannot be read.
    """
    number = 0
    for rows in _parquet_rows(block, columns) if block.group is not None else [_lines(block)]:
        conversations, first = [], number
        for row in rows:
            if row is not None:
                try:
                    turns = read_turns(row, columns)
                except (KeyError, ValueError) as error:
                    raise UserError(f"{_where(block, number)}: {error.args[0]}") from error
                name, source = row.get("id"), row.get("source")
                known = source if isinstance(source, str) else None
                conversations.append(Conversation(number, None if name is None else str(name), known, turns))
            number += 1
        yield conversations, number - first


def read_turns(row: Row, columns: list[str]) -> list[Turn]:
    """The texts of a row, each with the role of who says it: of the `columns`, or of the layout that the row has.

    KeyError (no such column) or ValueError (a text of another type), with a message for the user.
    """
    if columns:
        if missing := [name for name in columns if name not in row]:
            raise KeyError(_no_columns(missing, row))
        return [(name, _text(row[name], name)) for name in columns]
    try:
        if (exchanges := row.get("conversation")) is not None:
            return [
                (role, _text(exchange[name], name))
                for exchange in exchanges
                for role, name in (("user", "input"), ("assistant", "output"))
            ]
        for layout in MESSAGES:
            if (messages := row.get(layout)) is not None:
                return [_message(message) for message in messages]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"a turn of another shape than its layout has ({type(error).__name__} {error}). Mend the row."
        ) from error
    raise KeyError(_no_layout(row))


def _no_columns(missing: list[str], names: Iterable[str]) -> str:
    return f"no column {', '.join(missing)}; there are {', '.join(names)}. Correct --columns."


def _no_layout(names: Iterable[str]) -> str:
    return (
        f"no conversation in the columns {', '.join(names)}; looked for were conversation, conversations and messages. "
        "Name the columns that hold text with --columns."
    )


def _message(message: Row) -> Turn:
    """ShareGPT's `from` and `value`, or `role` and `content`."""
    role, text = ("from", "value") if "value" in message else ("role", "content")
    return str(message.get(role)), _text(message[text], text)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (_part(part, name) for part in value)))
    raise ValueError(f"`{name}` is {type(value).__name__}, text was expected. Mend the row, or name other columns.")


def _part(part: Any, name: str) -> str:
    """A text of a list, or the text of a part of a message; a picture or a call of a tool has none."""
    if isinstance(part, dict) and "type" in part and not isinstance(part.get("text"), str):
        return ""
    return _text(part["text"] if isinstance(part, dict) and "text" in part else part, name)


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


def _lines(block: Block) -> Iterator[Row | None]:
    """The row of each line that begins in the block; None for a blank one."""
    for number, line in enumerate(raw_lines(block)):
        row = None
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:  # half of a surrogate pair, NaN, or a mistake that json explains
                row = parse_line(block.path, row_number(block, number), line)
            if not isinstance(row, dict):
                row = parse_line(block.path, row_number(block, number), line)
        yield row


def _finish_line(file: Any, end: int) -> bool:
    """Move on to the first line that begins before `end`; False if there is none."""
    while file.tell() < end:
        if file.readline(min(BLOCK, end - file.tell())).endswith(b"\n"):
            return file.tell() < end
    return False


def _parquet_rows(block: Block, columns: list[str]) -> Iterator[list[Row]]:
    """The rows of a row group in batches, of the columns that matter."""
    try:
        names = pq.read_schema(block.path).names
        wanted = columns or ["conversation", *MESSAGES]
        if missing := [name for name in columns if name not in names]:
            raise UserError(f"{block.path}: {_no_columns(missing, names)}")
        if not set(wanted) & set(names):
            raise UserError(f"{block.path}: {_no_layout(names)}")
        kept = [name for name in names if name in ("id", "source", *wanted)]
        for batch in parquet_batches(block, kept):
            yield batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{block.path}, row group {block.group + 1}: cannot be read: {words}") from error


def parquet_batches(block: Block, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a row group, some at a time: a file may be one group of a million rows."""
    with pq.ParquetFile(block.path) as file:
        yield from file.iter_batches(batch_size=ROWS, row_groups=[block.group], columns=columns)


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

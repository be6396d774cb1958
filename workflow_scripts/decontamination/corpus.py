"""Read files of texts block by block: JSON Lines and parquet, in the usual layouts of conversations.

A block is the unit of work of one process: the lines that begin in a range of bytes, one row group, or a compressed file.
Rows are read in batches, so memory does not grow with the file, and any subset of the blocks can be a shard.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.json_files import json_rows
from workflow_scripts.common.parquet_files import to_rows
from workflow_scripts.common.rows import parse_line
from workflow_scripts.common.text_files import (
    BYTE_ORDER_MARK,
    LINE_BYTES,
    format_suffix,
    is_compressed,
    line_blocks,
    open_bytes,
)
from workflow_scripts.common.types import Row

BLOCK_BYTES = 4 * 2**20
BATCH_ROWS = 512  # of a parquet file in memory at once
Turn = tuple[str, str]  # role, text
MESSAGES = ("conversations", "messages")


@dataclass(frozen=True)
class Block:
    """The lines of `path` that begin at bytes [start, end).

    In a parquet file, row group `group`; `start` and `end` are then its place among the bytes of all row groups. A compressed
    file is one block, and so is an `array` of rows.
    """

    path: Path
    start: int
    end: int
    group: int | None = None
    array: bool = False


@dataclass(frozen=True)
class SearchText:
    """A row to search: its number `row` in the block (from 0, blank lines included), id (None without one), and turns."""

    row: int
    id: str | None
    source: str | None
    turns: list[Turn]


def blocks(paths: list[Path]) -> list[Block]:
    """The blocks of all files, in order. UserError for a missing file or an unknown file type."""
    found = []
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: {'is a folder. Name its files' if path.is_dir() else 'no such file'}.")
        kind = format_suffix(path)
        if path.suffix == ".parquet":
            place = 0
            for group, size in enumerate(_group_sizes(path)):
                found.append(Block(path, place, place + size, group))
                place += size
        elif kind in (".jsonl", ".json", ".ndjson"):
            size = path.stat().st_size
            if (array := _is_array(path)) or is_compressed(path):
                found.append(Block(path, 0, size, array=array))
                continue
            found += [Block(path, start, min(start + BLOCK_BYTES, size)) for start in range(0, size, BLOCK_BYTES)]
        else:
            raise UserError(f"{path}: unknown file type. Use JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst) or .parquet.")
    return found


def _is_array(path: Path) -> bool:
    """Whether a file is one JSON array of rows, which is read as a whole."""
    with open_bytes(path) as file:
        return file.read(BLOCK_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")


def shard(all_blocks: list[Block], number: int, count: int) -> list[Block]:
    """Shard `number` (from 0) of `count`: adjacent blocks, about equal bytes in each shard, each block in one shard."""
    total = sum(block.end - block.start for block in all_blocks)
    own, place = [], 0
    for block in all_blocks:
        if total * number <= place * count < total * (number + 1):
            own.append(block)
        place += block.end - block.start
    return own


def _group_sizes(path: Path) -> list[int]:
    try:
        footer = pq.read_metadata(path)
        names = pq.read_schema(path).names
    except Exception as error:
        raise UserError(
            f"{path}: not a readable parquet file ({' '.join(str(error).split())}). Replace the file."
        ) from error
    if len(set(names)) < len(names):
        raise UserError(f"{path}: two columns have the same name. Rename one.")
    return [footer.row_group(group).total_byte_size for group in range(footer.num_row_groups)]


def read_block(
    block: Block, columns: list[str], unreadable: dict[int, str] | None = None
) -> Iterator[tuple[list[SearchText], int]]:
    """The texts of a block in batches, each with its number of rows.

    `columns` contain the texts; without any, the usual layouts are read. Rows that cannot be read are skipped and added to
    `unreadable`, row in the block: problem. Without it they raise UserError with file and row.
    """
    number = 0
    if block.group is not None:
        batches: Iterator[list[Any]] = _parquet_rows(block, columns)
    else:
        batches = json_rows(block.path) if block.array else _line_rows(block, unreadable)
    for rows in batches:
        texts, first = [], number
        for row in rows:
            if row is not None:
                try:
                    turns = read_turns(row, columns)
                except (KeyError, ValueError) as error:
                    if unreadable is None:
                        raise UserError(f"{_where(block, number)}: {error.args[0]}") from error
                    unreadable[number] = error.args[0]
                    number += 1
                    continue
                row_id, source = row.get("id"), row.get("source")
                texts.append(
                    SearchText(
                        number,
                        None if row_id is None else str(row_id),
                        source if isinstance(source, str) else None,
                        turns,
                    )
                )
            number += 1
        yield texts, number - first


def read_turns(row: Row, columns: list[str]) -> list[Turn]:
    """(role, text) of each turn: of the `columns`, or without any of the layout that the row has.

    Raises KeyError (missing column) or ValueError (invalid value), each with a message for the user.
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
        raise ValueError(f"a turn does not fit the layout ({type(error).__name__} {error}). Fix the row.") from error
    if "conversation" in row or any(layout in row for layout in MESSAGES):  # null: a row without a conversation
        return []
    raise KeyError(_no_layout(row))


def _no_columns(missing: list[str], names: Iterable[str]) -> str:
    return f"no column {', '.join(missing)}; the columns are {', '.join(names)}. Correct --columns."


def _no_layout(names: Iterable[str]) -> str:
    return (
        f"no conversation in the columns {', '.join(names)}; expected conversation, conversations or messages. "
        "Name the columns that contain text with --columns."
    )


def _message(message: Row) -> Turn:
    """A turn in ShareGPT's form (`from`, `value`) or as `role` and `content`."""
    role, text = ("from", "value") if "value" in message else ("role", "content")
    return str(message.get(role)), _text(message[text], text)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (_part(part, name) for part in value)))
    raise ValueError(f"`{name}`: expected text, not {type(value).__name__}. Fix the row, or name other columns.")


def _part(part: Any, name: str) -> str:
    """The text of one part of a message; empty for images and tool calls."""
    if isinstance(part, dict) and "type" in part and not isinstance(part.get("text"), str):
        return ""
    return _text(part["text"] if isinstance(part, dict) and "text" in part else part, name)


def raw_lines(block: Block) -> Iterator[list[bytes]]:
    """The lines that begin in a block, in lists, without line ends, blank ones included. UserError for a line above LINE_BYTES."""
    if is_compressed(block.path):
        with open_bytes(block.path) as file:
            yield from line_blocks(file, str(block.path))
        return
    with open(block.path, "rb") as file:
        start = block.start
        if start:
            file.seek(start - 1)
            if file.read(1) != b"\n":  # a line of an earlier block extends into this one
                while piece := file.readline(block.end - start):
                    start += len(piece)
                    if piece.endswith(b"\n"):
                        break
        data = file.read(block.end - start)
        if not data:
            return
        if not data.endswith(b"\n"):
            data += file.readline(LINE_BYTES + 1)
    lines = data.removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines):
        if len(line) > LINE_BYTES:
            raise UserError(
                f"{_where(block, number)}: longer than {LINE_BYTES // 2**20} MiB. Line ends may be missing. Fix the line."
            )
    yield lines


def _is_truncated(block: Block) -> bool:
    """Whether the file ends in this block without a line end, as after an interrupted write."""
    with open(block.path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return block.end >= size and file.read() != b"\n"


def _line_rows(block: Block, unreadable: dict[int, str] | None) -> Iterator[list[Row | None]]:
    """The row of each line that begins in the block, in lists; None for a blank line, for `null` and if it is `unreadable`."""
    number = 0
    for lines in raw_lines(block):
        rows: list[Row | None] = []
        for line in lines:
            row = None
            if line.strip() not in (b"", b"null"):
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError:  # a surrogate, NaN, or an error that json explains
                    row = None
                if not isinstance(row, dict):
                    row = _explained(block, number, line, line is lines[-1], unreadable)
            rows.append(row)
            number += 1
        yield rows


def _explained(block: Block, number: int, line: bytes, last: bool, unreadable: dict[int, str] | None) -> Row | None:
    """The row of a line that orjson does not read; None if json does not either, and the line is added to `unreadable`."""
    if unreadable is None:
        end = b"" if last and _is_truncated(block) else b"\n"
        return parse_line(block.path, row_number(block, number), line + end)
    try:
        return parse_line("", number, line + b"\n")
    except UserError as error:  # without its place: to count the lines before each would be slow
        unreadable[number] = str(error).split(": ", 1)[1]
        return None


def _parquet_rows(block: Block, columns: list[str]) -> Iterator[list[Row]]:
    """The rows of a row group in batches, with the required columns only."""
    try:
        names = pq.read_schema(block.path).names
        text_columns = columns or ["conversation", *MESSAGES]
        if missing := [name for name in columns if name not in names]:
            raise UserError(f"{block.path}: {_no_columns(missing, names)}")
        if not set(text_columns) & set(names):
            raise UserError(f"{block.path}: {_no_layout(names)}")
        required = [name for name in names if name in ("id", "source", *text_columns)]
        for batch in parquet_batches(block, required):
            yield to_rows(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        message = " ".join(str(error).split())
        raise UserError(
            f"{block.path}, row group {(block.group or 0) + 1}: not readable ({message}). Fix the file."
        ) from error


def parquet_batches(block: Block, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a row group in batches of at most BATCH_ROWS: a file may be one group of a million rows."""
    with pq.ParquetFile(block.path) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, row_groups=[block.group], columns=columns)


def rows_before(block: Block) -> int:
    """The number of rows of the file that begin before a block."""
    if block.group is not None:
        footer = pq.read_metadata(block.path)
        return sum(footer.row_group(group).num_rows for group in range(block.group))
    count, left, last = 0, block.start, b"\n"
    with open(block.path, "rb") as file:
        while left and (data := file.read(min(BLOCK_BYTES, left))):
            count, left, last = count + data.count(b"\n"), left - len(data), data[-1:]
    return count + (last != b"\n")  # the line that extends into the block began before it


def row_number(block: Block, number: int) -> int:
    """The number in its file, from 1, of row `number` of the block."""
    return rows_before(block) + number + 1


def _where(block: Block, number: int) -> str:
    return f"{block.path}, {row_noun(block)} {row_number(block, number)}"


def row_noun(block: Block) -> str:
    """The word for a row in a message: line or row."""
    return "row" if block.group is not None or block.array else "line"


def file_texts(all_blocks: Iterable[Block], columns: list[str]) -> Iterator[tuple[Path, SearchText]]:
    """(file, text) of all rows that can be read; `row` is the number in the file, from 1."""
    path, before = None, 0
    for block in all_blocks:
        if block.path != path:
            path, before = block.path, rows_before(block)
        first = before
        for texts, rows in read_block(block, columns, {}):
            before += rows
            for text in texts:
                number = first + text.row + 1
                yield block.path, replace(text, row=number, id=text.id or f"{block.path.name}:{number}")

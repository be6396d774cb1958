"""Lines on disk, found by key: written by many jobs, on any number of machines, each to a file of its own.

    <folder>/<UTC time>-<host>-<process>-<random>.jsonl.gz    lines, appended only
    <folder>/<the same>.index.npz                             keys and places of the lines up to byte `covered`

A file is a sequence of gzip members, so `zcat` prints it. A member holds the lines of one write. It is on disk before
`append` returns, and a killed job leaves at most one that is incomplete, which readers skip. No file is locked and none has
two writers, so a network file system is safe. An index only saves time: what it lacks is read from the lines.
"""

import gzip
import mmap
import os
import re
import secrets
import socket
import threading
import time
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workflow_scripts.common.rows import atomically

SUFFIX, INDEX_SUFFIX = ".jsonl.gz", ".index.npz"
GZIP_START = b"\x1f\x8b\x08"
GZIP = 16 + zlib.MAX_WBITS  # of zlib: members with a gzip header
LEVEL = 6  # of compression
CHUNK = 2**13  # bytes
KEY = re.compile(rb'\{"key": "([0-9a-f]{16})"')  # at the start of a line
ENTRY = np.dtype([("key", np.uint64), ("file", np.uint32), ("place", np.uint64)])
MIN_POLL_SECONDS = 2.0
MAX_POLL_SHARE = 0.05  # of the time, for looking at the files of other jobs
MIN_UNINDEXED_BYTES = 2**20  # with fewer bytes beyond the index, it is not written again


@dataclass
class _Segment:
    """A file, and how many of its bytes have been read into the index of this process."""

    path: Path
    covered: int = 0
    found: list[tuple[int, int]] = field(default_factory=list)  # (key, place) not yet in the sorted index


class Segments:
    """The lines of all files of `folder`. A line is JSON that starts with `{"key": "<16 hex digits>"`.

    Several threads may append at the same time: their lines are written together, with one fsync.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._files: list[_Segment] = []  # numbered by `file` of an entry
        self._sorted = np.zeros(0, ENTRY)  # by key, of equal keys the first file's line first
        self._recent: dict[int, tuple[int, int]] = {}  # (file, place) of lines found since
        self._next_poll = 0.0
        self._waiting: list[bytes] = []
        self._waiting_lock, self._writing_lock = threading.Lock(), threading.Lock()
        self._own: int | None = None  # number of the file of this process

    def find(self, key: str) -> bytes | None:
        """The line with a key; of several the first. Lines of other jobs are found a few seconds after they were written."""
        number = int(key, 16)
        entry = self._entry(number)
        if entry is None and time.monotonic() >= self._next_poll:
            self._poll()
            entry = self._entry(number)
        return None if entry is None else self._read(number, *entry)

    def keys(self) -> Iterator[str]:
        """The keys of all lines, sorted."""
        self._poll()
        numbers = np.unique(np.concatenate([self._sorted["key"], np.array(list(self._recent), np.uint64)]))
        return (f"{number:016x}" for number in numbers)

    def append(self, lines: Iterable[bytes]) -> None:
        """Add lines, without their line ends. They are on disk when this returns."""
        with self._waiting_lock:
            self._waiting += lines
        with self._writing_lock:  # meanwhile, lines of other threads wait and are then written together
            with self._waiting_lock:
                together, self._waiting = self._waiting, []
            if together:
                try:
                    self._write(together)
                except BaseException:
                    self._own = None  # the file may end in an incomplete member: continue in another one
                    with self._waiting_lock:
                        self._waiting = together + self._waiting  # each thread writes its lines again, or fails as well
                    raise

    def close(self) -> None:
        """Write the index of this process's file."""
        with self._writing_lock:
            if self._own is not None:
                self._write_index(self._files[self._own])
                self._own = None

    def _entry(self, key: int) -> tuple[int, int] | None:
        place = int(np.searchsorted(self._sorted["key"], np.uint64(key)))
        if place < len(self._sorted) and self._sorted["key"][place] == key:
            return int(self._sorted["file"][place]), int(self._sorted["place"][place])
        return self._recent.get(key)

    def _read(self, key: int, file: int, place: int) -> bytes | None:
        try:
            text = next(_members(self._files[file].path, place), (place, 0, b""))[2]
        except FileNotFoundError:
            return None
        return next((line for line in text.splitlines() if _key(line) == key), None)

    def _write(self, lines: list[bytes]) -> None:
        member = _member(b"".join(line + b"\n" for line in lines))
        if self._own is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
            self._files.append(_Segment(self.folder / f"{name}{SUFFIX}"))
            self._own = len(self._files) - 1
        own = self._files[self._own]
        # Closed after each write: other machines see its bytes only then.
        with open(own.path, "ab", buffering=0) as file:
            file.write(member)
            os.fsync(file.fileno())
        for line in lines:
            self._add(self._own, _key(line), own.covered)
        own.covered += len(member)

    def _add(self, file: int, key: int | None, place: int) -> None:
        if key is not None:
            self._files[file].found.append((key, place))
            self._recent.setdefault(key, (file, place))

    def _poll(self) -> None:
        """Read what other processes have written since the last time."""
        with self._writing_lock:
            began = time.monotonic()
            self._read_new()
            took = time.monotonic() - began
        self._next_poll = time.monotonic() + max(MIN_POLL_SECONDS, took / MAX_POLL_SHARE)

    def _read_new(self) -> None:
        known = {segment.path: number for number, segment in enumerate(self._files)}
        new = [path for path in segment_files(self.folder) if path not in known]
        for path in new:
            self._files.append(_Segment(path))
        indexed = [self._read_index(len(known) + number) for number in range(len(new))]
        if new:
            entries = np.concatenate([self._sorted, *indexed])
            self._sorted = entries[np.argsort(entries["key"], kind="stable")]
        for number, segment in enumerate(self._files):
            if number != self._own and segment.path.stat().st_size > segment.covered:
                before = segment.covered
                for start, end, text in _members(segment.path, segment.covered):
                    for line in text.splitlines():
                        self._add(number, _key(line), start)
                    segment.covered = end
                if segment.covered - before >= MIN_UNINDEXED_BYTES:
                    self._write_index(segment)

    def _read_index(self, number: int) -> np.ndarray:
        """The entries of a file's index; none if it is missing or damaged."""
        segment = self._files[number]
        try:
            with np.load(index_path(segment.path)) as stored:
                keys, places, covered = stored["keys"], stored["places"], int(stored["covered"])
        except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
            return np.zeros(0, ENTRY)
        if covered > segment.path.stat().st_size:  # the file was replaced
            return np.zeros(0, ENTRY)
        segment.covered = covered
        entries = np.zeros(len(keys), ENTRY)
        entries["key"], entries["file"], entries["place"] = keys, number, places
        return entries

    def _write_index(self, segment: _Segment) -> None:
        number = np.uint32(self._files.index(segment))
        known = self._sorted[self._sorted["file"] == number]
        keys = np.concatenate([known["key"], np.array([key for key, _ in segment.found], np.uint64)])
        places = np.concatenate([known["place"], np.array([place for _, place in segment.found], np.uint64)])
        with atomically(index_path(segment.path)) as file:
            np.savez(file, keys=keys, places=places, covered=segment.covered)


def segment_files(folder: Path) -> list[Path]:
    """The files of a folder, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def index_path(path: Path) -> Path:
    """The index of a file."""
    return path.with_name(path.name + INDEX_SUFFIX)


def remove_lines(folder: Path, keys: Collection[str]) -> None:
    """Remove the lines with these keys from all files. No other process may write meanwhile."""
    numbers = {int(key, 16) for key in keys}
    for path in segment_files(folder):
        if any(_key(line) in numbers for _, _, text in _members(path, 0) for line in text.splitlines()):
            index_path(path).unlink(missing_ok=True)
            with atomically(path) as file:
                for _, _, text in _members(path, 0):
                    kept = [line for line in text.splitlines(keepends=True) if _key(line) not in numbers]
                    file.write(_member(b"".join(kept)))


def _member(text: bytes) -> bytes:
    return gzip.compress(text, LEVEL, mtime=0)


def _key(line: bytes) -> int | None:
    match = KEY.match(line)
    return int(match[1], 16) if match else None


def _members(path: Path, start: int) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, text) of the complete gzip members of a file from byte `start`; a damaged one is skipped."""
    if path.stat().st_size <= start:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while 0 <= start < len(data):
            stream, text, end = zlib.decompressobj(GZIP), bytearray(), start
            try:
                while not stream.eof and end < len(data):
                    text += stream.decompress(data[end : end + CHUNK])
                    end = min(end + CHUNK, len(data))
            except zlib.error:
                start = data.find(GZIP_START, start + 1)
                continue
            if not stream.eof:
                return  # the end of a job that was killed, or is writing
            end -= len(stream.unused_data)
            yield start, end, bytes(text)
            start = end

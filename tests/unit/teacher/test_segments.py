"""Lines of many jobs, found by key: after kills, damage, full disks, and while others write."""

import errno
import gzip
import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.teacher import segments
from workflow_scripts.teacher.segments import Segments, index_path, remove_lines, segment_files


def line(number, text="x"):
    return b'{"key": "%016x", "text": "%s"}' % (number, text.encode())


def key(number):
    return f"{number:016x}"


JOBS = st.lists(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.text("ab\u2028ü", max_size=9)), max_size=8), max_size=4
)


@given(JOBS, st.lists(st.booleans(), min_size=4, max_size=4))
def test_every_line_is_found_with_and_without_an_index(tmp_path_factory, jobs, closed):
    folder = tmp_path_factory.mktemp("lines")
    written = {}
    for job, closes in zip(jobs, closed, strict=False):
        own = Segments(folder)
        for number, text in job:
            own.append([line(number, text)])
            written.setdefault(number, set()).add(line(number, text))
            assert own.find(key(number)) in written[number]
        if closes:
            own.close()
    found = Segments(folder)
    assert list(found.keys()) == [key(number) for number in sorted(written)]
    assert all(found.find(key(number)) in lines for number, lines in written.items())
    assert found.find(key(min(set(range(99)) - written.keys()))) is None


def test_all_readers_find_the_line_of_the_first_file(tmp_path):
    for text in "ab":
        Segments(tmp_path).append([line(1, text)])
    first = gzip.decompress(segment_files(tmp_path)[0].read_bytes()).strip()
    assert Segments(tmp_path).find(key(1)) == first
    for path in segment_files(tmp_path):
        path.touch()
    assert Segments(tmp_path).find(key(1)) == first


def test_threads_write_together(tmp_path, monkeypatch):
    """Sixteen threads, and a disk that needs a while for each fsync: lines that wait for it share the next one."""
    syncs, done = [], threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (syncs.append(handle), done.wait(0.05), fsync(handle)))
    own = Segments(tmp_path)
    threads = [threading.Thread(target=own.append, args=([line(number)],)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(Segments(tmp_path).keys())) == 16 and len(syncs) <= 4


@settings(max_examples=30)
@given(st.data())
def test_an_incomplete_end_costs_only_the_lines_of_the_last_write(tmp_path_factory, data):
    """A killed job or a power loss leaves the file as it was after any number of its bytes."""
    folder = tmp_path_factory.mktemp("lines")
    own, ends = Segments(folder), []
    for number in range(5):
        own.append([line(number)])
        ends.append(segment_files(folder)[0].stat().st_size)
    (path,) = segment_files(folder)
    size = data.draw(st.integers(0, ends[-1]))
    os.truncate(path, size)
    found = Segments(folder)
    assert list(found.keys()) == [key(number) for number, end in enumerate(ends) if end <= size]
    found.append([line(9)])
    assert Segments(folder).find(key(9)) == line(9)


@given(st.integers(0, 2**32))
def test_a_damaged_write_costs_only_its_own_lines(tmp_path_factory, random_seed):
    folder = tmp_path_factory.mktemp("lines")
    own, ends = Segments(folder), [0]
    rng = random.Random(random_seed)
    for number in range(9):
        own.append([line(number, rng.randbytes(50).hex())])
        ends.append(segment_files(folder)[0].stat().st_size)
    (path,) = segment_files(folder)
    content = bytearray(path.read_bytes())
    content[ends[4] + 12 : ends[5] - 10] = bytes(ends[5] - ends[4] - 22)  # the deflated text
    path.write_bytes(content)
    assert list(Segments(folder).keys()) == [key(number) for number in range(9) if number != 4]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(99)], ids=["empty", "start", "zeros"])
def test_a_damaged_index_is_built_again(tmp_path, content):
    own = Segments(tmp_path)
    own.append([line(1)])
    own.close()
    (path,) = segment_files(tmp_path)
    index_path(path).write_bytes(content)
    assert Segments(tmp_path).find(key(1)) == line(1)


def test_lines_beyond_the_index_are_read_and_indexed(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MIN_UNINDEXED_BYTES", 1)
    first, second = Segments(tmp_path), Segments(tmp_path)
    first.append([line(1)])
    assert second.find(key(1)) == line(1)
    (path,) = segment_files(tmp_path)
    before = index_path(path).read_bytes()
    first.append([line(2)])
    assert Segments(tmp_path).find(key(2)) == line(2) and index_path(path).read_bytes() != before
    path.write_bytes(b"")  # the index is of more bytes than the file has
    assert Segments(tmp_path).find(key(1)) is None


def test_lines_of_a_running_job_are_found_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MIN_POLL_SECONDS", 0.0)
    reader, writer = Segments(tmp_path), Segments(tmp_path)
    assert reader.find(key(1)) is None
    writer.append([line(1)])
    reader._next_poll = 0.0
    assert reader.find(key(1)) == line(1)
    writer.append([line(2)])
    reader._next_poll = 0.0
    assert reader.find(key(2)) == line(2)


def test_a_full_disk_loses_no_line_that_is_written_again(tmp_path, monkeypatch):
    own = Segments(tmp_path)
    own.append([line(1)])
    monkeypatch.setattr(os, "fsync", full := _full)
    with pytest.raises(OSError, match="No space left"):
        own.append([line(2)])
    assert full is _full
    monkeypatch.undo()
    own.append([line(3)])
    assert list(Segments(tmp_path).keys()) == [key(1), key(2), key(3)]


def _full(handle):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


KILLED = """
import sys
from pathlib import Path
from workflow_scripts.teacher.segments import Segments
own = Segments(Path(sys.argv[1]))
for number in range(10**6):
    own.append([b'{"key": "%016x"}' % number])
    print(number, flush=True)
"""


def test_every_line_that_was_reported_survives_kill_9(tmp_path):
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as job:
        for _ in range(40):
            reported = int(job.stdout.readline())
        job.send_signal(signal.SIGKILL)
        reported = max([reported, *map(int, job.stdout.read().splitlines())])
    kept = list(Segments(tmp_path).keys())
    assert kept[: reported + 1] == [key(number) for number in range(reported + 1)]


def test_lines_are_removed_from_all_files(tmp_path):
    for numbers in ((1, 2), (2, 3), (4,)):
        own = Segments(tmp_path)
        own.append(map(line, numbers))
        own.close()
    before = {path: path.read_bytes() for path in segment_files(tmp_path)}
    remove_lines(tmp_path, [key(2)])
    assert list(Segments(tmp_path).keys()) == [key(1), key(3), key(4)]
    assert sum(path.read_bytes() == content for path, content in before.items()) == 1

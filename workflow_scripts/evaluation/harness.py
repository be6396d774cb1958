"""Test a completion inside the sandbox. This file imports nothing from the project: `sandbox` passes its text to Python.

This process runs the item's tests; a child runs the prompt with the completion. They exchange arguments and results as
JSON, and only this process can report: the child holds neither the report's pipe nor another way into this process. A
completion therefore passes only if its results pass the tests.
"""

import ctypes
import glob
import json
import os
import resource
import select
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

PR_SET_DUMPABLE = 4  # linux/prctl.h
MAX_REPLY_BYTES = 2**24
MAX_NAME_CHARS = 80
POLL_SECONDS = 0.05  # between two measurements of the memory in use
KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "bytes": bytes,
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iter": iter,
}


class MemoryExceeded(Exception):
    """The processes of the sandbox together use more than the limit."""


def pack(value: Any) -> Any:
    """A value as JSON: numbers, texts and None as they are, anything else as [type, elements]. TypeError for others."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, complex):
        return ["complex", repr(value)]
    for kind in (bytes, list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [kind.__name__, list(map(pack, value))]
    if isinstance(value, dict):
        return ["dict", [[pack(key), pack(element)] for key, element in value.items()]]
    if isinstance(value, Iterable):
        return ["iter", list(map(pack, value))]
    raise TypeError


def unpack(value: Any) -> Any:
    """The value of `pack`. KeyError, TypeError or ValueError for anything else."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "complex":
        return complex(content)
    if kind == "dict":
        return {unpack(key): unpack(element) for key, element in content}
    return KINDS[kind](list(map(unpack, content)))


def run_child(item: dict[str, str], requests: int, replies: int) -> NoReturn:
    """Run the prompt with the completion, then call its function for every request. Does not return."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    with os.fdopen(replies, "w") as out:

        def reply(function: Callable[[], Any]) -> None:
            try:
                text = json.dumps({"value": pack(function())})
            except BaseException as error:
                text = json.dumps({"raised": type(error).__name__})
            out.write(text + "\n")
            out.flush()

        namespace: dict[str, Any] = {"__name__": "__main__"}
        reply(lambda: exec(item["prompt"] + item["completion"], namespace))
        with os.fdopen(requests) as lines:
            for line in lines:
                arguments, named = json.loads(line)
                reply(lambda: namespace[item["entry_point"]](*unpack(arguments), **unpack(named)))  # noqa: B023
    os._exit(0)


class Candidate:
    """The function of a completion, called in the child. A call raises what the function raises, as a class of that name."""

    def __init__(self, requests: int, replies: int, memory: int):
        self._requests, self._replies, self._memory = requests, replies, memory
        self._rest = b""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        os.write(self._requests, json.dumps([pack(arguments), pack(named)]).encode() + b"\n")
        return self.result()

    def result(self) -> Any:
        """The value of the child's next reply. Raises what it reports; EOFError if the child has ended."""
        reply = json.loads(self._line())
        if "raised" in reply:
            name = str(reply["raised"])[:MAX_NAME_CHARS]
            raise type(name if name.isidentifier() else "Exception", (Exception,), {})
        return unpack(reply["value"])

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            while not select.select([self._replies], [], [], POLL_SECONDS)[0]:
                if memory_in_use() > self._memory:
                    raise MemoryExceeded
            block = os.read(self._replies, 2**16)
            self._rest += block
            if not block or len(self._rest) > MAX_REPLY_BYTES:
                raise EOFError
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def memory_in_use() -> int:
    """Bytes of memory of all processes in the sandbox, and of its System V shared memory."""
    pages = 0
    for path in glob.glob("/proc/[0-9]*/statm"):
        try:
            with open(path) as file:
                pages += int(file.read().split()[1])
        except OSError:  # the process has ended
            continue
    with open("/proc/sysvipc/shm") as file:
        names, *rows = (line.split() for line in file)
    column = names.index("rss")
    return pages * resource.getpagesize() + sum(int(row[column]) for row in rows)


def test(item: dict[str, str], candidate: Candidate) -> None:
    """Run the tests of an item. Raises AssertionError, or what the completion raises."""
    candidate.result()  # of the program itself
    namespace: dict[str, Any] = {}
    try:
        exec(item["prompt"], namespace)  # tests may call helper functions of the prompt
    except Exception:
        namespace = {}
    namespace[item["entry_point"]] = candidate
    exec(item["test"], namespace)
    namespace["check"](candidate)


def main() -> None:
    """Read limits and item from standard input; write `started` and the outcome to the descriptor of the first argument.

    It is not standard output, which bubblewrap's process in the sandbox also holds.
    """
    output, job = int(sys.argv[1]), json.loads(sys.stdin.read())
    for name, value in job["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    sys.set_int_max_str_digits(0)
    # The child has the same user. Processes that are not dumpable cannot be traced, nor their descriptors opened.
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("prctl failed")
    os.write(output, b"started\n")
    requests, replies = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(requests[1])
        os.close(replies[0])
        os.close(output)
        run_child(job["item"], requests[0], replies[1])
    os.close(requests[0])
    os.close(replies[1])
    try:
        test(job["item"], Candidate(requests[1], replies[0], job["memory"]))
        report = "passed"
    except (EOFError, BrokenPipeError):
        report = "ended early"
    except BaseException as error:
        report = f"raised {type(error).__name__}"
    os.write(output, report.encode())
    os._exit(0)

"""Token and money budget of a teacher, counted over all jobs and runs that share a cache."""

import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError

MILLION = 1_000_000


class BudgetSpent(UserError):
    """The budget is used up: no further request is sent. Stored answers are kept."""


def price_of(prompt_tokens: int, completion_tokens: int, price: dict[str, Any] | None) -> float:
    """Cost of a number of tokens. `price` = {input, output} per million tokens; a missing price is 0."""
    price = price or {}
    cost: float = prompt_tokens * price.get("input", 0.0) + completion_tokens * price.get("output", 0.0)
    return cost / MILLION


class Ledger:
    """Tokens and money spent: one JSONL file per process in `folder`, one line per paid answer.

    Each process writes a file of its own, and writes the line before the answer is used. The totals therefore include
    all jobs on all machines that share the file system, and jobs that were killed.
    """

    def __init__(self, folder: Path, poll_seconds: float = 2.0):
        self.folder = Path(folder)
        self._own = self.folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._poll_seconds = poll_seconds
        self._last_poll = float("-inf")
        self._read_bytes: dict[str, int] = {}  # bytes already counted, by file name
        self._tokens, self._money = 0, 0.0

    def add(self, prompt_tokens: int, completion_tokens: int, money: float) -> None:
        """Record one answer. The file is closed after each line, because other machines see it only then."""
        row = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "money": money}
        if self._own.name not in self._read_bytes:
            self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._own, "ab", buffering=0) as file:
            file.write(json.dumps(row).encode() + b"\n")
            self._read_bytes[self._own.name] = file.tell()
        self._count(row)

    def spent(self) -> tuple[int, float]:
        """(tokens, money) of all processes. Those of other processes are at most `poll_seconds` old."""
        if time.monotonic() - self._last_poll >= self._poll_seconds:
            self._last_poll = time.monotonic()
            self._poll()
        return self._tokens, self._money

    def _count(self, row: dict[str, Any]) -> None:
        self._tokens += row["prompt_tokens"] + row["completion_tokens"]
        self._money += row["money"]

    def _poll(self) -> None:
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            counted = self._read_bytes.get(entry.name, 0)
            if not entry.name.endswith(".jsonl") or entry.stat().st_size <= counted:
                continue
            with open(entry.path, "rb") as file:
                file.seek(counted)
                lines = file.read()
            lines = lines[: lines.rfind(b"\n") + 1]  # a killed process may leave an incomplete last line
            self._read_bytes[entry.name] = counted + len(lines)
            for line in lines.splitlines():
                self._count(json.loads(line))


class Budget:
    """The limits of `teacher.budget`: `limits` = {max_tokens, max_money}, where None means no limit."""

    def __init__(self, limits: dict[str, Any] | None, price: dict[str, Any] | None, ledger: Ledger):
        limits = limits or {}
        self.price = price or {}
        self.currency = self.price.get("currency", "")
        self.ledger = ledger
        self._max_tokens, self._max_money = limits.get("max_tokens"), limits.get("max_money")

    def charge(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Record one answer in the ledger and return its cost."""
        money = price_of(prompt_tokens, completion_tokens, self.price)
        self.ledger.add(prompt_tokens, completion_tokens, money)
        return money

    def spent(self) -> str | None:
        """Which limit is reached and how much was spent, as text; None while all limits are kept."""
        if self._max_tokens is None and self._max_money is None:
            return None
        tokens, money = self.ledger.spent()
        if self._max_tokens is not None and tokens >= self._max_tokens:
            return f"{tokens:,} tokens of `teacher.budget.max_tokens` {self._max_tokens:,}"
        if self._max_money is not None and money >= self._max_money:
            return f"{money:,.4f} {self.currency} of `teacher.budget.max_money` {self._max_money:,}".replace("  ", " ")
        return None

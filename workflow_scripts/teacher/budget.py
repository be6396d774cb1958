"""What a teacher has cost, over all jobs and runs that share a cache, and where to stop."""

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
    """Nothing more may be asked; what was paid for is kept."""


def price_of(prompt_tokens: int, completion_tokens: int, price: dict[str, Any] | None) -> float:
    """Money for so many tokens, at `price` = {input, output} a million tokens."""
    price = price or {}
    return (prompt_tokens * price.get("input", 0.0) + completion_tokens * price.get("output", 0.0)) / MILLION


class Ledger:
    """Tokens and money spent, one file a process in `folder`, each line one paid answer.

    No two processes write one file, and a line is there before its answer is used; so several jobs, on one machine or
    on several that share a file system, and jobs that were killed, all count.
    """

    def __init__(self, folder: Path, every_seconds: float = 2.0):
        self.folder = Path(folder)
        self._own = self.folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._every_seconds = every_seconds
        self._looked = float("-inf")
        self._read: dict[str, int] = {}  # bytes of each file that are counted
        self._tokens, self._money = 0, 0.0

    def add(self, prompt_tokens: int, completion_tokens: int, money: float) -> None:
        """Write down one answer. The file is closed again: only so do other machines see it."""
        row = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "money": money}
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._own, "ab", buffering=0) as file:
            file.write(json.dumps(row).encode() + b"\n")
        self._read[self._own.name] = self._own.stat().st_size
        self._count(row)

    def spent(self) -> tuple[int, float]:
        """Tokens and money of all processes; those of others as they were at most `every_seconds` ago."""
        if time.monotonic() - self._looked >= self._every_seconds:
            self._looked = time.monotonic()
            self._look()
        return self._tokens, self._money

    def _count(self, row: dict[str, Any]) -> None:
        self._tokens += row["prompt_tokens"] + row["completion_tokens"]
        self._money += row["money"]

    def _look(self) -> None:
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            counted = self._read.get(entry.name, 0)
            if not entry.name.endswith(".jsonl") or entry.stat().st_size <= counted:
                continue
            with open(entry.path, "rb") as file:
                file.seek(counted)
                lines = file.read()
            lines = lines[: lines.rfind(b"\n") + 1]  # the last line of a killed process may be half a line
            self._read[entry.name] = counted + len(lines)
            for line in lines.splitlines():
                self._count(json.loads(line))


class Budget:
    """`limits` = {max_tokens, max_money} of the config, None where there is none."""

    def __init__(self, limits: dict[str, Any] | None, price: dict[str, Any] | None, ledger: Ledger):
        limits = limits or {}
        self.price = price or {}
        self.currency = self.price.get("currency", "")
        self.ledger = ledger
        self._max_tokens, self._max_money = limits.get("max_tokens"), limits.get("max_money")
        if self._max_money is not None and not (self.price.get("input") or self.price.get("output")):
            raise UserError(
                "`teacher.budget.max_money` limits nothing while `teacher.price` is 0. Give the prices of a million tokens."
            )

    def charge(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Write down one answer; the money it cost."""
        money = price_of(prompt_tokens, completion_tokens, self.price)
        self.ledger.add(prompt_tokens, completion_tokens, money)
        return money

    def spent(self) -> str | None:
        """What was spent of which limit, if one is reached."""
        if self._max_tokens is None and self._max_money is None:
            return None
        tokens, money = self.ledger.spent()
        if self._max_tokens is not None and tokens >= self._max_tokens:
            return f"{tokens:,} tokens of `teacher.budget.max_tokens` {self._max_tokens:,}"
        if self._max_money is not None and money >= self._max_money:
            return f"{money:,.4f} {self.currency} of `teacher.budget.max_money` {self._max_money:,}".replace("  ", " ")
        return None

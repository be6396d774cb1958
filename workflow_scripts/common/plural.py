"""Counts in messages and pages, with singular and plural."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`number` with thousands separators and its noun: `1 hit`, `1,234 hits`. `plural` is for irregular nouns."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"

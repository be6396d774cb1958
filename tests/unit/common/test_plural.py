"""Counts with singular and plural."""

import pytest

from workflow_scripts.common.plural import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("hit",), "0 hits"),
        (1, ("hit",), "1 hit"),
        (1234, ("hit",), "1,234 hits"),
        (1, ("entry", "entries"), "1 entry"),
        (2, ("entry", "entries"), "2 entries"),
    ],
)
def test_counts(number, words, text):
    assert counted(number, *words) == text

"""Every regular expression that reads data or replies takes time that is linear in the length of the text."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_no_pattern_is_slower_than_linear():
    """In a process of its own: a pattern with exponential time cannot be interrupted."""
    command = [sys.executable, "-u", "-m", "tests.support.pattern_floods"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"never ended: {(expired.stdout or b'').decode().splitlines()[-1:]}") from None
    lines = printed.splitlines()
    assert len(lines) > 100
    assert [line for line in lines if line.startswith("SLOW")] == []

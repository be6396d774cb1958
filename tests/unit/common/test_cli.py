"""Errors of an entry point: one line and exit status 1; a bug keeps its traceback."""

import errno

import pytest

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("seeds.jsonl, line 3: fix it."), "error: seeds.jsonl, line 3: fix it."),
        (OSError(errno.ENOSPC, "No space", "results/x"), "error: results/x: the disk is full."),
        (PermissionError(errno.EACCES, "Denied", "results/x"), "error: results/x: permission denied."),
        (
            NotADirectoryError(errno.ENOTDIR, "Not", "results/x"),
            "error: results/x: a file is where a folder is needed.",
        ),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(error, line):
    with pytest.raises(SystemExit) as caught:
        run(failing(error))
    assert str(caught.value.code).startswith(line)
    assert "\n" not in caught.value.code


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError(errno.ENOENT, "No such file", "x")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run(failing(error))

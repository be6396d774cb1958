"""Talking to a model: every line is a question of the same conversation; a folder without a model is one line."""

import io
import sys

import pytest

from tests.tiny_training import make_base
from workflow_scripts.cli.chat import main
from workflow_scripts.common.errors import UserError


def test_questions_are_answered_until_the_input_ends(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Why?\n\nHow so?\n/new\nStone?\n/quit\nnever\n"))
    main(["--model", str(make_base(tmp_path)), "--max-new-tokens", "4"])
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("USER: ")] == [
        "USER: Why?",
        "USER: How so?",
        "USER: Stone?",
    ]
    assert printed.count("ASSISTANT: ") == 3


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match="no model there"):
        main(["--model", str(tmp_path)])

"""Chat: every line is a question in the same conversation; the model is a name in `training.models` or a folder."""

import io
import sys
from pathlib import Path

import pytest

from tests.support.tiny_training import make_base
from workflow_scripts.cli.chat import main, model_folder
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


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no model there"):
        main(["--model", str(tmp_path)])


def test_the_model_by_name_by_default_and_by_folder(tmp_path, monkeypatch):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(f"run: mine\nresults: {tmp_path}\ntraining: {{models: {{own: {{data: first_exchange}}}}}}\n")
    assert model_folder(None, []) == Path("results/pocket/training/capybara/final")
    assert model_folder(None, [overlay]) == tmp_path / "mine" / "training" / "capybara" / "final"
    assert model_folder("own", [overlay]) == tmp_path / "mine" / "training" / "own" / "final"
    assert model_folder("docs", [overlay]) == Path("docs")
    with pytest.raises(
        UserError, match=r"--model onw: neither a folder nor one of `training\.models`; did you mean `own`\?"
    ):
        model_folder("onw", [overlay])
    monkeypatch.chdir(tmp_path)  # a path needs no configuration
    assert model_folder("some/folder", []) == Path("some/folder")

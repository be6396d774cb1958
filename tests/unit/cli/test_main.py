"""The `capybara` command: one help page, one way to read configurations, one line for each error."""

import argparse
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workflow_scripts.cli.configuration import checked_configuration
from workflow_scripts.cli.main import COMMANDS, dispatch
from workflow_scripts.common.errors import UserError

CONFIGURED = ["estimate", "plan", "chat", "publish", "cache export", "cache import", *(f"review {name}" for name in ("invite", "push", "fetch", "sheet"))]  # fmt: skip
PYPROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))


def capybara(*words):
    command = [sys.executable, "-m", "workflow_scripts.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True)


def help_of(words, capsys):
    with pytest.raises(SystemExit) as done:
        dispatch([*words.split(), "--help"])
    assert done.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_every_command_with_its_purpose(capsys):
    page = " ".join(help_of("", capsys).split())
    for name, purpose in COMMANDS.items():
        assert f" {name} {purpose}" in page
    modules = {path.stem for path in Path("workflow_scripts/cli").glob("*.py")}
    assert modules == {*COMMANDS, "main", "configuration", "further_checks", "__init__"}


@pytest.mark.parametrize("words", sorted({*COMMANDS, *CONFIGURED, "review start"}))
def test_each_command_has_a_help_page(words, capsys):
    page = help_of(words, capsys)
    assert page.startswith(f"usage: capybara {words} ")
    assert ("--configfile FILE [FILE ...]" in page) == (words in CONFIGURED)


def test_without_a_command_or_with_an_unknown_one(capsys):
    for words, message in (([], "COMMAND"), (["estimat"], "invalid choice: 'estimat'")):
        with pytest.raises(SystemExit) as done:
            dispatch(words)
        assert done.value.code == 2 and message in capsys.readouterr().err


def test_the_help_imports_no_command_and_nothing_heavy():
    script = (
        "import sys; from workflow_scripts.cli.main import dispatch\n"
        "try: dispatch(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {"torch", "transformers", "snakemake", "pyarrow", "numpy", "huggingface_hub"} & loaded
    assert {name for name in loaded if name.startswith("workflow_scripts.cli.")} == {"workflow_scripts.cli.main"}


def test_an_error_is_one_line():
    done = capybara("estimate", "--configfile", "no.yaml")
    assert (done.returncode, done.stderr) == (1, "error: no.yaml: no such file; did you mean `config.yaml`?\n")


def test_configuration_errors_are_listed(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {over_long: cut, epochs: many}\n")
    with pytest.raises(UserError) as caught:
        checked_configuration([path])
    first, *lines = str(caught.value).splitlines()
    assert first == "the configuration has errors:"
    assert lines[0] == f"  {path}, line 1: training.over_long: renamed to training.overflow."
    assert lines[1].startswith(f"  {path}, line 1: training.epochs: 'many' is a string; expected a number (")


def test_no_command_needs_the_key_of_the_teacher(tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    (tmp_path / "mine.yaml").write_text(
        "run: mine\nteacher: {kind: endpoint, base_url: https://a.b/v1, model: m, api_key_env: MY_KEY}\n"
    )
    assert checked_configuration([tmp_path / "mine.yaml"])["teacher"]["api_key_env"] == "MY_KEY"


def test_the_script_that_pip_installs():
    module, name = PYPROJECT["project"]["scripts"]["capybara"].split(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert PYPROJECT["build-system"]["build-backend"] == "setuptools.build_meta"


def test_every_file_of_the_package_is_installed():
    """Packages are folders with Python modules; every other file matches a pattern of the package data."""
    packages = {".".join(path.parent.parts) for path in Path("workflow_scripts").rglob("*.py")}
    assert all((Path(*name.split(".")) / "__init__.py").is_file() for name in packages)
    assert PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"] == ["workflow_scripts*"]
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["workflow_scripts"]
    files = [path for path in Path("workflow_scripts").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        inside = path.relative_to("workflow_scripts").as_posix()
        assert path.suffix == ".py" or any(re.fullmatch(rf".*\{pattern[4:]}", inside) for pattern in patterns), path
    assert all(pattern.startswith("**/*.") for pattern in patterns)


def test_every_option_has_a_description(monkeypatch):
    parsers = []
    original = argparse.ArgumentParser.parse_args

    def record(parser, words=None, namespace=None):
        parsers.append(parser)
        return original(parser, words, namespace)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", record)
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            dispatch([name, "--help"])
    for parser in parsers:
        for action in parser._actions:
            children = action.choices.values() if isinstance(action, argparse._SubParsersAction) else []
            for option in [action, *(inner for child in children for inner in child._actions)]:
                assert option.help or isinstance(option, argparse._SubParsersAction), (parser.prog, option.dest)

"""docs/configuration.md is generated: it lists every key, and no edit of the schema or the defaults is missing."""

import re
from pathlib import Path

import pytest

from workflow_scripts.config.documentation import render
from workflow_scripts.config.renamed import RENAMED
from workflow_scripts.config.schema import schema

PAGE = Path("docs/configuration.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date(config):
    """If this fails: `make docs`."""
    assert render(config) == PAGE


def test_every_key_of_the_defaults_is_listed(config):
    listed = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    with_names = {key.split(".NAME")[0] for key in listed if ".NAME" in key}
    with_names |= set(re.findall(r"^\| `([\w.]+)` \| mapping from", PAGE, re.MULTILINE))

    def keys(value, path):
        for name, inner in value.items():
            key = f"{path}.{name}" if path else name
            yield key
            if isinstance(inner, dict) and key not in with_names:
                yield from keys(inner, key)

    sections = {name for name, part in schema()["properties"].items() if "properties" in part}
    assert set(keys(config, "")) - sections <= listed
    assert {"seeds.sources[].path", "evaluation.custom.NAME.tasks.NAME.shots"} <= listed


@pytest.mark.parametrize(
    "row",
    [
        "| `seeds.limit` | integer ≥ 1 | `64` | maximum number of seeds; a sample by the hash of their content |",
        "| `dataset.test_fraction` | number > 0, < 1 | `0.1` | share of the conversations in the test split |",
        "| `training.base.revision` | string or null | `null` | commit of a Hub model |",
        "| `verification.accept` | list of any of correct, minor_error | `[correct]` | verdicts",
        "| `synthesis.recipe[].weight` | number > 0 | required | relative frequency |",
        "| `evaluation.num_fewshot` | mapping from NAME to integer ≥ 0 | `{}` |",
        "| `evaluation.multi_turn.answer_tokens` | integer ≥ 1 | `512` |",
    ],
)
def test_rows(row):
    assert any(line.startswith(row) for line in PAGE.splitlines())


def test_every_section_and_every_renamed_key_is_there():
    for name, part in schema()["properties"].items():
        assert "properties" not in part or f"\n## {name}\n" in PAGE
    assert all(f"| `{old}` | `{new}` |" in PAGE for old, new in RENAMED.items())


def test_links_lead_to_files():
    assert all((Path("docs") / target).is_file() for target in re.findall(r"\]\(([^)]+)\)", PAGE))

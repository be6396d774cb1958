"""The schema: a description for every key, and messages for keys and values of earlier versions."""

import copy

import pytest
import yaml

from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import merged_config
from workflow_scripts.config.renamed import RENAMED, RENAMED_VALUES
from workflow_scripts.config.schema import PATTERNS, schema, section_errors


def test_every_key_has_a_description():
    definitions = schema()["$defs"]

    def undocumented(part, path):
        for name, inner in part.get("properties", {}).items():
            inner = {**definitions.get(inner.get("$ref", "").removeprefix("#/$defs/"), {}), **inner}
            if "description" not in inner:
                yield f"{path}.{name}"
            for child in (inner, inner.get("items"), inner.get("additionalProperties")):
                if isinstance(child, dict):
                    yield from undocumented(child, f"{path}.{name}")

    assert list(undocumented(schema(), "")) == []


def test_every_pattern_is_explained_in_words():
    def patterns(part):
        if isinstance(part, dict):
            for key, inner in part.items():
                if key == "pattern" and isinstance(inner, str):
                    yield inner
                else:
                    yield from patterns(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from patterns(inner)

    assert set(patterns(schema())) == set(PATTERNS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.warmup_ratio", 1, "training.warmup_ratio: 1 must be less than 1 (share of the steps with warm-up)."),
        ("training.weight_decay", float("nan"), "training.weight_decay: nan is not a finite number."),
        ("training.learning_rate", float("inf"), "training.learning_rate: inf is not a finite number."),
        ("training.learning_rate", "2e-5x", "training.learning_rate: '2e-5x' is a string; expected a number (peak learning rate of AdamW)."),
    ],
)  # fmt: skip
def test_numbers_outside_their_range(config, key, value, message):
    assert mistakes(with_value(config, key, value)) == [message]


def lookup(part, key):
    """The schema of a dotted key, or None."""
    for name in key.split("."):
        part = part.get("properties", {}).get(name)
        if part is None:
            return None
    return part


def with_value(config, key, value):
    """A copy of the configuration with a dotted key set."""
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    section = config
    for name in path:
        section[name] = section[name] or {}  # an optional section
        section = section[name]
    section[last] = value
    return config


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_names_the_new_one(config, old, new):
    assert lookup(schema(), old) is None and lookup(schema(), new) is not None
    assert f"{old}: renamed to {new}." in mistakes(with_value(config, old, 1))


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_in_a_file(tmp_path, old, new):
    """In a preset or in a user's file, on top of config.yaml."""
    content = 1
    for name in reversed(old.split(".")):
        content = {name: content}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    assert f"{old}: renamed to {new}." in mistakes(merged_config([path]))


@pytest.mark.parametrize(("old", "new"), [names for names in RENAMED.items() if names[0].startswith("training.")])
def test_a_renamed_key_of_a_model(config, old, new):
    config["training"]["models"]["a"] = {old.removeprefix("training."): 1}
    new = new.removeprefix("training.")
    assert mistakes(config) == [
        f"training.models.a.{old.removeprefix('training.')}: renamed to training.models.a.{new}."
    ]


@pytest.mark.parametrize(("key", "old", "new"), [(*names, new) for names, new in RENAMED_VALUES.items()])
def test_a_renamed_value_names_the_new_one(config, key, old, new):
    values = lookup(schema(), key)["enum"]
    assert old not in values and new in values
    assert mistakes(with_value(config, key, old)) == [f"{key}: {old} was renamed to {new}."]


def test_a_renamed_value_of_a_model(config):
    config["training"]["models"]["a"] = {"batching": "flat"}
    assert mistakes(config) == ["training.models.a.batching: flat was renamed to padding_free."]


def test_a_value_of_another_file_has_the_errors_of_its_section():
    assert section_errors("decontamination", "allow", [{"benchmark": "x"}]) == [
        "[0].item: missing.",
        "[0].reason: missing.",
    ]
    assert section_errors("decontamination", "custom", {}) == []


def test_a_long_value_is_shortened(config):
    (line,) = mistakes(with_value(config, "seeds.limit", "x" * 500))
    assert line.startswith(f"seeds.limit: '{'x' * 76}... is a string; expected an integer (")

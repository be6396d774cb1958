"""The environments of single rules hold exactly what the one environment of `make run` holds."""

import re
from pathlib import Path

import pytest
import yaml

PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?==(\S+)$")


def pins(lines):
    found = [PIN.match(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert all(found), "a line without an exact pin"
    return {match[1].lower().replace("_", "-"): match[2] for match in found}


LOCK = pins(Path("requirements.txt").read_text().splitlines())
NO_DEPS = pins(Path("requirements-no-deps.txt").read_text().splitlines())


@pytest.mark.parametrize("path", sorted(Path("envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_of_a_rule_are_those_of_the_lock(path):
    packages = next(part["pip"] for part in yaml.safe_load(path.read_text())["dependencies"] if isinstance(part, dict))
    assert packages and {name: LOCK.get(name) for name in pins(packages)} == pins(packages)


def test_the_lock_keeps_what_was_asked_for():
    asked = pins(Path("requirements.in").read_text().splitlines())
    assert {name: LOCK.get(name) for name in asked} == asked


@pytest.mark.parametrize("path", sorted(Path("envs").glob("*.post-deploy.sh")), ids=lambda path: path.name)
def test_post_deploy_pins(path):
    found = pins(word for word in path.read_text().split() if "==" in word)
    assert found == NO_DEPS


def test_every_rule_names_an_environment_that_exists():
    named = {
        name for path in Path("rules").glob("*.smk") for name in re.findall(r'"\.\./envs/(.+?)"', path.read_text())
    }
    assert named == {path.name for path in Path("envs").glob("*.yaml")}

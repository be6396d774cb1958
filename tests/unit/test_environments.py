"""One set of pins: requirements.txt holds it, the conda environments of the rules and requirements.in repeat it."""

import ast
import re
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from workflow_scripts.config.code import source_files

ENVIRONMENTS = sorted(Path("envs").glob("*.yaml"))
RULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path("rules").glob("*.smk")))
# Some rules choose between two by the configuration.
CHOICES = dict(
    re.findall(r'^(\w+_ENVIRONMENT) = "\.\./envs/vllm\.yaml" if .* else "\.\./(envs/\w+\.yaml)"$', RULES, re.MULTILINE)
)
NAMED = re.findall(
    r'source_files\("(\w+)"\).*?conda:\s+("\.\./envs/\w+\.yaml"|\w+_ENVIRONMENT)', RULES, flags=re.DOTALL
)
JOBS = [
    (entry_point, environment)
    for entry_point, name in NAMED
    for environment in ([CHOICES[name], "envs/vllm.yaml"] if name in CHOICES else [name.strip('"').removeprefix("../")])
]


def normal(name):
    """A distribution's name as package indexes compare it, without extras."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def pins(lines):
    """{name: version} of `name==version` lines; anything else but a comment is no pin, and an error."""
    lines = [line.partition("#")[0].strip() for line in lines]
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines if line}


def file_pins(name):
    return pins(Path(name).read_text(encoding="utf-8").splitlines())


def environment_pins(path):
    dependencies = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    return pins(next(part["pip"] for part in dependencies if isinstance(part, dict)))


LOCKED = file_pins("requirements.txt")
ALONE = file_pins("requirements-no-deps.txt")
# vLLM's own limits are narrower than ours. TEST_ENVIRONMENTS=1 pytest tests/workflow/test_conda.py builds it.
VLLMS = {"vllm", "numpy", "torch", "transformers"}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_repeats_the_pins(path):
    found = environment_pins(path)
    assert found
    if path.stem == "vllm":
        assert found.keys() >= VLLMS
        found = {name: version for name, version in found.items() if name not in VLLMS}
    assert found == {name: LOCKED.get(name) for name in found}


def test_the_lock_holds_what_is_asked_for():
    asked = file_pins("requirements.in")
    assert asked == {name: LOCKED.get(name) for name in asked}


def test_scripts_after_the_deployment_repeat_the_pins():
    scripts = sorted(Path("envs").glob("*.post-deploy.sh"))
    assert scripts
    for path in scripts:
        lines = re.findall(r"[\w.-]+==[\w.]+", path.read_text(encoding="utf-8"))
        assert pins(lines) == ALONE, path
        assert path.with_name(path.name.replace(".post-deploy.sh", ".yaml")) in ENVIRONMENTS


def test_label_studio_is_apart_with_exact_pins():
    apart = file_pins("requirements-review.txt")
    assert {"label-studio", "label-studio-sdk", "django"} <= set(apart)
    assert "label-studio" not in LOCKED


def test_torch_is_the_one_version_whose_cpu_build_is_at_hand():
    assert LOCKED["torch"] == "2.13.0"


def imported(path):
    """Names of the packages from outside that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def with_dependencies(names):
    """The distributions that installing the named ones brings along, themselves included."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # one that this machine does not need
            continue
        todo += [normal(one.name) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def test_every_rule_has_an_environment():
    assert len(NAMED) == RULES.count("source_files(")
    assert {Path(name) for _, name in JOBS} == set(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("entry_point", "environment"), JOBS, ids=[f"{name} in {Path(path).stem}" for name, path in JOBS]
)
def test_an_environment_holds_what_its_code_imports(entry_point, environment):
    names = {name for path in source_files(entry_point) for name in imported(path)}
    names -= {"workflow_scripts", *sys.stdlib_module_names}
    if environment == "envs/vllm.yaml":
        names -= {"xllamacpp"}  # the other kind of teacher
    distributions = packages_distributions()
    wanted = {normal(distributions[name][0]) for name in names}
    assert wanted <= with_dependencies(environment_pins(Path(environment)))

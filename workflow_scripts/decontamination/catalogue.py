"""The benchmarks that are known by name, and suites of them."""

import functools

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml


@functools.cache
def known() -> tuple[dict[str, Row], dict[str, list[str]]]:
    """The entries of benchmarks.yaml and of suites.yaml, by name."""
    files = package_file("decontamination/benchmarks.yaml"), package_file("decontamination/suites.yaml")
    benchmarks, suites = (read_yaml(path) for path in files)
    return benchmarks, suites


def resolve(names: list[str], custom: dict[str, Row]) -> tuple[dict[str, Row], dict[str, list[str]]]:
    """The entry of each benchmark, named alone or by its suite, and the benchmarks of each name, in the given order.

    UserError for a name that is neither known nor in `custom`.
    """
    benchmarks, suites = known()
    benchmarks = benchmarks | custom
    members = {}
    for name in names:
        if name in benchmarks:
            members[name] = [name]
        elif name in suites:
            members[name] = suites[name]
        else:
            raise UserError(f"unknown benchmark {name}; {suggest(name, sorted([*benchmarks, *suites]))}")
    entries = {name: benchmarks[name] for benchmarks_of_name in members.values() for name in benchmarks_of_name}
    return entries, members

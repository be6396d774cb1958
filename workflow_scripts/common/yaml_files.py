"""YAML files."""

from pathlib import Path
from typing import Any

import yaml

# libyaml's parser is about eight times as fast; wheels of PyYAML contain it, some distributions do not.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises yaml.YAMLError if it is not valid."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)

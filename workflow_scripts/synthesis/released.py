"""The released file's properties (`released.yaml`)."""

from typing import Final

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.common.yaml_files import read_yaml

_content: Row = read_yaml(package_file("synthesis/released.yaml"))
SOURCES: Final[dict[str, Row]] = _content["sources"]
FIGURES: Final[dict[str, Row]] = _content["figures"]
MEAN_ANSWER_CHARS: Final = float(FIGURES["answer_chars"]["released"])
# Sources whose answers are short because they were not amplified set no target length.
ANSWER_CHARS: Final = {name: float(means["answer_chars"]) for name, means in SOURCES.items() if means.get("amplified")}

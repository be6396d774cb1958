"""The prompt that asks a teacher for scores, a Jinja file."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.prompts import Prompts

render = Prompts(package_file("seeds/scores/prompts")).render

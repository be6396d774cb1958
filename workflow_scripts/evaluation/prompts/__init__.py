"""The prompt of the judge, a Jinja file."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.prompts import Prompts

PROMPTS = Prompts(package_file("evaluation/prompts"))

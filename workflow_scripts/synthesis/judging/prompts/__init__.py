"""The prompt of the judge, a Jinja file."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.prompts import Prompts

_prompts = Prompts(package_file("synthesis/judging/prompts"))
render, hashes = _prompts.render, _prompts.hashes

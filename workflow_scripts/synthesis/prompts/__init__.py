"""The prompts of Amplify-Instruct and of the techniques before it, one Jinja file each."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.prompts import Prompts

_prompts = Prompts(package_file("synthesis/prompts"))
render, hashes = _prompts.render, _prompts.hashes

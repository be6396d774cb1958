"""The prompts of Amplify-Instruct and the techniques before it, one Jinja file each."""

from pathlib import Path

from workflow_scripts.common.prompts import Prompts

_prompts = Prompts(Path(__file__).parent)
render, hashes = _prompts.render, _prompts.hashes

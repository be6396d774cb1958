"""The judge's prompt, a Jinja file."""

from pathlib import Path

from workflow_scripts.common.prompts import Prompts

PROMPTS = Prompts(Path(__file__).parent)

"""The prompt that asks a teacher for labels, a Jinja file."""

from pathlib import Path

from workflow_scripts.common.prompts import Prompts

render = Prompts(Path(__file__).parent).render

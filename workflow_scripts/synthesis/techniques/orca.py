"""Orca: the answer explained under one of sixteen system messages, which hold for the whole conversation."""

import functools
import re

import yaml

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.quality import answer_fault

THEMES: list[Row] = yaml.safe_load(package_file("synthesis/techniques/orca_themes.yaml").read_text(encoding="utf-8"))
# "A) … B) …" anywhere, "A. … B. …" at line starts; with colons, which dialogues have too, it takes a C.
OPTIONS = re.compile(
    r"(?:^|[\s(])A\)\s*\S.*?[\s(]B\)\s*\S|^\s*A\.\s.*?^\s*B\.\s|^\s*A:\s.*?^\s*B:\s.*?^\s*C:\s",
    re.DOTALL | re.MULTILINE,
)


def is_multiple_choice(draft: Draft) -> bool:
    """Whether the opening asks to choose from lettered options, or the seed's source says so."""
    said = draft.instruction == draft.seed["instruction"] and draft.seed["meta"].get("category") == "multiple_choice"
    return said or OPTIONS.search(draft.question) is not None


class Orca:
    """No settings. The themes are the paper's, their wording is ours (`orca_themes.yaml`)."""

    name = "orca"
    citation = "Mukherjee et al. 2023, Orca, arXiv 2306.02707"

    def fits(self, seed: Row) -> bool:
        return seed["kind"] != "conversation"

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """A system message, and a first answer that explains under it what was known before."""
        choice = is_multiple_choice(draft)
        theme = draft.rng.choice([theme for theme in THEMES if theme["only_multiple_choice"] == choice])
        draft.system = scribe.prompt(draft, "orca_system", message=theme["message"]) if theme["message"] else ""
        asked = draft.instruction == draft.seed["instruction"]
        known = draft.answer or (asked and draft.seed["meta"].get("reference")) or ""
        messages = [
            {"role": "system", "content": draft.system or scribe.prompt(draft, "expert")},
            {"role": "user", "content": scribe.prompt(draft, "orca_answer", question=draft.question, known=known)},
        ]
        check = functools.partial(answer_fault, conversation=[{"input": draft.question, "output": known}])
        draft.answer = await scribe.write(draft, "answer", messages, check)
        draft.steps.append({"name": self.name, "theme": theme["name"], "known_answer": bool(known)})

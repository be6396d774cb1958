"""Orca: an explained answer under one of sixteen system messages.

The message is the beginning of the first request, as in every conversion of a dataset with system messages to
Capybara's layout, so that the training text contains the reason for the form of the answers.
"""

import functools
import re

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.answering import answer_system
from workflow_scripts.synthesis.draft import SEED_OPENING, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import answer_fault
from workflow_scripts.synthesis.request_kinds import kind_of_opening

THEMES: list[Row] = read_yaml(package_file("synthesis/techniques/orca_themes.yaml"))
# "A) … B) …" anywhere, "A. … B. …" at line starts; with colons a C is required, because dialogues have A and B too.
OPTIONS = [
    [re.compile(pattern, re.MULTILINE) for pattern in patterns]
    for patterns in (
        (r"(?:^|[\s(])A\)\s*\S", r"[\s(]B\)\s*\S"),
        (r"^[^\S\n]*A\.\s", r"^[^\S\n]*B\.\s"),
        (r"^[^\S\n]*A:\s", r"^[^\S\n]*B:\s", r"^[^\S\n]*C:\s"),
    )
]


def is_multiple_choice(draft: Draft) -> bool:
    """Whether the opening has lettered options, or is a seed whose source labels it as multiple choice."""
    labelled = draft.opening == SEED_OPENING and draft.seed["meta"].get("category") == "multiple_choice"
    return labelled or any(_in_order(patterns, draft.question) for patterns in OPTIONS)


def _in_order(patterns: list[re.Pattern[str]], text: str) -> bool:
    """Whether the text contains a match of each pattern, one after the other."""
    end = 0
    for pattern in patterns:
        if (match := pattern.search(text, end)) is None:
            return False
        end = match.end()
    return True


class Orca:
    """No settings. The themes are documented in the paper, their wording is ours (`orca_themes.yaml`)."""

    name = "orca"
    citation = "Mukherjee et al. 2023, Orca, arXiv 2306.02707"
    source = ""  # it writes no opening

    def fits(self, seed: Seed) -> bool:
        return seed["kind"] != "conversation"

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Put a message before the request, and generate an answer that explains the known one, if there is one."""
        choice = is_multiple_choice(draft)
        theme = draft.rng.choice([theme for theme in THEMES if theme["only_multiple_choice"] == choice])
        draft.preface = theme["message"]
        known = draft.answer or draft.reference
        prompt = generator.prompt(draft, "orca_answer", question=draft.question, known=known)
        messages = [
            {"role": "system", "content": answer_system(draft, generator, kind_of_opening(draft))},
            {"role": "user", "content": prompt},
        ]
        check = functools.partial(answer_fault, conversation=[{"input": draft.question, "output": known}])
        draft.answer = await generator.write(draft, "answer", messages, check)
        draft.steps.append({"name": self.name, "theme": theme["name"], "known_answer": bool(known)})

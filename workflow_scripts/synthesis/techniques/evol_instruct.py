"""Evol-Instruct: the instruction made harder in depth, or exchanged for a rarer one in breadth, over some rounds."""

import functools
import re

from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.techniques.instruction import answer, bare, fault, rewritable

BREADTH, INPUT = "breadth", "complicate_input"
# Operation: its prompt, and how many words it may add. The paper's 10 to 20, counted generously.
OPERATIONS = {
    "add_constraints": ("evol_in_depth", 40),
    "deepen": ("evol_in_depth", 40),
    "concretise": ("evol_in_depth", 40),
    "more_reasoning": ("evol_in_depth", 40),
    INPUT: ("evol_complicate_input", 250),
    BREADTH: ("evol_in_breadth", 60),
}
KEPT = 0.6  # of the words of an instruction that is to grow
SHORT = 80  # words
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about all also am an and any are as at be been but by can could did do does for from had has have he her his
        how i if in into is it its just me my no not of on or our s she so some t than that the their them then there these
        they this those to too us was we were what when which who will with would you your""",
    )
)
GAIN = {
    "type": "object",
    "properties": {"asks_for_more": {"type": "boolean"}},
    "required": ["asks_for_more"],
    "additionalProperties": False,
}


class EvolInstruct:
    """Settings: `rounds`, and `operations` with their weights. An eliminated round keeps what was there before it."""

    name = "evol_instruct"
    citation = "Xu et al. 2023, WizardLM, arXiv 2304.12244"

    def fits(self, seed: Row) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        settings = scribe.settings["techniques"][self.name]
        done: list[str] = []
        eliminated: list[Row] = []
        failed: set[str] = set()  # with the instruction as it stands: the same request would fail again
        for _ in range(settings["rounds"]):
            barred = failed | ({INPUT} if draft.context else set())  # which has its input already
            weights = {name: weight for name, weight in sorted(settings["operations"].items()) if name not in barred}
            if not any(weights.values()):
                break
            operation = draft.rng.choices(list(weights), weights=list(weights.values()))[0]
            try:
                await self._evolve(draft, scribe, operation)
            except BadTurn as error:
                failed.add(operation)
                eliminated.append({"operation": operation, "reason": str(error)})
            else:
                failed.clear()
                done.append(operation)
        draft.steps.append({"name": self.name, "operations": done, "eliminated": eliminated})

    async def _evolve(self, draft: Draft, scribe: Scribe, operation: str) -> None:
        """Another opening with its answer; BadTurn, and no change, by the paper's four rules of elimination."""
        prompt, added = OPERATIONS[operation]
        content = scribe.prompt(
            draft, prompt, operation=operation, instruction=draft.instruction, context=draft.context, domain=draft.seed["domain"]
        )  # fmt: skip
        check = functools.partial(_evolved_fault, original=draft.instruction, added=added, grows=operation != BREADTH)
        evolved = await scribe.write(draft, "instruction", [{"role": "user", "content": content}], check, bare)
        content = scribe.prompt(draft, "evol_gain", first=draft.instruction, second=evolved)
        judged = await scribe.judge(draft, [{"role": "user", "content": content}], GAIN)
        if not judged["asks_for_more"]:
            raise BadTurn("evol_instruct:no_gain")
        context = "" if operation == BREADTH else draft.context
        answered = await answer(draft, scribe, f"{evolved}\n\n{context}" if context else evolved)
        if found := elimination(answered):
            raise BadTurn(f"evol_instruct:{found}")
        draft.instruction, draft.context, draft.answer = evolved, context, answered


def elimination(answered: str) -> str | None:
    """Why an answer shows that its instruction failed (the paper's rules 2 and 3), or None."""
    words = re.findall(r"[^\W_]+", answered.casefold())
    if "sorry" in words and len(words) < SHORT:
        return "sorry"
    return "says_nothing" if STOP_WORDS.issuperset(words) else None


def _evolved_fault(text: str, original: str, added: int, grows: bool) -> str | None:
    """Rule 4 (`prompt_words`) and more; an instruction in breadth may be up to twice as long."""
    length = len(original.split())
    if grows and len(text.split()) < KEPT * length:
        return "shortened"
    return fault(text, [original], most_words=(length if grows else 2 * length) + added)

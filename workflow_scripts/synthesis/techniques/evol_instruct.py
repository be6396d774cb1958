"""Evol-Instruct: in each round, make the instruction harder (in depth) or replace it by a rarer one (in breadth)."""

import re

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft, rewritable
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import generate_answer, write_instruction

INPUTS: list[Row] = read_yaml(package_file("synthesis/techniques/evol_inputs.yaml"))
BREADTH, INPUT = "breadth", "complicate_input"
# Operation: (prompt, maximum number of added words). The paper asks for 10 to 20; we allow more.
OPERATIONS = {
    "add_constraints": ("evol_in_depth", 40),
    "deepen": ("evol_in_depth", 40),
    "concretise": ("evol_in_depth", 40),
    "more_reasoning": ("evol_in_depth", 40),
    INPUT: ("evol_complicate_input", 250),
    BREADTH: ("evol_in_breadth", 60),
}
MIN_LENGTH_RATIO = 0.6  # of the words of an instruction evolved in depth to those of the original
MAX_REFUSAL_WORDS = 80
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about all also am an and any are as at be been but by can could did do does for from had has have he her his
        how i if in into is it its just me my no not of on or our s she so some t than that the their them then there these
        they this those to too us was we were what when which who will with would you your""",
    )
)
GAIN_SCHEMA = {
    "type": "object",
    "properties": {"asks_for_more": {"type": "boolean"}},
    "required": ["asks_for_more"],
    "additionalProperties": False,
}


class EvolInstruct:
    """Settings: `rounds`, and `operations` with their weights. An eliminated round leaves the draft unchanged."""

    name = "evol_instruct"
    citation = "Xu et al. 2023, WizardLM, arXiv 2304.12244"
    source = "Synthetic-Evol-Instruct"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening and its answer in each round that is not eliminated.

        Raises BadTurn with the reason of the last round if all are eliminated.
        """
        settings = generator.settings["techniques"][self.name]
        done: list[str] = []
        eliminated: list[Row] = []
        failed: set[str] = set()  # operations on the current instruction: the same request would fail again
        has_data = bool(draft.context)
        for _ in range(settings["rounds"]):
            excluded = failed | ({INPUT} if has_data else set())
            weights = {name: weight for name, weight in sorted(settings["operations"].items()) if name not in excluded}
            if not any(weights.values()):
                break
            operation = draft.rng.choices(list(weights), weights=list(weights.values()))[0]
            try:
                await self._evolve(draft, generator, operation)
            except BadTurn as error:
                failed.add(operation)
                eliminated.append({"operation": operation, "reason": str(error)})
            else:
                failed.clear()
                done.append(operation)
                has_data = operation == INPUT or (has_data and operation != BREADTH)
        if not done:
            raise BadTurn(eliminated[-1]["reason"] if eliminated else "evol_instruct:no_operation")
        draft.steps.append({"name": self.name, "operations": done, "eliminated": eliminated})

    async def _evolve(self, draft: Draft, generator: Generator, operation: str) -> None:
        """Replace the opening and its answer. Raises BadTurn, without a change, by the paper's four elimination rules."""
        prompt_name, max_added_words = OPERATIONS[operation]
        in_depth = operation != BREADTH
        length = len(draft.instruction.split())
        prompt = generator.prompt(
            draft,
            prompt_name,
            operation=operation,
            instruction=draft.instruction,
            context=draft.context,
            domain=draft.domain,
            examples=draft.rng.sample(INPUTS, 2) if operation == INPUT else [],
        )
        max_words = (length if in_depth else 2 * length) + max_added_words

        def shortened(text: str) -> str | None:
            return "shortened" if in_depth and len(text.split()) < MIN_LENGTH_RATIO * length else None

        evolved = await write_instruction(draft, generator, prompt, [draft.instruction], max_words, shortened)
        content = generator.prompt(draft, "evol_gain", first=draft.instruction, second=evolved)
        judgement = await generator.judge(draft, [{"role": "user", "content": content}], GAIN_SCHEMA)
        if not judgement["asks_for_more"]:
            raise BadTurn("evol_instruct:no_gain")
        context = draft.context if in_depth else ""
        answer = await generate_answer(draft, generator, evolved, context)
        if reason := elimination(answer):
            raise BadTurn(f"evol_instruct:{reason}")
        draft.opening = self.name
        draft.instruction, draft.context, draft.answer = evolved, context, answer
        # Every operation keeps the field. A harder request needs the same skills, at another level.
        draft.difficulty = None
        if not in_depth:
            draft.kind, draft.skills = "instruction", None


def elimination(answer: str) -> str | None:
    """Why an answer eliminates its instruction (the paper's rules 2 and 3), or None."""
    words = re.findall(r"[^\W_]+", answer.casefold())
    if "sorry" in words and len(words) < MAX_REFUSAL_WORDS:
        return "sorry"
    return "says_nothing" if STOP_WORDS.issuperset(words) else None

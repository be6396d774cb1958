"""Know-Logic: a logic problem whose answer is solved twice and read by a judge before it may stand.

The data set that Capybara's card names (know_logic, by knowrohit07) came without a description of how it was made. This
method is ours.
"""

import re
from fractions import Fraction

from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.quality import answer_fault
from workflow_scripts.synthesis.techniques.instruction import bare, fault, replace, rewritable

FORMS = (
    "an order to be found from clues (who came before whom)",
    "people of whom some always tell the truth and some always lie",
    "things to be matched with people by elimination",
    "rules of the form 'if ... then ...' and what follows from them",
    "amounts, times or ages to be worked out in several steps",
    "overlapping groups and how many belong to each",
    "positions and directions, on a line, around a table or on a map",
    "a timetable with conditions that must all be met",
    "a pattern whose next member is to be found",
    "counting in how many ways something can be done",
)
FINAL = re.compile(r"^[\W_]*(?:final )?answer[*_ ]*:[*_ ]*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DIGITS = {word: str(value) for value, word in enumerate(NUMBERS)}
QUANTITY = re.compile(r"^(-?\d+(?:\.\d+)?(?:/\d+)?)\s*([^\d]*)$")
WRONG_STEP = {
    "type": "object",
    "properties": {"first_wrong_step": {"type": "integer", "minimum": 0}},
    "required": ["first_wrong_step"],
    "additionalProperties": False,
}


class KnowLogic:
    """Settings: `attempts`, how many problems may be tried; each is of another form."""

    name = "know_logic"
    citation = "ours, after the data set know_logic, https://huggingface.co/datasets/knowrohit07/know_logic"

    def fits(self, seed: Row) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """A problem on the seed's subject with a checked answer. BadTurn if no attempt passes."""
        forms = draft.rng.sample(FORMS, min(scribe.settings["techniques"][self.name]["attempts"], len(FORMS)))
        failed: list[str] = []
        for form in forms:
            try:
                problem, solution = await self._problem(draft, scribe, form)
            except BadTurn as error:
                failed.append(str(error))
                continue
            replace(draft, problem, solution)
            draft.steps.append({"name": self.name, "form": form, "failed": failed})
            return
        raise BadTurn("know_logic:unverified")

    async def _problem(self, draft: Draft, scribe: Scribe, form: str) -> tuple[str, str]:
        old = draft.instruction
        prompt = scribe.prompt(draft, "know_logic_problem", form=form, instruction=old, domain=draft.seed["domain"])
        problem = await scribe.write(
            draft, "instruction", [{"role": "user", "content": prompt}], lambda text: fault(text, [old]), bare
        )

        def check(text: str) -> str | None:
            return answer_fault(text, [{"input": problem}]) or (None if FINAL.search(text) else "no_final_answer")

        system = {"role": "system", "content": scribe.prompt(draft, "know_logic_solve")}
        solution = await scribe.write(draft, "answer", [system, {"role": "user", "content": problem}], check)
        # Another number of messages is another sampling seed, and another wording: the second solution owes nothing
        # to the first.
        prompt = scribe.prompt(draft, "know_logic_again", problem=problem)
        second = await scribe.write(draft, "answer", [{"role": "user", "content": prompt}], check)
        if not same_answer(final_answer(solution), final_answer(second)):
            raise BadTurn("know_logic:disagreement")
        prompt = scribe.prompt(draft, "know_logic_judge", problem=problem, solution=solution)
        verdict = await scribe.judge(draft, [{"role": "user", "content": prompt}], WRONG_STEP)
        if verdict["first_wrong_step"]:
            raise BadTurn("know_logic:wrong_step")
        return problem, solution


def final_answer(text: str) -> str:
    """What stands in the last line "Answer: ..."; empty if there is none."""
    found = FINAL.findall(text)
    return found[-1] if found else ""


def same_answer(first: str, second: str) -> bool:
    """Whether two final answers say the same: the same words, or the same number with units that do not differ."""
    first, second = _normalised(first), _normalised(second)
    if not first or not second:
        return False
    one, other = QUANTITY.match(first), QUANTITY.match(second)
    if one and other:
        try:
            equal = Fraction(one[1]) == Fraction(other[1])
        except (ValueError, ZeroDivisionError):
            return first == second
        return equal and (one[2] == other[2] or not one[2] or not other[2])
    return first == second


def _normalised(text: str) -> str:
    """Lower case, without TeX, articles and punctuation; number words as digits, fractions as a/b."""
    text = re.sub(r"\\d?frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", text.casefold())
    text = re.sub(r"^[\s$]*\w+\s*=\s*", "", text)
    text = re.sub(r"\\(?:boxed|text|mathrm)\{([^{}]*)\}", r"\1", text)
    text = (
        re.sub(r"(?<=\d),(?=\d{3}\b)", "", re.sub(r"(?<!\d)\.(?=\d)", "0.", text))
        .replace("\u2212", "-")
        .replace("%", " percent ")
    )
    text = re.sub(r"[^\w\s./-]|(?<!\d)[./]|[./](?!\d)|-(?!\d)", " ", text)
    return " ".join(DIGITS.get(word, word) for word in text.split() if word not in ("a", "an", "the"))

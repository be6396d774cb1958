"""Know-Logic: a logic problem that is solved twice; the answers must agree and the judge must accept the solution.

Documented: Capybara's card names the dataset know_logic by knowrohit07, which has no description of its method. Ours:
the method.
"""

import re
from fractions import Fraction

from workflow_scripts.common.types import Seed
from workflow_scripts.synthesis.draft import BadTurn, Draft, rewritable
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.quality import answer_fault
from workflow_scripts.synthesis.techniques.instruction import replace_opening, write_instruction

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
SKILLS = ("Logical Correctness", "Logical Robustness", "Comprehension")  # that the solution needs
FINAL = re.compile(r"^(?:[^\w\n]|_)*(?:final )?answer[*_ ]*:[*_ ]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DIGITS = {word: str(value) for value, word in enumerate(NUMBERS)}
QUANTITY = re.compile(r"^(-?\d+(?:\.\d+)?(?:/\d+)?)\s*([^\d]*)$")
WRONG_STEP_SCHEMA = {
    "type": "object",
    "properties": {"first_wrong_step": {"type": "integer", "minimum": 0}},
    "required": ["first_wrong_step"],
    "additionalProperties": False,
}


class KnowLogic:
    """Settings: `attempts`, the maximum number of problems; each has another form.

    The judge is independent of the teacher that solves the problem if `judge.teacher` names another endpoint.
    """

    name = "know_logic"
    citation = "ours, after the dataset know_logic, https://huggingface.co/datasets/knowrohit07/know_logic"
    source = "Synthetic-Know-Logic"

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by a verified problem on the seed's subject. Raises BadTurn if no attempt is verified."""
        forms = draft.rng.sample(FORMS, min(generator.settings["techniques"][self.name]["attempts"], len(FORMS)))
        failed: list[str] = []
        for form in forms:
            try:
                problem, solution = await self._problem(draft, generator, form)
            except BadTurn as error:
                failed.append(str(error))
                continue
            replace_opening(draft, self.name, problem, solution, kind="problem", skills=list(SKILLS))
            draft.steps.append({"name": self.name, "form": form, "failed": failed})
            return
        raise BadTurn("know_logic:unverified")

    async def _problem(self, draft: Draft, generator: Generator, form: str) -> tuple[str, str]:
        prompt = generator.prompt(
            draft, "know_logic_problem", form=form, instruction=draft.instruction, domain=draft.domain
        )
        problem = await write_instruction(draft, generator, prompt, [draft.instruction])

        def check(text: str) -> str | None:
            return answer_fault(text, [{"input": problem, "output": ""}]) or (
                None if FINAL.search(text) else "no_final_answer"
            )

        system = {"role": "system", "content": generator.prompt(draft, "know_logic_solve")}
        solution = await generator.write(draft, "answer", [system, {"role": "user", "content": problem}], check)
        # Another number of messages gives another sampling seed, and the prompt is worded differently: the second
        # solution is independent of the first.
        prompt = generator.prompt(draft, "know_logic_again", problem=problem)
        second = await generator.write(draft, "answer", [{"role": "user", "content": prompt}], check)
        if not same_answer(final_answer(solution), final_answer(second)):
            raise BadTurn("know_logic:disagreement")
        prompt = generator.prompt(draft, "know_logic_judge", problem=problem, solution=solution)
        verdict = await generator.judge(draft, [{"role": "user", "content": prompt}], WRONG_STEP_SCHEMA)
        if verdict["first_wrong_step"]:
            raise BadTurn("know_logic:wrong_step")
        return problem, solution


def final_answer(text: str) -> str:
    """The text of the last line "Answer: ..."; empty if there is none."""
    answers = FINAL.findall(text)
    return answers[-1].rstrip() if answers else ""


def same_answer(first: str, second: str) -> bool:
    """Whether two final answers agree: the same words, or the same number with the same unit or without one."""
    first, second = _normalise(first), _normalise(second)
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


def _normalise(text: str) -> str:
    """Case-folded, without TeX, articles and punctuation; number words as digits, fractions as a/b."""
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

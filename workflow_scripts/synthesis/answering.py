"""The system message of answers: by kind of request, with a target length and a layout."""

from typing import Final

from workflow_scripts.synthesis.draft import SEED_OPENING, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.plan import Draws, mean_answer_chars
from workflow_scripts.synthesis.released import ANSWER_CHARS, MEAN_ANSWER_CHARS

SHAPED: Final = ("explanation", "summary")  # kinds of answers whose layout is drawn; the others have their own


def answer_system(draft: Draft, generator: Generator, kind: str, known: str = "") -> str:
    """The system message for the draft's next answer, which is of this kind; `known` is its result, if that is known.

    An opening that a technique wrote belongs to no source of the released file and aims at the mean of all.
    """
    system = [generator.prompt(draft, "expert", kind=kind)]
    settings = generator.settings
    source = draft.seed["source"] if draft.opening == SEED_OPENING else ""
    mean = mean_answer_chars(source, settings["answers"], ANSWER_CHARS, MEAN_ANSWER_CHARS)
    if mean is not None:
        draws = Draws(draft.seed["id"], settings["random_seed"])
        shape = draws.answer_shape(len(draft.exchanges) + 1, mean)
        # A preface asks for a form of its own.
        layout = shape["layout"] if kind in SHAPED and not draft.preface else None
        system.append(generator.prompt(draft, "answer_shape", **(shape | {"layout": layout})))
    if known:
        system.append(generator.prompt(draft, "known_result", known=known))
    return "\n\n".join(system)

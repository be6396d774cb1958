"""Measures of a conversation that need no judge. They find repetition and standstill, not errors."""

import itertools
import re
from statistics import mean

from workflow_scripts.common.types import Exchange

CONTENT = re.compile(r"[^\W\d_]{4,}")
WORD = re.compile(r"\w+")
GRAM = 4  # words
FUNCTION_WORDS = """
about above after again also although another because been before being between both cannot could does done down
during each either else even ever every from further have having here however into itself just like many more most
much must neither only other otherwise over rather same should since some such than that their them then there
therefore these they this those though through thus under until upon very well were what when where whether which
while whose will with within without would your yours
"""
STOP = frozenset(FUNCTION_WORDS.split())


def content_words(text: str) -> set[str]:
    """The words of at least four letters in lower case, without function words."""
    return {word.casefold() for word in CONTENT.findall(text)} - STOP


def measure(conversation: list[Exchange]) -> dict[str, float]:
    """Each from 0 to 1, rounded to three digits:

    - `new_words`: share of an exchange's content words that no earlier one has, mean over the exchanges after the first
    - `neighbour_similarity`: Jaccard similarity of the content words of neighbouring answers, mean
    - `repetition`: share of the answers' word 4-grams that occurred before in the answers
    - `score`: mean of `new_words`, 1 - `neighbour_similarity` and 1 - `repetition`
    """
    answers = [content_words(exchange["output"]) for exchange in conversation]
    seen: set[str] = set()
    new = []
    for exchange in conversation:
        own = content_words(f"{exchange['input']} {exchange['output']}")
        new.append(len(own - seen) / len(own) if own else 0.0)
        seen |= own
    similar = [
        len(one & other) / len(one | other) if one | other else 1.0 for one, other in itertools.pairwise(answers)
    ]
    grams: list[tuple[str, ...]] = []
    for exchange in conversation:
        words = WORD.findall(exchange["output"].casefold())
        grams += [tuple(words[place : place + GRAM]) for place in range(len(words) - GRAM + 1)]
    values = {
        "new_words": mean(new[1:]) if len(new) > 1 else 1.0,
        "neighbour_similarity": mean(similar) if similar else 0.0,
        "repetition": 1 - len(set(grams)) / len(grams) if grams else 0.0,
    }
    values["score"] = mean((values["new_words"], 1 - values["neighbour_similarity"], 1 - values["repetition"]))
    return {name: round(value, 3) for name, value in values.items()}

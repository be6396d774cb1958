"""Whether a gold answer that was found is near its question: an answer alone may be common text."""

import re

NEAR_CHARS = 2000  # of the normal form, before and after the answer
MIN_SHARE = 0.3  # of the question's words
WORD = re.compile(r"[^\W_]{4,}")  # shorter words are in most texts
SPACELESS = re.compile(r"[\u2e80-\uabff\U00020000-\U0003ffff]{2,}")  # Chinese, Japanese: pairs of characters


def question_words(question: str, answer: str) -> set[str]:
    """The distinct words of a question that its answer does not repeat; both are normal forms."""
    return _words(question) - _words(answer)


def _words(normal: str) -> set[str]:
    pairs = {run[place : place + 2] for run in SPACELESS.findall(normal) for place in range(len(run) - 1)}
    return pairs | set(WORD.findall(SPACELESS.sub(" ", normal)))


def near_question(normal: str, found: str, question: str, answer: str) -> bool:
    """Whether near any occurrence of `found` in a text are at least `MIN_SHARE` of the question's words.

    All are normal forms; `found` is the part of the text that matched `answer`. A question whose words are all in its
    answer is near.
    """
    wanted = question_words(question, answer)
    if not wanted:
        return True
    start = normal.find(found)
    while start >= 0:
        around = normal[max(0, start - NEAR_CHARS) : start + len(found) + NEAR_CHARS]
        if len(wanted & _words(around)) >= MIN_SHARE * len(wanted):
            return True
        start = normal.find(found, start + 1)
    return False

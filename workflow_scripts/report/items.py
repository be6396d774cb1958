"""What the pages of scored items display of an item."""

import json

from workflow_scripts.common.types import Row

SUMMARY_CHARS = 160  # of an item when it is closed
PROMPT_CHARS = 4000  # from the end of a prompt: few-shot examples come before the question


def end_of(text: str, count: int) -> str:
    """The last `count` characters of a text, with a mark if something was left out."""
    return text if len(text) <= count else f"… {text[-count:]}"


def question_of(prompt: str) -> str:
    """The last paragraph of a prompt on one line: the question without the few-shot examples."""
    lines = [line for line in prompt.split("\n\n")[-1].splitlines() if line.strip()]
    return " ".join(lines)[:SUMMARY_CHARS]


def correct_option(item: Row) -> int | None:
    """The number of the correct option, if the task's target is an option's number or text; else None."""
    target = json.loads(item["target"])
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, int) and 0 <= target < len(item["options"]):
        return target
    texts = [text.strip() for text in item["options"]]
    return texts.index(str(target).strip()) if str(target).strip() in texts else None

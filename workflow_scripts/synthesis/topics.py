"""Topics of a run for airoboros, which the teacher lists: requests, replies, and the file that all shards read."""

import asyncio
import re
from pathlib import Path

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.prompts import Prompts
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Config
from workflow_scripts.teacher.errors import Refused
from workflow_scripts.teacher.replies import LENGTH
from workflow_scripts.teacher.structured import Ask

PROMPT = package_file("synthesis/prompts/airoboros_topics.jinja")  # no other prompt affects the topics
PROMPTS = Prompts(PROMPT.parent)
MAX_TOPIC_WORDS = 15
LETTERS = re.compile(r"[^\W\d_]{3}")
GLOSS = re.compile(r":\s|:\*\*|\s[–—-]\s")  # between an item and its explanation
NUMBERED = re.compile(r"^\s*(\d{1,4})[.)]\s+(\S.*)$")


def read_topics(path: Path) -> list[str]:
    """The topics of a run, from the file that draw_topics wrote."""
    topics: list[str] = read_json(path)["topics"]
    return topics


def listed_topics(reply: str) -> list[str]:
    """The topics of a reply; none if it is not a numbered list. A reply that was cut off loses its last topic."""
    return [
        topic for topic in parse_numbered_list(reply) if LETTERS.search(topic) and len(topic.split()) <= MAX_TOPIC_WORDS
    ]


async def draw_topics(ask: Ask, settings: Config) -> list[str]:
    """Distinct topics, sorted, from `topic_requests` requests for `topics` topics each.

    `ask` is `TeacherClient.ask`. `settings` has these two keys, `sampling` and `random_seed`. Replies without a list,
    and refusals by a content filter, are skipped.
    """
    messages = [{"role": "user", "content": PROMPTS.render(PROMPT.stem, count=settings["topics"])}]

    async def request(number: int) -> list[str]:
        try:
            answer = await ask(messages, settings["sampling"], settings["random_seed"] + number)
        except Refused:
            return []
        cut_off, text = answer["finish_reason"] == LENGTH, answer["text"]
        return listed_topics(text.rpartition("\n")[0] if cut_off else text)[: settings["topics"]]

    lists = await asyncio.gather(*(request(number) for number in range(settings["topic_requests"])))
    distinct = {topic.casefold(): topic for topics in lists for topic in topics}
    return sorted(distinct.values(), key=str.casefold)


def parse_numbered_list(text: str) -> list[str]:
    """The items of a reply that is one numbered list from 1; empty for any other reply.

    A first line that ends with a colon and an incomplete last line are ignored.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].rstrip(" *").endswith(":"):
        lines = lines[1:]
    matches = [NUMBERED.match(line) for line in lines]
    if matches and matches[-1] is None:
        matches = matches[:-1]
    if any(match is None or int(match[1]) != place for place, match in enumerate(matches, 1)):
        return []
    return [GLOSS.split(match[2], maxsplit=1)[0].strip('*_"“”.,;: ') for match in matches if match]

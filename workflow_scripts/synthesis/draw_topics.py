"""Draw the topics of a run for airoboros: the teacher lists random topics, before the first shard, for all conversations."""

import argparse
import asyncio
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import write_json
from workflow_scripts.synthesis.topics import PROMPT, PROMPTS, draw_topics
from workflow_scripts.teacher.arguments import add_teacher_arguments
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import TeacherError
from workflow_scripts.teacher.servers import serve


def main(argv: list[str] | None = None) -> None:
    """Write {topics, prompts}: the topics, and the hash of the prompt that asked for them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="topic_requests, topics, sampling and random_seed, as JSON"
    )
    add_teacher_arguments(parser)
    parser.add_argument("--topics", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    with serve(args.teacher, args.threads, args.teacher_folder / "servers" / "draw_topics.log") as teacher:

        async def draw() -> list[str]:
            cache = RequestCache(args.teacher_folder / "cache")
            client = TeacherClient(
                teacher.base_url, teacher.model, args.teacher, cache, identity=teacher.identity, key=teacher.key
            )
            try:
                return await draw_topics(client.ask, args.settings)
            except TeacherError as error:
                raise UserError(
                    f"the teacher at {teacher.base_url} failed to list topics: {error}. Fix the teacher and run again: "
                    "finished requests are kept."
                ) from error
            finally:
                await client.close()

        topics = asyncio.run(draw())
    if not topics:
        logging.warning("the teacher listed no topics: seeds of the technique airoboros are only amplified")
    write_json(args.topics, {"topics": topics, "prompts": {PROMPT.stem: PROMPTS.hashes()[PROMPT.stem]}})
    logging.info("%d topics", len(topics))


if __name__ == "__main__":
    run(main)

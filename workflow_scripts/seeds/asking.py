"""Ask the teacher about every seed of a table, with a limit on failures."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import RejectedWriter
from workflow_scripts.common.types import Row
from workflow_scripts.seeds.embedding import embedded_text
from workflow_scripts.seeds.schema import rejected_seed
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.errors import Refused, TeacherError
from workflow_scripts.teacher.servers import Teacher
from workflow_scripts.teacher.structured import Ask, InvalidReply

MAX_PROMPT_CHARS = 3000  # of a seed in the prompt; the prompt then fits into 2048 tokens

# From a table of seeds to the answer for each row, or the error that prevented it.
AskAll = Callable[[pa.Table], list[Row | Exception]]
# From `TeacherClient.ask`, the request with its context, and the seed to the answer.
AskOne = Callable[[Ask, str, Row], Awaitable[Row]]


def reject_failed(
    seeds: pa.Table, answers: list[Row | Exception], reason: str, rejected: RejectedWriter
) -> tuple[np.ndarray, list[Row]]:
    """Reject the seeds with an error; which seeds have an answer, shape (rows,), and these answers."""
    kept = np.array([not isinstance(answer, Exception) for answer in answers], dtype=bool)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    failed = seeds.drop_columns("embedding").filter(pa.array(~kept)).to_pylist()
    rejected.add(
        [
            rejected_seed(seed, reason, {"source": seed["source"], "error": str(error)})
            for seed, error in zip(failed, errors, strict=True)
        ]
    )
    return kept, [answer for answer in answers if not isinstance(answer, Exception)]


@contextlib.contextmanager
def asking(
    teacher: Teacher,
    settings: Row,
    cache: Path,
    total: int,
    bar: tqdm,
    ask_one: AskOne,
    task: tuple[str, str],
) -> Iterator[AskAll]:
    """A function that asks about each row of a table.

    `ask_one(ask, text, seed)` asks about one seed; `text` is its request and context. `task` is the verb for messages and
    the key of the config with the alternative. UserError if more than `max_failure_rate` of `total` seeds fail; those that
    the server's content filter refuses do not count.
    """
    client = TeacherClient(
        teacher.base_url, teacher.model, settings, RequestCache(cache), identity=teacher.identity, key=teacher.key
    )
    # Limits the seeds in progress, so that a teacher that never answers is detected after a few seeds.
    slots = asyncio.Semaphore(settings["concurrency"])
    failures = 0
    verb, alternative = task

    async def answer(text: str, seed: Row) -> Row | Exception:
        nonlocal failures
        async with slots:
            try:
                return await ask_one(client.ask, text[:MAX_PROMPT_CHARS], seed)
            except Refused as error:
                return error
            except (InvalidReply, TeacherError) as error:
                failures += 1
                if failures > settings["max_failure_rate"] * total:
                    raise UserError(
                        f"the teacher at {teacher.base_url} could not {verb} {failures} of {total} seeds (last error: "
                        f"{error}), more than `teacher.max_failure_rate` allows. Fix the teacher, or set {alternative}, "
                        "and run again; stored answers are reused."
                    ) from error
                return error
            finally:
                bar.set_postfix_str(f"{client.usage.requests} requests, {client.usage.cached} cached", refresh=False)
                bar.update()

    async def answers(seeds: pa.Table) -> list[Row | Exception]:
        texts = embedded_text(seeds).to_pylist()
        rows = seeds.select(["response"]).to_pylist()
        return await asyncio.gather(*(answer(text, row) for text, row in zip(texts, rows, strict=True)))

    with asyncio.Runner() as runner:
        try:
            yield lambda seeds: runner.run(answers(seeds))
        finally:
            runner.run(client.close())

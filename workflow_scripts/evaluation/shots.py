"""Few-shot examples that never contain the scored document.

lm-eval excludes it only if the task names the same split for shots and for scoring. A task with a single split draws its
shots from the scored documents and may show the question together with its answer.
"""

import random
from typing import Any

from workflow_scripts.common.errors import UserError


class Shots:
    """Guards the few-shot examples of one loaded lm-eval task; `replaced` counts the documents whose shots were drawn again.

    All other documents have exactly lm-eval's own shots.
    """

    def __init__(self, name: str, task: Any):
        self.name, self.task, self.replaced = name, task, 0
        self._sample, self._context = task.sampler.sample, task.fewshot_context
        task.sampler.sample, task.fewshot_context = self.sample, self.context

    def context(self, doc: Any, *args: Any, **options: Any) -> Any:
        """lm-eval's prompt of a document."""
        self.doc = doc
        return self._context(doc, *args, **options)

    def sample(self, n: int, eval_doc: Any = None, **options: Any) -> Any:
        """`n` documents other than the scored one. UserError if there are fewer."""
        self.content = self._content(self.doc, self.task.config)
        available = len(self.task.sampler.fewshot_docs())
        if available < n + (eval_doc is not None):
            drawn = None  # lm-eval would draw more documents than there are
        else:
            drawn = self._sample(n, eval_doc=eval_doc, **options)
            if not any(map(self._is_scored, drawn)):
                return drawn
        others = [doc for doc in self.task.sampler.fewshot_docs() if not self._is_scored(doc)]
        if len(others) < n:
            raise UserError(
                f"task {self.name}: {n} shots, but only {len(others)} documents other than the scored one can be shots. Set "
                "`evaluation.num_fewshot`, or `shots` of your suite, to at most that number."
            )
        self.replaced += drawn is not None
        in_order = self.task.fewshot_cfg.sampler == "first_n"
        # A generator of its own: the other documents keep lm-eval's draws.
        return others[:n] if in_order else random.Random(repr(self.content)).sample(others, n)

    def _is_scored(self, shot: Any) -> bool:
        return shot == self.doc or self._content(shot, self.task.fewshot_cfg) == self.content

    def _content(self, doc: Any, config: Any) -> Any:
        """Question, choices and answer of a document, as `config` renders them."""
        task = self.task
        choices = task.doc_to_choice(doc, config.doc_to_choice) if config.doc_to_choice else None
        return task.doc_to_text(doc, config.doc_to_text), choices, task.doc_to_target(doc, config.doc_to_target)


def guard(name: str, loaded: dict[str, Any]) -> dict[str, Shots]:
    """Guard the shots of all tasks of `tasks.load`, by name."""
    return {leaf: Shots(name, task) for leaf, task in loaded["tasks"].items() if hasattr(task, "sampler")}

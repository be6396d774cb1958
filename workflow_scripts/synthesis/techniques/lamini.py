"""LaMini: new instructions, guided by examples or by a topic."""

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Seed
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import (
    generate_topics,
    instruction_fault,
    replace_opening,
    rewritable,
    strip_wrapping,
)

CITATION = "Wu et al. 2023, LaMini-LM, arXiv 2304.14402"
MAX_CANDIDATES = 200  # seeds among which examples are searched
MAX_EXAMPLE_WORDS = 120


class LaminiExample:
    """Settings: `examples`, the number of other seeds' instructions in the prompt."""

    name = "lamini_example"
    citation = CITATION

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by an instruction like the examples. Raises BadTurn if there are no examples."""
        # Ordered by hash: adding or removing a seed changes the examples of few others.
        candidates = sorted(generator.seeds, key=lambda seed: content_id(draft.seed["id"], seed["id"]))[:MAX_CANDIDATES]
        usable = [seed for seed in candidates if _is_example(seed, draft)]
        same = [seed for seed in usable if seed["source"] == draft.seed["source"]]
        others = [seed for seed in usable if seed["source"] != draft.seed["source"]]
        examples = (same + others)[: generator.settings["techniques"][self.name]["examples"]]
        if not examples:
            raise BadTurn(f"{self.name}:no_examples")
        texts = [seed["instruction"] for seed in examples]
        prompt = generator.prompt(draft, "lamini_example", examples=texts)
        new = await generator.write(
            draft,
            "instruction",
            [{"role": "user", "content": prompt}],
            lambda text: instruction_fault(text, texts),
            strip_wrapping,
        )
        replace_opening(draft, new)
        draft.steps.append({"name": self.name, "examples": [seed["id"] for seed in examples]})


class LaminiTopic:
    """Settings: `topics`, the number of topics that the teacher names; one of them is drawn."""

    name = "lamini_topic"
    citation = CITATION

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by an instruction on a topic related to the seed."""
        count = generator.settings["techniques"][self.name]["topics"]
        seed, old = draft.seed, draft.instruction
        prompt = generator.prompt(draft, "lamini_topics", count=count, instruction=old, domain=seed["domain"])
        topic = draft.rng.choice(await generate_topics(draft, generator, prompt, count))
        prompt = generator.prompt(draft, "lamini_topic", topic=topic)
        new = await generator.write(
            draft,
            "instruction",
            [{"role": "user", "content": prompt}],
            lambda text: instruction_fault(text, [old]),
            strip_wrapping,
        )
        replace_opening(draft, new)
        draft.steps.append({"name": self.name, "topic": topic})


def _is_example(seed: Seed, draft: Draft) -> bool:
    """Whether a seed has another instruction that is short and needs no context."""
    text = seed["instruction"]
    other = seed["id"] != draft.seed["id"] and text not in (draft.seed["instruction"], draft.instruction)
    return other and rewritable(seed) and not seed["context"] and len(text.split()) <= MAX_EXAMPLE_WORDS

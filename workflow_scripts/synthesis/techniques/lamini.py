"""LaMini: new instructions, guided by examples, and by a topic if one is drawn."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import replace_opening, rewritable, write_instruction

CITATION = "Wu et al. 2023, LaMini-LM, arXiv 2304.14402"
SOURCE = "Synthetic-LaMini"
TOPICS: dict[str, list[str]] = read_yaml(package_file("synthesis/techniques/lamini_topics.yaml"))  # by FLASK domain
MAX_CANDIDATES = 200  # seeds among which examples are searched
MAX_EXAMPLE_WORDS = 120


class LaminiExample:
    """Settings: `examples`, the number of other seeds' instructions in the prompt."""

    name = "lamini_example"
    citation = CITATION
    source = SOURCE

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by an instruction like the examples. Raises BadTurn if there are no examples."""
        examples = draw_examples(draft, generator, generator.settings["techniques"][self.name]["examples"])
        if not examples:
            raise BadTurn(f"{self.name}:no_examples")
        texts = [seed["instruction"] for seed in examples]
        prompt = generator.prompt(draft, "lamini_example", examples=texts)
        new = await write_instruction(draft, generator, prompt, texts)
        replace_opening(draft, self.name, new)
        draft.steps.append({"name": self.name, "examples": [seed["id"] for seed in examples]})


class LaminiTopic:
    """Settings: `examples`, the number of other seeds' instructions in the prompt. The topic is one of `lamini_topics.yaml`."""

    name = "lamini_topic"
    citation = CITATION
    source = SOURCE

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by an instruction on a topic that has nothing to do with the seed."""
        domain, topic = draft.rng.choice([(domain, topic) for domain, topics in TOPICS.items() for topic in topics])
        examples = draw_examples(draft, generator, generator.settings["techniques"][self.name]["examples"])
        texts = [seed["instruction"] for seed in examples]
        prompt = generator.prompt(draft, "lamini_topic", topic=topic, examples=texts)
        new = await write_instruction(draft, generator, prompt, [draft.instruction, *texts])
        replace_opening(draft, self.name, new, domain=domain)
        draft.steps.append({"name": self.name, "topic": topic, "examples": [seed["id"] for seed in examples]})


def draw_examples(draft: Draft, generator: Generator, count: int) -> list[Seed]:
    """Up to `count` other seeds, first of the same source, whose instruction is short and needs no context.

    They have the licence of the draft's seed, so that the licence of a conversation covers all texts it derives from.
    """
    # Ordered by hash: adding or removing a seed changes the examples of few others.
    candidates = sorted(generator.seeds, key=lambda seed: content_id(draft.seed["id"], seed["id"]))[:MAX_CANDIDATES]
    usable = [seed for seed in candidates if _is_example(seed, draft)]
    same = [seed for seed in usable if seed["source"] == draft.seed["source"]]
    return (same + [seed for seed in usable if seed["source"] != draft.seed["source"]])[:count]


def _is_example(seed: Seed, draft: Draft) -> bool:
    text = seed["instruction"]
    other = seed["id"] != draft.seed["id"] and text not in (draft.seed["instruction"], draft.instruction)
    allowed = seed["license"] == draft.seed["license"] and rewritable(seed)
    return other and allowed and not seed["context"] and len(text.split()) <= MAX_EXAMPLE_WORDS

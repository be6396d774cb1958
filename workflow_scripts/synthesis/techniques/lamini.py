"""LaMini: new instructions, guided by examples, and by a topic if one is drawn."""

from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.types import Row, Seed
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.synthesis.draft import BadTurn, Draft, rewritable
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.techniques.instruction import replace_opening, write_instruction

CITATION = "Wu et al. 2023, LaMini-LM, arXiv 2304.14402"
SOURCE = "Synthetic-LaMini"
TOPICS: dict[str, list[str]] = read_yaml(package_file("synthesis/techniques/lamini_topics.yaml"))  # by FLASK domain


class LaminiExample:
    """Settings: `examples`, the number of other seeds' instructions in the prompt."""

    name = "lamini_example"
    citation = CITATION
    source = SOURCE

    def fits(self, seed: Seed) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Replace the opening by an instruction like the examples. Raises BadTurn if there are no examples."""
        examples = shown_examples(draft, generator.settings["techniques"][self.name]["examples"])
        if not examples:
            raise BadTurn(f"{self.name}:no_examples")
        texts = [example["instruction"] for example in examples]
        prompt = generator.prompt(draft, "lamini_example", examples=texts)
        new = await write_instruction(draft, generator, prompt, texts)
        replace_opening(draft, self.name, new)
        draft.steps.append({"name": self.name, "examples": [example["id"] for example in examples]})


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
        examples = shown_examples(draft, generator.settings["techniques"][self.name]["examples"])
        texts = [example["instruction"] for example in examples]
        prompt = generator.prompt(draft, "lamini_topic", topic=topic, examples=texts)
        new = await write_instruction(draft, generator, prompt, [draft.instruction, *texts])
        replace_opening(draft, self.name, new, domain=domain)
        draft.steps.append({"name": self.name, "topic": topic, "examples": [example["id"] for example in examples]})


def shown_examples(draft: Draft, count: int) -> list[Row]:
    """The first `count` examples of the draft's seed (shard_seeds)."""
    return draft.seed.get("examples", [])[:count]

"""LaMini: new instructions, guided by examples or by a topic."""

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.synthesis.draft import BadTurn, Draft
from workflow_scripts.synthesis.generator import Scribe
from workflow_scripts.synthesis.techniques.instruction import bare, fault, replace, rewritable, topics

CITATION = "Wu et al. 2023, LaMini-LM, arXiv 2304.14402"
LOOKED_AT = 200  # seeds among which examples are sought
EXAMPLE_WORDS = 120


class LaminiExample:
    """Settings: `examples`, how many instructions of other seeds the teacher sees."""

    name = "lamini_example"
    citation = CITATION

    def fits(self, seed: Row) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """One more instruction of the kind of some others. BadTurn if there are no others."""
        # By hash, not by place: a seed more or less changes the examples of few others.
        drawn = sorted(scribe.seeds, key=lambda seed: content_id(draft.seed["id"], seed["id"]))[:LOOKED_AT]
        usable = [seed for seed in drawn if _is_example(seed, draft)]
        same = [seed for seed in usable if seed["source"] == draft.seed["source"]]
        others = [seed for seed in usable if seed["source"] != draft.seed["source"]]
        examples = (same + others)[: scribe.settings["techniques"][self.name]["examples"]]
        if not examples:
            raise BadTurn(f"{self.name}:no_examples")
        texts = [seed["instruction"] for seed in examples]
        prompt = scribe.prompt(draft, "lamini_example", examples=texts)
        new = await scribe.write(
            draft, "instruction", [{"role": "user", "content": prompt}], lambda text: fault(text, texts), bare
        )
        replace(draft, new)
        draft.steps.append({"name": self.name, "examples": [seed["id"] for seed in examples]})


class LaminiTopic:
    """Settings: `topics`, how many the teacher names, of which one is drawn."""

    name = "lamini_topic"
    citation = CITATION

    def fits(self, seed: Row) -> bool:
        return rewritable(seed)

    async def apply(self, draft: Draft, scribe: Scribe) -> None:
        """An instruction on a topic near the seed's."""
        count = scribe.settings["techniques"][self.name]["topics"]
        seed, old = draft.seed, draft.instruction
        prompt = scribe.prompt(draft, "lamini_topics", count=count, instruction=old, domain=seed["domain"])
        topic = draft.rng.choice(await topics(draft, scribe, prompt, count))
        prompt = scribe.prompt(draft, "lamini_topic", topic=topic)
        new = await scribe.write(
            draft, "instruction", [{"role": "user", "content": prompt}], lambda text: fault(text, [old]), bare
        )
        replace(draft, new)
        draft.steps.append({"name": self.name, "topic": topic})


def _is_example(seed: Row, draft: Draft) -> bool:
    """Another seed's instruction that can be read by itself."""
    text = seed["instruction"]
    other = seed["id"] != draft.seed["id"] and text not in (draft.seed["instruction"], draft.instruction)
    return other and rewritable(seed) and not seed["context"] and len(text.split()) <= EXAMPLE_WORDS

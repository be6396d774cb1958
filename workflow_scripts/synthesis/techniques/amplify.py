"""Amplify-Instruct: grow an opening into a conversation of several exchanges.

Documented (cards of Nous-Capybara and LDJnr/Capybara): single-turn seeds become multi-turn conversations, the follow-ups
are synthetic, the conversation goes into depth. Counted in released conversations: forms, lengths and moves of the
follow-ups. Ours: the prompts (`prompts/`), the moves (`moves.yaml`), the checks and the stopping rule, which were never
published. docs/amplify-instruct.md describes the whole method.
"""

import functools
import re

from workflow_scripts.common.conversations import to_messages
from workflow_scripts.common.types import Exchange, Row, Seed
from workflow_scripts.synthesis.answering import answer_system
from workflow_scripts.synthesis.draft import SEED_OPENING, BadTurn, Draft
from workflow_scripts.synthesis.forms import content_words
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.plan import Draws, FollowUp, exchange_options
from workflow_scripts.synthesis.quality import answer_fault, first_sentence, follow_up_fault
from workflow_scripts.synthesis.request_kinds import kind_of_opening, kind_of_text

VERDICT = {
    "type": "object",
    "properties": {"fits_move": {"type": "boolean"}, "asks_something_new": {"type": "boolean"}},
    "required": ["fits_move", "asks_something_new"],
    "additionalProperties": False,
}
# A noun phrase of an answer: an article, at most one more word, a word, and a word or mark that ends the phrase.
NOUN_PHRASE = re.compile(
    r"\b(?:the|an?|its|their|this)\s+((?:[a-z][a-z-]{2,}\s+)?[a-z][a-z-]{3,})(?=[.,;:)]|\s+(?:of|in|is|are|was|were|that|which|and|to|for|with|on"
    r"|from|by|can|has|have|will|at|as|or|such|so|into|when|where|because|before|after|through|than|but|does)\b)",
)


class Amplify:
    """The last step of every path."""

    name = "amplify"
    citation = "Daniele & Suphavadeeprasit 2023, Amplify-Instruct (announced, unpublished)"
    source = ""  # it writes no opening

    def fits(self, seed: Seed) -> bool:
        return True

    async def apply(self, draft: Draft, generator: Generator) -> None:
        """Add the exchanges. A follow-up or answer that stays invalid is replaced by another move, `replacements` times.

        If all of them fail, the conversation ends; raises BadTurn if it has fewer than two exchanges then.
        """
        settings = generator.settings
        draws = Draws(draft.seed["id"], settings["random_seed"])
        kind = kind_of_opening(draft)
        answer = draft.answer or await self._answer(draft, generator, draft.question, kind, draft.reference)
        draft.exchanges.append({"input": draft.question, "output": answer})
        # An opening that a technique wrote belongs to no source.
        source = draft.seed["source"] if draft.opening == SEED_OPENING else ""
        count = draws.exchanges(exchange_options(source, settings)) - 1
        done: list[FollowUp] = []
        replaced: list[Row] = []
        for number in range(1, count + 1):
            for alternative in range(1 + settings["follow_ups"]["replacements"]):
                used = [follow_up.move for follow_up in done] + [row["move"] for row in replaced]
                plan = draws.follow_up(number, count, alternative, kind, draft.domain, used, settings["moves"])
                try:
                    exchange = await self._exchange(draft, generator, draws, plan, kind)
                except BadTurn as error:
                    fault = error
                    replaced.append({"move": plan.move, "fault": str(error)})
                    continue
                draft.exchanges.append(exchange)
                done.append(plan)
                break
            else:
                if not done:
                    raise fault
                draft.stopped = str(fault)
                break
        draft.steps.append(
            {
                "name": self.name,
                "planned": count + 1,
                "kind": kind,
                "moves": [plan.move for plan in done],
                "forms": [f"recap {plan.form}" if plan.recap else plan.form for plan in done],
                "replaced": replaced,
            }
        )

    async def _exchange(self, draft: Draft, generator: Generator, draws: Draws, plan: FollowUp, kind: str) -> Exchange:
        """A follow-up and its answer."""
        question = await self._follow_up(draft, generator, draws, plan, kind)
        # A scene goes on; in other conversations, the words of the follow-up say what kind of answer it needs.
        answer_kind = plan.answer or kind_of_text(question) or ("role_play" if kind == "role_play" else "explanation")
        return {"input": question, "output": await self._answer(draft, generator, question, answer_kind)}

    async def _follow_up(self, draft: Draft, generator: Generator, draws: Draws, plan: FollowUp, kind: str) -> str:
        settings = generator.settings["follow_ups"]
        opening = opening_words(plan, draft.exchanges[-1], draws, len(draft.exchanges)) if generator.prefill else ""
        prompt = generator.prompt(
            draft,
            "follow_up",
            place=plan.place,
            form=plan.form,
            recap=plan.recap,
            structure=plan.structure,
            request=plan.request,
            persona=draws.persona(),
            role_play=kind == "role_play",
            opening=opening,
        )
        messages = [*to_messages(draft.exchanges), {"role": "user", "content": prompt}]
        if opening:
            messages.append({"role": "assistant", "content": opening})

        def extract(text: str) -> str:
            if not opening or not text:
                return text
            # Some servers return the complete message, some only the continuation. Small teachers go on after the sentence.
            return first_sentence(text if text.startswith(opening) else f"{opening} {text}")

        check = functools.partial(
            follow_up_fault,
            conversation=draft.exchanges,
            min_chars=settings["min_chars"],
            max_chars=settings["max_chars"],
        )
        text = await generator.write(draft, "follow_up", messages, check, extract)
        if settings["judge"]:
            await self._judge(draft, generator, plan, text)
        return text

    async def _judge(self, draft: Draft, generator: Generator, plan: FollowUp, text: str) -> None:
        """Raises BadTurn if the teacher finds that the follow-up is not the requested move or asks nothing new."""
        prompt = generator.prompt(
            draft, "follow_up_judge", exchange=draft.exchanges[-1], follow_up=text, request=plan.request
        )
        verdict = await generator.judge(draft, [{"role": "user", "content": prompt}], VERDICT)
        for name, fault in (("fits_move", "off_move"), ("asks_something_new", "nothing_new")):
            if not verdict[name]:
                generator.faults[f"follow_up:{fault}"] += 1
                raise BadTurn(f"follow_up:{fault}", text)

    async def _answer(self, draft: Draft, generator: Generator, question: str, kind: str, known: str = "") -> str:
        """An answer; if only the result is known, an answer that explains it."""
        messages = [
            {"role": "system", "content": answer_system(draft, generator, kind, known)},
            *to_messages(draft.exchanges),
            {"role": "user", "content": question},
        ]
        check = functools.partial(answer_fault, conversation=[*draft.exchanges, {"input": question, "output": ""}])
        return await generator.write(draft, "answer", messages, check)


def opening_words(plan: FollowUp, previous: Exchange, draws: Draws, number: int) -> str:
    """First words of a follow-up for a small teacher: an opening of the move and a term of the previous answer.

    Terms that the question names too are preferred: they carry the subject.
    """
    terms = terms_of(previous["output"]) or terms_of(previous["input"])
    subject = content_words(previous["input"])
    terms = [term for term in terms if content_words(term) & subject] or terms
    opening = plan.openings[0]
    if not terms:
        return opening
    return f"{opening.removesuffix(' the')} the {draws.rng('opening', number, plan.move).choice(terms)}"


def terms_of(text: str) -> list[str]:
    """Noun phrases of a text, in their order, without an article: those whose last word carries the subject."""
    found = (match.split() for match in NOUN_PHRASE.findall(text))
    terms = (words if content_words(words[0]) else words[-1:] for words in found)
    return [" ".join(words) for words in dict.fromkeys(map(tuple, terms)) if content_words(words[-1])]

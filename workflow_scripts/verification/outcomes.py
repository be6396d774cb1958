"""The effect of resolved decisions on a conversation: it passes, is corrected, is shortened or is rejected."""

from dataclasses import dataclass

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Conversation, Row
from workflow_scripts.verification.items import asks_seed
from workflow_scripts.verification.resolution import Resolution

# Labels of sources by that of their problems which experts accepted, as in the released file.
ACCEPTED_LABELS = {"CamelAI": "Verified-Camel"}
REASONS = {"minor_error": "minor_error", "wrong": "wrong_answer", "incoherent": "incoherent_question"}
EVIDENCE_CHARACTERS = 200  # of the rejected answer


@dataclass(frozen=True)
class Outcome:
    """The result for one conversation: the row to pass on, or None with a reason and evidence."""

    status: str  # unreviewed, accepted, corrected, shortened or rejected
    row: Conversation | None
    reason: str = ""
    evidence: Row | None = None


def apply_resolutions(row: Conversation, own: dict[int, Resolution], seed: dict[int, Resolution]) -> Outcome:
    """The outcome for a conversation from the decisions on itself (`own`) and on its seed, both by number of the answer.

    - Decisions on the conversation take precedence over decisions on the seed, which do not apply to an opening that a
      technique wrote.
    - A faulty answer is replaced by its correction. Without a correction a faulty first answer rejects the conversation,
      and a faulty later answer ends the conversation before it.
    - A corrected seed answer also ends the conversation: the rest was generated from the faulty answer, and no expert
      has seen it.
    - A problem whose first answer an expert accepted or corrected gets the label of `ACCEPTED_LABELS`.
    - A faulty seed without a correction also rejects a first answer that the teacher wrote to the same question. With a
      correction that conversation passes: the question is sound, and the teacher's own answer was not judged.
    """
    if not asks_seed(row):
        seed = {}
    if not own and not seed:
        return Outcome("unreviewed", row)
    talk = [exchange.copy() for exchange in row["conversation"]]
    judged = {number: (resolution, "conversation") for number, resolution in own.items() if number <= len(talk)}
    if 1 not in judged and 1 in seed:
        judged[1] = (seed[1], "seed")
    notes, replaced, verified = [], False, False
    for number, (resolution, on) in sorted(judged.items()):
        if number > len(talk):
            break
        note = {"answer": number, "on": on, "verdict": resolution.verdict, "by": list(resolution.by)}
        other_answer = on == "seed" and row["provenance"]["first_answer"] != "seed"
        if resolution.status == "disputed":
            return _rejected(row, "disputed", number, resolution, on)
        if resolution.corrected and other_answer:
            notes.append(note)
        elif resolution.corrected:
            verified |= number == 1
            notes.append(note | {"before": talk[number - 1]["output"]})
            talk[number - 1]["output"] = resolution.corrected
            replaced = True
            if on == "seed":
                talk = talk[:1]
        elif resolution.status == "accepted":
            verified |= number == 1 and not other_answer
            notes.append(note)
        elif number == 1:
            return _rejected(row, REASONS[resolution.verdict], number, resolution, on)
        else:
            talk = talk[: number - 1]
            notes.append(note)
    shortened = len(talk) < len(row["conversation"])
    status = "corrected" if replaced else "shortened" if shortened else "accepted"
    verification: Row = {"status": status, "answers": notes}
    if talk != row["conversation"]:
        verification |= {"was": row["id"], "cut": row["conversation"][len(talk) :]}
    passed = row | {"provenance": row["provenance"] | {"verification": verification}}
    if verified:
        passed |= {"source": ACCEPTED_LABELS.get(row["source"], row["source"])}
    if talk != row["conversation"]:
        passed |= {"id": content_id(talk), "conversation": talk}
    return Outcome(status, passed)


def _rejected(row: Conversation, reason: str, number: int, resolution: Resolution, on: str) -> Outcome:
    keys = ("reviewer", "verdict", "confidence", "corrected", "note", "at")
    evidence = {
        "source": row["source"],
        "seed": row["provenance"]["seed"],
        "on": on,
        "answer": number,
        "text": row["conversation"][number - 1]["output"][:EVIDENCE_CHARACTERS],
        "decisions": [{key: decision[key] for key in keys} for decision in resolution.decisions],
    }
    return Outcome("rejected", None, reason, evidence)

"""What settled answers do to a conversation: it passes, is corrected, is shortened or is rejected."""

from dataclasses import dataclass

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Row
from workflow_scripts.verification.resolution import Settled

REASONS = {"minor_error": "minor_error", "wrong": "wrong_answer", "incoherent": "incoherent_question"}


@dataclass(frozen=True)
class Outcome:
    """A conversation after the experts: the row as it goes on, or None with a reason and the evidence."""

    status: str  # unreviewed, accepted, corrected, shortened or rejected
    row: Row | None
    reason: str = ""
    evidence: Row | None = None


def apply(row: Row, own: dict[int, Settled], seed: dict[int, Settled]) -> Outcome:
    """The outcome for a conversation from the decisions on itself (`own`) and on the seed that it grew from.

    Its own decisions come before its seed's. An answer that is not accepted is replaced by its correction. Without
    one, the conversation is rejected if it is the first answer, and else ends before that exchange, as a synthesis
    ends that comes to a bad turn. A seed's corrected answer ends the conversation, too: what followed was grown from
    the faulty one, and no expert has seen it. A seed's fault rejects also what a teacher answered to its question
    anew, unless there is a correction: then the question is sound, and the teacher's own answer was not judged.
    """
    if not own and not seed:
        return Outcome("unreviewed", row)
    talk = [dict(exchange) for exchange in row["conversation"]]
    judged = {number: (settled, "conversation") for number, settled in own.items() if number <= len(talk)}
    if 1 not in judged and 1 in seed:
        judged[1] = (seed[1], "seed")
    told, replaced = [], False
    for number, (settled, on) in sorted(judged.items()):
        if number > len(talk):
            break
        note = {"answer": number, "on": on, "verdict": settled.verdict, "by": list(settled.by)}
        foreign = on == "seed" and row["provenance"]["first_answer"] != "seed"
        if settled.status == "disputed":
            return _rejected(row, "disputed", number, settled, on)
        if settled.corrected and foreign:
            told.append(note)
        elif settled.corrected:
            told.append(note | {"before": talk[number - 1]["output"]})
            talk[number - 1]["output"] = settled.corrected
            replaced = True
            if on == "seed":
                talk = talk[:1]
        elif settled.status == "accepted":
            told.append(note)
        elif number == 1:
            return _rejected(row, REASONS[settled.verdict], number, settled, on)
        else:
            talk = talk[: number - 1]
            told.append(note)
    shortened = len(talk) < len(row["conversation"])
    status = "corrected" if replaced else "shortened" if shortened else "accepted"
    verification: Row = {"status": status, "answers": told}
    if talk != row["conversation"]:
        verification |= {"was": row["id"], "cut": row["conversation"][len(talk) :]}
    changed = {"id": content_id(talk), "conversation": talk} if talk != row["conversation"] else {}
    return Outcome(status, row | changed | {"provenance": row["provenance"] | {"verification": verification}})


def _rejected(row: Row, reason: str, number: int, settled: Settled, on: str) -> Outcome:
    shown = ("reviewer", "verdict", "confidence", "corrected", "note", "at")
    evidence = {
        "source": row["source"],
        "seed": row["provenance"]["seed"],
        "on": on,
        "answer": number,
        "text": row["conversation"][number - 1]["output"][:200],
        "decisions": [{name: decision[name] for name in shown} for decision in settled.decisions],
    }
    return Outcome("rejected", None, reason, evidence)

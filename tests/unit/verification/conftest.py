"""Fixtures of the verification tests: settings, seeds, conversations and decisions."""

import pytest

from workflow_scripts.common.rows import content_id
from workflow_scripts.verification.items import question


@pytest.fixture
def settings(config):
    """`verification` of the pocket configuration without its files."""
    section = config["verification"]
    return section | {"decisions": [], "queue": section["queue"] | {"gold": {"path": None, "share": 0.2}}}


@pytest.fixture
def problem(make_seed):
    """A function that creates a CamelAI problem as a seed."""

    def make(number, topic="Optics", answer="It is 4 m.", dataset="camel-ai/physics", **fields):
        more = fields.pop("meta", {})
        columns = {
            "dataset": dataset,
            "domain": "Natural Science",
            "kind": "problem",
            "source": "CamelAI",
            **fields,
        }
        return make_seed(f"Problem {number}?", response=answer, meta={"topic": topic, **more}, **columns)

    return make


@pytest.fixture
def grow():
    """A function that creates the conversation of a seed with `count` exchanges."""

    def make(seed, count=3, first_answer="seed", answer=None, scores=None, opening="seed", **labels):
        asked = question(seed) if opening == "seed" else f"Another request than {seed['instruction']}"
        talk = [{"input": asked, "output": answer or seed["response"]}]
        talk += [{"input": f"And {n}?", "output": f"Then {n}."} for n in range(2, count + 1)]
        provenance = {
            "seed": seed["id"],
            **{key: seed[key] for key in ("dataset", "license", "kind", "domain")},
            "opening": opening,
            "techniques": ["amplify"],
            "first_answer": first_answer,
            "scores": scores,
            **labels,
        }
        return {"id": content_id(talk), "source": seed["source"], "conversation": talk, "provenance": provenance}

    return make


@pytest.fixture
def decide():
    """A function that creates a decision that counts."""

    def make(
        item,
        reviewer,
        verdict,
        answer=1,
        corrected=None,
        confidence=None,
        at=None,
        note=None,
        seconds=None,
        counts=True,
    ):
        row = {
            "item": item, "answer": answer, "reviewer": reviewer, "verdict": verdict, "confidence": confidence,
            "corrected": corrected, "note": note, "seconds": seconds, "at": at,
        }  # fmt: skip
        return {"id": content_id(row), **row, "counts": counts}

    return make

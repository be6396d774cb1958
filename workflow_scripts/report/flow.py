"""The flow from seeds to training rows: each step with what went in, what came out, what was rejected, and in which file that is."""

from dataclasses import dataclass, field

from workflow_scripts.common.types import Row
from workflow_scripts.report.flow_figure import draw
from workflow_scripts.report.svg import Picture


@dataclass(frozen=True)
class Step:
    """A step of the chain. `aside` of its rows `out` pass by the next `passes` steps; `joins` come in from elsewhere.

    Addresses are relative to the page.
    """

    name: str
    into: int
    out: int
    rejected: dict[str, int]
    data: str
    stats: str
    rejected_file: str
    aside: int = 0
    passes: int = 0
    joins: dict[str, int] = field(default_factory=dict)


def _step(name: str, stats: Row, folder: str, stem: str = "", **more: object) -> Step:
    """A step from its statistics, its files named as every stage names them; `stem` where a folder holds another's, too."""
    return Step(
        name,
        stats["in"],
        stats["out"],
        stats["rejected"],
        f"../{folder}/{stem or 'data'}.jsonl",
        f"../{folder}/{stem + '.' if stem else ''}stats.json",
        f"../{folder}/{stem + '.' if stem else ''}rejected.jsonl",
        **more,  # type: ignore[arg-type]
    )


def steps(
    seeds: Row | None, grown: list[tuple[str, Row]], assembled: Row, decontamination: Row, dataset: Row
) -> list[Step]:
    """The chain. `grown` are the stages, in their order, through which only what the teacher grows goes.

    Conversations among the seeds pass those by; what they did not bring came from `conversations.include`, or from
    splitting long conversations.
    """
    chain = []
    ready = 0
    if seeds:
        ready = seeds["per_kind"].get("conversation", 0)
        chain.append(_step("seeds", seeds, "seeds", aside=ready, passes=len(grown)))
    chain += [_step(name, stats, name) for name, stats in grown]
    parts = assembled["parts"] - assembled["split"]
    included = assembled["in"] - parts - ready - (grown[-1][1]["out"] if grown else 0)
    joins = {"included": included, "by splitting": parts}
    chain.append(
        _step("assembled", assembled, "decontamination", "assembled", joins={k: n for k, n in joins.items() if n})
    )
    chain.append(_step("decontamination", decontamination, "decontamination"))
    chain.append(
        Step(
            "data set", dataset["in"], dataset["out"], dataset["rejected"], "../dataset/train.jsonl", "../dataset/stats.json",
            "../dataset/rejected.jsonl",
        )
    )  # fmt: skip
    return chain


def picture(chain: list[Step], train: int, test: int) -> Picture:
    """The chain as a flow; every number in it is a link to its file."""
    alt = "Rows from the seeds to the training set, and what was rejected on the way"
    ends = [("to train on", train, "../dataset/train.jsonl"), ("held out", test, "../dataset/test.jsonl")]
    return Picture(draw(chain, ends, alt), alt)


def section(chain: list[Step], dataset: Row, variants: list[tuple[str, Row, Row]]) -> Row:
    """What flow.html.jinja shows: the picture, the same as a table, and for each model (name, statistics, audit) its samples."""
    return {
        "picture": picture(chain, dataset["train"], dataset["test"]),
        "steps": chain,
        "dataset": dataset,
        "variants": [{"name": name, "stats": stats, "audit": audit} for name, stats, audit in variants],
    }

"""The flow from seeds to training rows: input, output and rejected rows of each step, with links to their files."""

from typing import Any

from workflow_scripts.common.types import Row
from workflow_scripts.report.flow_figure import Step, draw
from workflow_scripts.report.svg import Figure


def _step(stage: str, stats: Row, data: str = "data.jsonl", **more: Any) -> Step:
    """The step of a stage, from its statistics."""
    folder = f"../{stage}"
    files = (f"{folder}/{data}", f"{folder}/stats.json", f"{folder}/rejected.jsonl")
    return Step(stage, stats["in"], stats["out"], stats["rejected"], *files, **more)


def steps(
    seeds: Row | None, generated: list[tuple[str, Row]], conversations: Row, decontamination: Row, dataset: Row
) -> list[Step]:
    """The steps of the flow from the statistics of the stages.

    `generated` are the stages (name, statistics) that only generated conversations pass through, in order: synthesis and
    verification. Conversations among the seeds bypass them. The remaining input of the conversations stage is from
    `conversations.include` and from splitting long conversations.
    """
    chain = []
    complete = 0
    if seeds:
        complete = seeds["per_kind"].get("conversation", 0)
        chain.append(_step("seeds", seeds, bypass=complete, bypass_steps=len(generated)))
    chain += [_step(name, stats) for name, stats in generated]
    parts = conversations["parts"] - conversations["split"]
    included = conversations["in"] - parts - complete - (generated[-1][1]["out"] if generated else 0)
    joins = {"included": included, "by splitting": parts}
    chain.append(_step("conversations", conversations, joins={name: rows for name, rows in joins.items() if rows}))
    chain.append(_step("decontamination", decontamination))
    chain.append(_step("dataset", dataset, "train.jsonl"))
    return chain


def flow_chart(chain: list[Step], train: int, test: int) -> Figure:
    """The flow as a figure; every number links to its file."""
    alt = "Rows from the seeds to the training set, and rejected rows by reason"
    ends = [("for training", train, "../dataset/train.jsonl"), ("held out", test, "../dataset/test.jsonl")]
    return Figure(draw(chain, ends, alt), alt)


def section(chain: list[Step], dataset: Row, variants: list[tuple[str, Row, Row]]) -> Row:
    """Values for flow.html.jinja. `variants` are (name, statistics of the selection, audit) of each trained model."""
    return {
        "figure": flow_chart(chain, dataset["train"], dataset["test"]),
        "steps": chain,
        "reasons": sorted({reason for step in chain for reason in step.rejected}),
        "dataset": dataset,
        "variants": [{"name": name, "stats": stats, "audit": audit} for name, stats, audit in variants],
    }

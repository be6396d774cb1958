"""Judges of the claims about training and model: one function per claim, of the measurements and the claim's numbers."""

import math
import re
from collections.abc import Iterator
from statistics import NormalDist

from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Row
from workflow_scripts.report.claims.judgement import (
    CONTRADICTED,
    NOT_SHOWN,
    SHOWN,
    Judgement,
    by_size,
    number,
    unmeasured,
)

SCORES = ("scores", "averages")


def multiple_epochs(measured: Row, numbers: Row) -> Judgement:
    """The number of epochs."""
    epochs = measured["training"]["epochs"]
    if epochs is None:
        return unmeasured("The training metrics contain no epoch.", ("metrics",))
    count = measured["training"]["conversations"]
    values = [number("epochs", epochs, "epochs", 2), number("conversations trained on", count, "conversations")]
    if epochs < numbers["epochs"]:
        return Judgement(NOT_SHOWN, f"There are fewer than {numbers['epochs']} epochs.", values, ("metrics",))
    return by_size(True, count, numbers["full"], values, ("metrics",))


def prompt_format(measured: Row, numbers: Row) -> Judgement:
    """The text between the messages in the training tokens."""
    sample = measured["training"]["sample"]
    if not sample:
        return unmeasured("The audit contains no sample.", ("audit",))
    between = [piece["text"].strip() for piece in sample if piece["part"] == "format"]
    labels = re.findall(r"\S+", " ".join(between).removeprefix(measured["training"]["begin"] or ""))
    values = [number("between the messages", " ".join(labels), "")]
    if labels and labels == [("USER:", "ASSISTANT:")[place % 2] for place in range(len(labels))]:
        return Judgement(SHOWN, "USER: and ASSISTANT: alternate, without other text.", values, ("audit",))
    return Judgement(CONTRADICTED, "The format is different.", values, ("audit",))


def ten_times_the_size(measured: Row, numbers: Row) -> Judgement:
    """Non-inferiority to peers with ten times the examples, or else to published scores of such models."""
    examples, margin = measured["training"]["conversations"], numbers["margin"]
    values, sides = [number("conversations trained on", examples, "conversations")], []
    for peer in measured["peers"]:
        if peer["examples"] is None or peer["examples"] < numbers["times"] * examples:
            continue
        for row in peer["differences"]:
            name = f"{row['name']}, difference from {peer['name']} ({peer['examples']:,} examples)"
            values += _interval(name, row["difference"], row["low"], row["high"])
            sides.append(_matches(row["low"], row["high"], margin))
    evidence: tuple[str, ...] = ("comparisons",)
    if not sides:
        if (missing := _not_comparable(measured, numbers)) is not None:
            return missing
        evidence = SCORES
        for name, value, error, published in _published(measured, numbers):
            values += [number(name, published, "%", 2), *_interval(f"{name}, difference", value - published, *_normal(value - published, error))]  # fmt: skip
            sides.append(_matches(*_normal(value - published, error), margin))
    if not sides:
        return unmeasured(
            "No peer has that many examples, and no score of such a model is documented for a suite that this run measured completely.",
            SCORES,
        )
    if all(side == 1 for side in sides):
        reason = f"Every score is at most {margin:g} points below, with 95 % confidence."
        return Judgement(SHOWN, reason, values, evidence)
    if all(side == -1 for side in sides):
        reason = f"Every score is more than {margin:g} points below, with 95 % confidence."
        return Judgement(CONTRADICTED, reason, values, evidence)
    matched = f"This run matches {sides.count(1)} of {counted(len(sides), 'score')}; {sides.count(0)} undecided."
    return Judgement(NOT_SHOWN, matched, values, evidence)


def _published(measured: Row, numbers: Row) -> Iterator[tuple[str, float, float, float]]:
    """(name, score of this run, its standard error, published score) of models with that many examples, in percent."""
    examples, scores = measured["training"]["conversations"], measured["scores"]
    for row in measured["published"]["rows"]:
        published_examples = _examples(row["examples"])
        if (
            published_examples is None
            or published_examples < numbers["times"] * examples
            or row["suite"] in numbers["left_out"]
        ):
            continue
        published_scores = dict(row.get("scores", {})) | ({None: row["average"]} if "average" in row else {})
        for task, published in published_scores.items():
            if (found := scores.get((row["suite"], task))) is not None and found["stderr"] is not None:
                name = f"{row['suite']} {task or 'mean'}, {row['model']} ({published_examples:,} examples)"
                yield name, found["value"], found["stderr"], published


def _interval(name: str, value: float, low: float | None, high: float | None) -> list[Row]:
    return [
        number(name, value, "points", 2),
        number(f"{name}, 95 % interval, lower limit", low, "points", 2),
        number(f"{name}, 95 % interval, upper limit", high, "points", 2),
    ]


def _normal(value: float, error: float) -> tuple[float, float]:
    """The limits of a 95 % interval by the normal distribution."""
    half = NormalDist().inv_cdf(0.975) * error
    return value - half, value + half


def _matches(low: float | None, high: float | None, margin: float) -> int:
    """1 if a difference in points is above −margin with its whole interval, -1 if below, else 0."""
    if low is None or high is None:
        return 0
    return 1 if low > -margin else -1 if high < -margin else 0


def single_turn_benchmarks(measured: Row, numbers: Row) -> Judgement:
    """The mean of the leaderboard's six tasks, compared with V1's."""
    if (missing := _not_comparable(measured, numbers)) is not None:
        return missing
    row = next(
        row
        for row in measured["published"]["rows"]
        if (row["model"], row["suite"]) == (numbers["model"], numbers["suite"])
    )
    found = measured["scores"].get((numbers["suite"], None))
    if found is None or found["stderr"] is None:
        return unmeasured(f"The suite {numbers['suite']} was not measured completely.", SCORES)
    difference, margin = found["value"] - row["average"], numbers["margin"]
    low, high = _normal(difference, math.sqrt(2) * found["stderr"])
    values = [
        number("mean of the six", found["value"], "%", 2),
        number("published mean", row["average"], "%", 2),
        *_interval("difference", difference, low, high),
    ]
    for task, published in row["scores"].items():
        ours = measured["scores"].get((numbers["suite"], task))
        values += [number(f"{task}, difference from published", ours["value"] - published, "points", 2)] if ours else []
    side = _matches(low, high, margin)
    if side == 1:
        reason = f"The mean is at most {margin:g} points below the published one, with 95 % confidence."
        return Judgement(SHOWN, reason, values, SCORES)
    if side == -1:
        reason = f"The mean is more than {margin:g} points below the published one, with 95 % confidence."
        return Judgement(CONTRADICTED, reason, values, SCORES)
    return Judgement(NOT_SHOWN, f"The interval of the difference contains −{margin:g} points.", values, SCORES)


def _not_comparable(measured: Row, numbers: Row) -> Judgement | None:
    base = measured["training"]["base"]
    if numbers["base"] not in base.casefold():
        return unmeasured(f"The published scores are for Llama-2-7B, but this run's base model is {base}.", SCORES)
    if not measured["scores"]:
        return unmeasured("No suite was measured completely.", SCORES)
    return None


def _examples(text: str) -> int | None:
    """The number in `examples` of published.yaml, as in "about 300,000 [M]"; None if it contains none."""
    found = re.search(r"\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else None


def knowledge_late_2022(measured: Row, numbers: Row) -> Judgement:
    """The accuracy on dated questions, of late 2022 and before."""
    found = measured["knowledge"]
    if found is None or not found["late"]["questions"]:
        return unmeasured(f"This run has not scored the task {numbers['task']}.")
    late, early = found["late"], found["early"]
    values = []
    for name, part in (("late 2022", late), ("before", early)):
        values += [
            number(f"accuracy, {name}", part["value"], "%"),
            number(f"accuracy, {name}, 95 % interval, lower limit", part["low"], "%"),
            number(f"accuracy, {name}, 95 % interval, upper limit", part["high"], "%"),
            number(f"questions, {name}", part["questions"], "questions"),
        ]
    values.append(number("chance", numbers["chance"], "%"))
    if late["questions"] < numbers["least"]:
        reason = f"Fewer than {numbers['least']} questions are about late 2022."
        return Judgement(NOT_SHOWN, reason, values, ("knowledge",))
    if late["low"] > numbers["chance"]:
        return Judgement(SHOWN, "The accuracy for late 2022 is significantly above chance.", values, ("knowledge",))
    if early["low"] is not None and early["low"] > max(numbers["chance"], late["high"]):
        return Judgement(CONTRADICTED, "The model knows earlier events, but not those of late 2022.", values, ("knowledge",))  # fmt: skip
    return Judgement(NOT_SHOWN, "The accuracy for late 2022 is not significantly above chance.", values, ("knowledge",))


def complex_summaries(measured: Row, numbers: Row) -> Judgement:
    """The share of checkable facts in the summaries of long texts."""
    found = measured["summaries"]
    if found is None:
        return unmeasured("This run has no summaries of long texts.")
    scale = {key: None if found[key] is None else 100 * found[key] for key in ("share", "low", "high")}
    values = [
        number("facts kept", scale["share"], "%"),
        number("95 % interval, lower limit", scale["low"], "%"),
        number("95 % interval, upper limit", scale["high"], "%"),
        number("texts", found["questions"], "texts"),
    ]
    if found["questions"] < numbers["least"] or scale["low"] is None:
        return Judgement(NOT_SHOWN, f"Fewer than {numbers['least']} texts were summarised.", values, ("checks",))
    if scale["low"] > numbers["percent"]:
        return Judgement(SHOWN, "The share is significantly above the criterion.", values, ("checks",))
    if scale["high"] < numbers["percent"]:
        return Judgement(CONTRADICTED, "The share is significantly below the criterion.", values, ("checks",))
    return Judgement(NOT_SHOWN, "The interval contains the criterion.", values, ("checks",))


def multi_turn_strength(measured: Row, numbers: Row) -> Judgement:
    """The share of later turns won against the base model and each peer."""
    values, sides, few = [], [], False
    for row in measured["later_turns"]:
        name = f"later turns won against {row['reference']}"
        limits = {key: None if row[key] is None else 100 * row[key] for key in ("low", "high")}
        values += [
            number(name, 100 * row["share"], "%"),
            number(f"{name}, 95 % interval, lower limit", limits["low"], "%"),
            number(f"{name}, 95 % interval, upper limit", limits["high"], "%"),
            number(f"{name}, questions", row["questions"], "questions"),
        ]
        few = few or row["questions"] < numbers["least"]
        sides.append(0 if row["low"] is None else 1 if row["low"] > 0.5 else -1 if row["high"] < 0.5 else 0)
    if not sides:
        return unmeasured("This run has no judged questions of several turns (`evaluation.multi_turn`).")
    for row in measured["exchanges"]:
        if row["exchange"] is not None and row["exchange"] > 1:
            name = f"held-out answer {row['exchange']}, loss, tuned − base (decides nothing)"
            values.append(number(name, row["difference"], "nats per token", 4))
    evidence = ("multi_turn", "losses")
    if few:
        return Judgement(NOT_SHOWN, f"Fewer than {numbers['least']} questions were judged.", values, evidence)
    if -1 in sides:
        return Judgement(CONTRADICTED, "Another model is significantly better in later turns.", values, evidence)
    if all(side == 1 for side in sides):
        reason = f"The model wins later turns against {counted(len(sides), 'other model')}."
        return Judgement(SHOWN, reason, values, evidence)
    return Judgement(NOT_SHOWN, "At least one difference is not significant.", values, evidence)

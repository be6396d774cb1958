"""Judges of the claims about training and model: one function per claim, of the measurements and the claim's numbers."""

import math
import re

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
    """Published models of the same base with ten times the examples, on every suite measured for both."""
    if (missing := _not_comparable(measured, numbers)) is not None:
        return missing
    examples, scores = measured["training"]["conversations"], measured["scores"]
    values, verdicts = [number("conversations trained on", examples, "conversations")], []
    for row in measured["published"]["rows"]:
        published_examples = _examples(row["examples"])
        if (
            published_examples is None
            or published_examples < numbers["times"] * examples
            or row["suite"] in numbers["left_out"]
        ):
            continue
        published_scores = dict(row.get("scores", {}))
        published_scores |= {None: row["average"]} if "average" in row else {}
        for task, published in published_scores.items():
            if (found := scores.get((row["suite"], task))) is None or found["stderr"] is None:
                continue
            name = f"{row['suite']} {task or 'mean'}"
            values += [
                number(name, found["value"], "%", 2),
                number(f"{name}, standard error", found["stderr"], "points", 2),
                number(f"{name}, {row['model']} ({published_examples:,} examples)", published, "%", 2),
            ]
            verdicts.append(published <= found["value"] + numbers["errors"] * found["stderr"])
    if not verdicts:
        return unmeasured(
            "No score of a model tuned on that many examples is documented for a suite that this run measured completely.",
            SCORES,
        )
    if all(verdicts):
        return Judgement(SHOWN, "No published score is above this run's score by more than its error.", values, SCORES)
    if any(verdicts):
        return Judgement(
            NOT_SHOWN,
            f"This run matches {sum(verdicts)} of {counted(len(verdicts), 'published score')}.",
            values,
            SCORES,
        )
    return Judgement(CONTRADICTED, "All published scores are above this run's.", values, SCORES)


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
    noise = numbers["errors"] * math.sqrt(2) * found["stderr"]
    values = [
        number("mean of the six", found["value"], "%", 2),
        number("standard error", found["stderr"], "points", 2),
        number("published mean", row["average"], "%", 2),
    ]
    for task, published in row["scores"].items():
        ours = measured["scores"].get((numbers["suite"], task))
        values += [number(f"{task}, difference from published", ours["value"] - published, "points", 2)] if ours else []
    if found["value"] >= row["average"] - noise:
        return Judgement(SHOWN, f"The mean is at most {noise:.2f} points below the published one.", values, SCORES)
    return Judgement(CONTRADICTED, f"The mean is more than {noise:.2f} points below the published one.", values, SCORES)


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
    """The accuracy on a user-defined task."""
    found = measured["tasks"].get(numbers["task"])
    if found is None or found["stderr"] is None:
        return unmeasured("This run has no questions about events of late 2022.")
    values = [
        number("accuracy", found["value"], "%", 2),
        number("standard error", found["stderr"], "points", 2),
        number("chance", numbers["chance"], "%"),
        number("documents", found["documents"], "documents"),
    ]
    if found["documents"] < numbers["least"]:
        return Judgement(NOT_SHOWN, f"The task has fewer than {numbers['least']} questions.", values, SCORES[:1])
    if found["value"] - numbers["errors"] * found["stderr"] > numbers["chance"]:
        return Judgement(SHOWN, "The accuracy is significantly above chance.", values, SCORES[:1])
    return Judgement(NOT_SHOWN, "The accuracy is not significantly above chance.", values, SCORES[:1])


def multi_turn_strength(measured: Row, numbers: Row) -> Judgement:
    """The loss on later answers compared with the base model's, and the share of second turns won."""
    values, signs, evidence = [], [], ["losses"]
    for row in measured["exchanges"]:
        if row["exchange"] is None or row["exchange"] < 2 or row["conversations"] < numbers["least"]:
            continue
        name = f"answer {row['exchange']}, loss, tuned − base"
        values += [
            number(name, row["difference"], "nats per token", 4),
            number(f"{name}, 95 % interval, lower limit", row["low"], "nats per token", 4),
            number(f"{name}, 95 % interval, upper limit", row["high"], "nats per token", 4),
            number(f"{name}, conversations", row["conversations"], "conversations"),
        ]
        signs.append(_side(row["low"], row["high"], 0.0, lower_is_better=True))
    if (judged := measured["second_turns"]) is not None:
        evidence.append("two_turn")
        values += [
            number("second turns won", 100 * judged["share"], "%"),
            *(
                number(
                    f"second turns won, 95 % interval, {end} limit",
                    None if judged[key] is None else 100 * judged[key],
                    "%",
                )
                for end, key in (("lower", "low"), ("upper", "high"))
            ),
            number("questions", judged["questions"], "questions"),
        ]
        enough = judged["questions"] >= numbers["least"]
        signs.append(_side(judged["low"], judged["high"], 0.5, lower_is_better=False) if enough else 0)
    held_out = max((row["conversations"] for row in measured["exchanges"] if (row["exchange"] or 0) >= 2), default=0)
    if not held_out and judged is None:
        return unmeasured("No held-out conversation has a second exchange, and no second turn was judged.", ("losses",))
    if -1 in signs:
        return Judgement(
            CONTRADICTED, "The base model is significantly better in a later turn.", values, tuple(evidence)
        )
    if not any(row["conversations"] >= numbers["least"] for row in measured["exchanges"] if row["exchange"] == 2):
        values = values or [number("held-out conversations with a second answer", held_out, "conversations")]
        reason = f"Fewer than {numbers['least']} held-out conversations have a second answer."
        return Judgement(NOT_SHOWN, reason, values, tuple(evidence))
    if all(sign == 1 for sign in signs):
        by = "by loss and by pairwise judgement" if judged is not None else "by loss; no second turn was judged"
        return Judgement(SHOWN, f"The model is better than its base in later turns, {by}.", values, tuple(evidence))
    return Judgement(NOT_SHOWN, "At least one difference is not significant.", values, tuple(evidence))


def _side(low: float | None, high: float | None, limit: float, lower_is_better: bool) -> int:
    """1 if the whole interval is on the better side of the limit, -1 if on the other side, else 0."""
    if low is None or high is None or low <= limit <= high:
        return 0
    return 1 if (high < limit) == lower_is_better else -1

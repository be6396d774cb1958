"""Judges of the claims about the training and the model. Each takes what was measured and the claim's numbers."""

import math
import re

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
    """How often the training went through its data."""
    epochs = measured["training"]["epochs"]
    if epochs is None:
        return unmeasured("The training's record names no epoch.", ("metrics",))
    count = measured["training"]["conversations"]
    values = [number("epochs", epochs, "epochs", 2), number("conversations trained on", count, "conversations")]
    if epochs < numbers["epochs"]:
        return Judgement(NOT_SHOWN, f"They are fewer than {numbers['epochs']}.", values, ("metrics",))
    return by_size(True, count, numbers["full"], values, ("metrics",))


def prompt_format(measured: Row, numbers: Row) -> Judgement:
    """What stands between the messages in the tokens that were trained on."""
    sample = measured["training"]["sample"]
    if not sample:
        return unmeasured("The audit shows no sample.", ("audit",))
    between = [piece["text"].strip() for piece in sample if piece["part"] == "format"]
    labels = re.findall(r"\S+", " ".join(between).removeprefix(measured["training"]["begin"] or ""))
    values = [number("between the messages", " ".join(labels), "")]
    if labels and labels == [("USER:", "ASSISTANT:")[place % 2] for place in range(len(labels))]:
        return Judgement(SHOWN, "USER: and ASSISTANT: in turn, and nothing else.", values, ("audit",))
    return Judgement(CONTRADICTED, "It is another format.", values, ("audit",))


def ten_times_the_size(measured: Row, numbers: Row) -> Judgement:
    """Published models of the same base with ten times the examples, on every suite that both have."""
    if (missing := _not_comparable(measured, numbers)) is not None:
        return missing
    examples, ours = measured["training"]["conversations"], measured["scores"]
    values, verdicts = [number("conversations trained on", examples, "conversations")], []
    for row in measured["published"]["rows"]:
        theirs = _examples(row["examples"])
        if theirs is None or theirs < numbers["times"] * examples or row["suite"] in numbers["left_out"]:
            continue
        scores = dict(row.get("scores", {}))
        scores |= {None: row["average"]} if "average" in row else {}
        for task, published in scores.items():
            if (found := ours.get((row["suite"], task))) is None or found["stderr"] is None:
                continue
            name = f"{row['suite']} {task or 'mean'}"
            values += [
                number(name, found["value"], "%", 2),
                number(f"{name}, standard error", found["stderr"], "points", 2),
                number(f"{name}, {row['model']} ({theirs:,} examples)", published, "%", 2),
            ]
            verdicts.append(published <= found["value"] + numbers["errors"] * found["stderr"])
    if not verdicts:
        return unmeasured(
            "No score of a model tuned on so much more is on record for a suite that was measured whole here.", SCORES
        )
    if all(verdicts):
        return Judgement(SHOWN, "None of the published scores lies above this run's noise.", values, SCORES)
    if any(verdicts):
        return Judgement(NOT_SHOWN, f"{sum(verdicts)} of {len(verdicts)} published scores are matched.", values, SCORES)
    return Judgement(CONTRADICTED, "All of the published scores lie above this run's.", values, SCORES)


def single_turn_benchmarks(measured: Row, numbers: Row) -> Judgement:
    """The mean of the leaderboard's six tasks beside V1's."""
    if (missing := _not_comparable(measured, numbers)) is not None:
        return missing
    row = next(
        row
        for row in measured["published"]["rows"]
        if (row["model"], row["suite"]) == (numbers["model"], numbers["suite"])
    )
    found = measured["scores"].get((numbers["suite"], None))
    if found is None or found["stderr"] is None:
        return unmeasured(f"The suite {numbers['suite']} was not measured whole.", SCORES)
    noise = numbers["errors"] * math.sqrt(2) * found["stderr"]
    values = [
        number("mean of the six", found["value"], "%", 2),
        number("standard error", found["stderr"], "points", 2),
        number("published mean", row["average"], "%", 2),
    ]
    for task, published in row["scores"].items():
        ours = measured["scores"].get((numbers["suite"], task))
        values += [number(f"{task} less published", ours["value"] - published, "points", 2)] if ours else []
    if found["value"] >= row["average"] - noise:
        return Judgement(SHOWN, f"It is no more than {noise:.2f} points below.", values, SCORES)
    return Judgement(CONTRADICTED, f"It is more than {noise:.2f} points below.", values, SCORES)


def _not_comparable(measured: Row, numbers: Row) -> Judgement | None:
    base = measured["training"]["base"]
    if numbers["base"] not in base.casefold():
        return unmeasured(
            f"The published scores are of Llama-2-7B, and this run's base model is another: {base}.", SCORES
        )
    if not measured["scores"]:
        return unmeasured("No suite was scored whole.", SCORES)
    return None


def _examples(text: str) -> int | None:
    """The number in `examples` of published.yaml, as in "about 300,000 [M]"; None if it holds none."""
    found = re.search(r"\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else None


def knowledge_late_2022(measured: Row, numbers: Row) -> Judgement:
    """A task of the user's own, by its name."""
    found = measured["tasks"].get(numbers["task"])
    if found is None or found["stderr"] is None:
        return unmeasured("No question of this run depends on when something happened.")
    values = [
        number("accuracy", found["value"], "%", 2),
        number("standard error", found["stderr"], "points", 2),
        number("chance", numbers["chance"], "%"),
        number("documents", found["documents"], "documents"),
    ]
    if found["documents"] < numbers["least"]:
        return Judgement(NOT_SHOWN, f"Fewer than {numbers['least']} questions were asked.", values, SCORES[:1])
    if found["value"] - numbers["errors"] * found["stderr"] > numbers["chance"]:
        return Judgement(SHOWN, "It lies above chance, beyond noise.", values, SCORES[:1])
    return Judgement(NOT_SHOWN, "It does not lie above chance, beyond noise.", values, SCORES[:1])


def multi_turn_strength(measured: Row, numbers: Row) -> Judgement:
    """Loss of later answers against the base's, and second turns won."""
    values, signs, evidence = [], [], ["losses"]
    for row in measured["exchanges"]:
        if row["exchange"] is None or row["exchange"] < 2 or row["conversations"] < numbers["least"]:
            continue
        name = f"answer {row['exchange']}, loss less the base's"
        values += [
            number(name, row["difference"], "nats a token", 4),
            number(f"{name}, 95 % interval, from", row["low"], "nats a token", 4),
            number(f"{name}, 95 % interval, to", row["high"], "nats a token", 4),
            number(f"{name}, conversations", row["conversations"], "conversations"),
        ]
        signs.append(_side(row["low"], row["high"], 0.0, lower_is_better=True))
    if (judged := measured["second_turns"]) is not None:
        evidence.append("two_turn")
        values += [
            number("second turns won", 100 * judged["share"], "%"),
            number(
                "second turns won, 95 % interval, from", None if judged["low"] is None else 100 * judged["low"], "%"
            ),
            number(
                "second turns won, 95 % interval, to", None if judged["high"] is None else 100 * judged["high"], "%"
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
            CONTRADICTED, "The base model does better in some later turn, beyond noise.", values, tuple(evidence)
        )
    if not any(row["conversations"] >= numbers["least"] for row in measured["exchanges"] if row["exchange"] == 2):
        values = values or [number("held-out conversations with a second answer", held_out, "conversations")]
        reason = f"Fewer than {numbers['least']} held-out conversations have a second answer."
        return Judgement(NOT_SHOWN, reason, values, tuple(evidence))
    if all(sign == 1 for sign in signs):
        kinds = (
            "in loss, and in second turns judged in pairs"
            if judged is not None
            else "in loss; no second turn was judged"
        )
        return Judgement(SHOWN, f"Better than its base in later turns, {kinds}.", values, tuple(evidence))
    return Judgement(NOT_SHOWN, "Some difference is within noise.", values, tuple(evidence))


def _side(low: float | None, high: float | None, border: float, lower_is_better: bool) -> int:
    """1 if the interval lies wholly on the better side of the border, -1 if on the other, else 0."""
    if low is None or high is None or low <= border <= high:
        return 0
    return 1 if (high < border) == lower_is_better else -1

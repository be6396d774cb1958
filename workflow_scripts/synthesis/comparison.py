"""Synthesised conversations compared with the released ones: every counted property, with confidence intervals.

The intervals (95 %) are Wilson's for shares, Student's for means and those of order statistics for quantiles. Turns of one
conversation count as independent, so the intervals are slightly too narrow.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from statistics import mean, stdev
from typing import Final

from scipy import stats

from workflow_scripts.common.types import Conversation, Row
from workflow_scripts.synthesis import forms
from workflow_scripts.synthesis.plan import MOVES
from workflow_scripts.synthesis.released import FIGURES, SOURCES

CONFIDENCE: Final = 0.95
SHARE_TOLERANCE: Final = 0.12  # of a share in the sample of released rows
LENGTH_TOLERANCE: Final = 0.25  # of a length, as a share of it
BATCH: Final = 63  # follow-ups among which first words are compared, as many as in the sample
SHORT_ANSWER_CHARS: Final = 35
RELEASED_ANSWER_CHARS: Final = (380, 2850)
QUANTILES: Final = {"p10": 0.1, "median": 0.5, "p90": 0.9}
GROUPS: Final = {move["name"]: move["group"] for move in MOVES}
ELABORATE: Final = ("elaborate", "expand", "delve")


def compare(rows: Sequence[Conversation]) -> Row:
    """{all: {figure: value}, per_source: {source: {figure: value}}}; each value as `figure` returns it.

    Rows are compared in the order of their ids. A figure of which the rows have no case is omitted.
    """
    rows = sorted(rows, key=lambda row: row["id"])
    sources = sorted({row["source"] for row in rows})
    return {
        "all": _figures(rows),
        "per_source": {
            source: _published(source, same) | _figures(same)
            for source in sources
            if (same := [row for row in rows if row["source"] == source])
        },
    }


def off_target(compared: Row) -> list[str]:
    """A line for every figure of all conversations, and of the published means by source, that is far off its target."""
    lines = [_line("", name, value) for name, value in compared["all"].items() if value["off"]]
    for source, values in compared["per_source"].items():
        lines += [
            _line(f"{source}: ", name, value)
            for name, value in values.items()
            if name.startswith("source_") and value["off"]
        ]
    return lines


def _line(prefix: str, name: str, value: Row) -> str:
    low, high = value["target"]
    released = "" if value["released"] is None else f", released {value['released']:g}"
    return f"{prefix}{name} {value['value']:g} ({value['low']:g} to {value['high']:g}), target {low:g} to {high:g}{released}"


def figure(
    values: Sequence[float], kind: str, released: float | None, released_n: int | None, target: Sequence[float] | None
) -> Row:
    """{value, low, high, n, released, released_n, target, off} of measured values; shares are values of 0 and 1.

    `low` and `high` are the ends of the confidence interval. `off`: the whole interval is outside of the target.
    """
    low, high, value = _interval(values, kind)
    off = target is not None and (high < target[0] or low > target[1])
    return {
        "value": _rounded(value, kind),
        "low": _rounded(low, kind),
        "high": _rounded(high, kind),
        "n": len(values),
        "released": released,
        "released_n": released_n,
        "target": None if target is None else [_rounded(end, kind) for end in target],
        "off": off,
    }


def _rounded(value: float, kind: str) -> float:
    return round(value, 4 if kind == "share" else 1)


def _interval(values: Sequence[float], kind: str) -> tuple[float, float, float]:
    """(low, high, estimate)."""
    count = len(values)
    if kind == "share":
        found = stats.binomtest(round(sum(values)), count).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high), sum(values) / count
    if kind == "mean":
        centre = mean(values)
        # The spread of a single value is unknown.
        half = (
            float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * stdev(values) / math.sqrt(count)
            if count > 1
            else centre
        )
        return centre - half, centre + half, centre
    share, ordered = QUANTILES[kind], sorted(values)
    low, high = stats.binom.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], count, share)
    at = [min(max(int(place), 0), count - 1) for place in (low - 1, high, share * (count - 1))]
    return ordered[at[0]], ordered[at[1]], ordered[at[2]]


def _target(entry: Row) -> list[float] | None:
    if "target" in entry:
        return entry["target"]
    released = entry["released"]
    if entry["kind"] == "share":
        return [max(released - SHARE_TOLERANCE, 0.0), min(released + SHARE_TOLERANCE, 1.0)]
    return [released * (1 - LENGTH_TOLERANCE), released * (1 + LENGTH_TOLERANCE)]


def _figures(rows: Sequence[Conversation]) -> Row:
    values = measure(rows)
    return {
        name: figure(values[name], entry["kind"], entry["released"], entry["n"], _target(entry))
        for name, entry in FIGURES.items()
        if values.get(name)
    }


def _published(source: str, rows: Sequence[Conversation]) -> Row:
    """The means of a source in the released file's table, of all turns."""
    published = SOURCES.get(source, {})
    exchanges = [exchange for row in rows for exchange in row["conversation"]]
    measured: dict[str, list[float]] = {
        "exchanges": [float(len(row["conversation"])) for row in rows],
        "user_chars": [float(len(exchange["input"])) for exchange in exchanges],
        "answer_chars": [float(len(exchange["output"])) for exchange in exchanges],
    }
    found = {}
    for name, values in measured.items():
        released = published.get(name) if published.get("amplified") else None
        target = None if released is None else [released * (1 - LENGTH_TOLERANCE), released * (1 + LENGTH_TOLERANCE)]
        found[f"source_{name}"] = figure(values, "mean", released, None, target)
    return found


def measure(rows: Iterable[Conversation]) -> dict[str, list[float]]:
    """The measured values by figure: one for each conversation, follow-up or answer to which the figure applies."""
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    openings: list[str] = []
    for row in rows:
        conversation = row["conversation"]
        follow_ups = [exchange["input"] for exchange in conversation[1:]]
        seed_answer = row["provenance"].get("first_answer") == "seed"
        for number, name in ((2, "two_exchanges"), (3, "three_exchanges"), (4, "four_exchanges")):
            found[name].append(len(conversation) == number)
        found["short_seed_answers"].append(seed_answer and len(conversation[0]["output"]) <= SHORT_ANSWER_CHARS)
        moves = [move for step in row["provenance"]["steps"] for move in step.get("moves", [])]
        for place, text in enumerate(follow_ups):
            previous = conversation[place]
            for name, value in _follow_up(text, f"{previous['input']}\n{previous['output']}").items():
                found[name].append(value)
            for name, value in _by_place(
                text, place, len(follow_ups), moves[place] if place < len(moves) else None
            ).items():
                found[name].append(value)
            openings.append(forms.first_words(text))
        found["form_changes"] += [forms.form(one) != forms.form(other) for one, other in itertools.pairwise(follow_ups)]
        for exchange in conversation[seed_answer:]:
            for name, value in _answer(exchange["output"]).items():
                found[name].append(value)
    found["distinct_first_words"] = [
        float(opening not in openings[start:number])
        for start in range(0, len(openings), BATCH)
        for number, opening in enumerate(openings[start : start + BATCH], start)
    ]
    return found


def _follow_up(text: str, previous: str) -> dict[str, float]:
    """The values of a follow-up that depend on its text and the previous exchange."""
    form, length = forms.form(text), float(len(text))
    first = forms.normalise(text)
    return {
        **dict.fromkeys(("chars", "chars_p10", "chars_median", "chars_p90"), length),
        "words": float(len(text.split())),
        "one_sentence": forms.sentences(text) == 1,
        **{name: form == name for name in forms.FORMS},
        "recap": forms.has_recap(text),
        "opens_how": first.startswith("how "),
        "opens_what": first.startswith("what "),
        "opens_can_you": first.startswith(("can you ", "could you ")),
        "anchored": forms.has_anchor(text, previous),
        "without_pronoun": forms.PRONOUN.search(text) is None,
        "two_requests": forms.JOINED.search(text) is not None,
        "narrowing": forms.has_narrowing(text),
        "first_person": forms.FIRST_PERSON.search(text) is not None,
        "thanks": forms.PRAISE.search(text) is not None,
    }


def _by_place(text: str, place: int, count: int, move: str | None) -> dict[str, float]:
    """The values of a follow-up that apply to its place only: number `place`, from 0, of `count`."""
    last = place == count - 1
    words = forms.normalise(text).split()[:4]
    found: dict[str, float] = {
        "elaborate_last" if last else "elaborate_other": any(word in ELABORATE for word in words)
    }
    if place < 3:
        found[("recap_second_turn", "recap_third_turn", "recap_fourth_turn")[place]] = forms.has_recap(text)
    if move in GROUPS:
        names = ("drill_down_last", "application_last", "uncovered_case_last") if last else (
            "analysis", "application", "mechanism", "what_if", "limits", "drill_down",
        )  # fmt: skip
        found |= {name: GROUPS[move] == name.removesuffix("_last") for name in names}
    return found


def _answer(text: str) -> dict[str, float]:
    layout, end = forms.layout(text), forms.last_part(text)
    low, high = RELEASED_ANSWER_CHARS
    return {
        "answer_chars": float(len(text)),
        "answer_in_range": low <= len(text) <= high,
        **{name: layout == name for name in ("prose", "list", "mathematics", "verse")},
        "bold": forms.BOLD.search(text) is not None,
        "headings": forms.HEADING.search(text) is not None,
        "servile": forms.SERVILE.search(text) is not None,
        "ends_mid_sentence": forms.ends_mid_sentence(text),
        "ends_with_recap": forms.RECAP_END.search(end) is not None,
        "ends_with_caveat": forms.CAVEAT_END.search(end) is not None,
    }

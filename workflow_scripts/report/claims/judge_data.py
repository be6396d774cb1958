"""Judges of the claims about the data. Each takes what was measured and the claim's numbers, and nothing else."""

from collections.abc import Iterable

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

DATA = ("train", "test")


def _count(measured: Row) -> Row:
    return number("conversations", measured["data"]["conversations"], "conversations")


def under_20k_examples(measured: Row, numbers: Row) -> Judgement:
    """Between a full set and 20,000."""
    count = measured["data"]["conversations"]
    return by_size(count <= numbers["most"], count, numbers["full"], [_count(measured)], DATA)


def over_10000_multi_turn(measured: Row, numbers: Row) -> Judgement:
    """A number that no small set can have."""
    data = measured["data"]
    values = [number("multi-turn conversations", data["multi_turn"], "conversations"), _count(measured)]
    return by_size(data["multi_turn"] > numbers["least"], data["conversations"], numbers["full"], values, DATA)


def over_60_percent_multi_turn(measured: Row, numbers: Row) -> Judgement:
    """A share of all."""
    data = measured["data"]
    share = 100 * data["multi_turn"] / max(data["conversations"], 1)
    values = [number("multi-turn share", share, "%"), _count(measured)]
    return by_size(share > numbers["percent"], data["conversations"], numbers["full"], values, DATA)


def over_1000_tokens(measured: Row, numbers: Row) -> Judgement:
    """A mean of all."""
    data = measured["data"]
    values = [number("mean length", data["tokens"], "tokens"), _count(measured)]
    return by_size(data["tokens"] > numbers["tokens"], data["conversations"], numbers["full"], values, DATA)


def three_turns_or_more(measured: Row, numbers: Row) -> Judgement:
    """In exchanges it is shown, in messages at least not contradicted."""
    data = measured["data"]
    exchanges = data["messages"] / 2
    values = [
        number("mean exchanges", exchanges, "exchanges", 2),
        number("mean messages", data["messages"], "messages", 2),
        _count(measured),
    ]
    if data["conversations"] >= numbers["full"] and exchanges < numbers["turns"] <= data["messages"]:
        return Judgement(NOT_SHOWN, "It is so if messages are counted, and not if exchanges are.", values, DATA)
    return by_size(exchanges >= numbers["turns"], data["conversations"], numbers["full"], values, DATA)


def mostly_new_tokens(measured: Row, numbers: Row) -> Judgement:
    """Words that no seed has in such a run, of all words; what came in finished counts as old."""
    data = measured["data"]
    if not data["new"] or not data["new"]["words"]:
        return unmeasured("This run has no seeds to compare with.")
    words = data["new"]["words"]
    share = 100 * (words - data["new"]["old"] - data["new"]["included"]) / words
    values = [
        number("new words", share, "%"),
        number("words of a seed", 100 * data["new"]["old"] / words, "%"),
        number("words of included conversations", 100 * data["new"]["included"] / words, "%"),
        number("words", words, "words"),
    ]
    return by_size(share > numbers["percent"], data["conversations"], numbers["full"], values, (*DATA, "seeds"))


def no_alignment_phrases(measured: Row, numbers: Row) -> Judgement:
    """One is enough to contradict it."""
    data = measured["data"]
    values = [number(f"answers with “{phrase}”", count, "conversations") for phrase, count in data["phrases"].items()]
    if any(data["phrases"].values()):
        return Judgement(CONTRADICTED, "A phrase that was to be filtered is there.", [*values, _count(measured)], DATA)
    shown = "No answer holds either of the two phrases."
    return by_size(True, data["conversations"], numbers["full"], [*values, _count(measured)], DATA, shown)


def seeds_used(measured: Row, numbers: Row) -> Judgement:
    """Each source named, from where it is published."""
    labels = measured["data"]["labels"]
    published = {label: labels.get(label, {}).get("published", 0) for label in numbers["labels"]}
    values = [number(f"{label}, as published", count, "conversations") for label, count in published.items()]
    missing = [label for label, count in published.items() if not count]
    if not missing:
        return Judgement(SHOWN, "Every source that is named is there.", values, DATA)
    local = [label for label in missing if labels.get(label, {}).get("conversations")]
    reason = f"Not there: {', '.join(missing)}."
    if local:
        reason += f" Rows of {', '.join(local)} came from local files."
    return Judgement(NOT_SHOWN, reason, values, DATA)


def techniques_used(measured: Row, numbers: Row) -> Judgement:
    """Each technique that synthesises."""
    data = measured["data"]
    if not data["synthesised"]:
        return unmeasured("Nothing was synthesised in this run.", DATA)
    found = {
        name: sum(data["techniques"].get(step, 0) for step in steps) for name, steps in numbers["techniques"].items()
    }
    values = [number(name, count, "conversations") for name, count in found.items()]
    missing = [name for name, count in found.items() if not count]
    if missing:
        return Judgement(NOT_SHOWN, f"Not used: {', '.join(missing)}.", values, DATA)
    return by_size(True, data["conversations"], numbers["full"], values, DATA, "Each of them was used.")


def lesswrong_portion(measured: Row, numbers: Row) -> Judgement:
    """Conversations made from posts as published; a portion may be small."""
    data = measured["data"]
    count = data["from_posts"]
    values = [number("multi-turn conversations from published posts", count, "conversations"), _count(measured)]
    if 0 < count < numbers["least"]:
        return Judgement(NOT_SHOWN, f"They are fewer than {numbers['least']:,}.", values, DATA)
    full = 0 if count else numbers["full"]
    return by_size(count > 0, data["conversations"], full, values, DATA)


def summary_tasks(measured: Row, numbers: Row) -> Judgement:
    """Conversations that begin with a summary."""
    data = measured["data"]
    evidence = (*DATA, "seeds")
    if data["new"] is None:
        return unmeasured("This run has no seeds, and only they say which conversation begins with a summary task.")
    values = [number("summary tasks", data["summaries"], "conversations"), _count(measured)]
    enough = data["summaries"] >= numbers["least"]
    return by_size(enough, data["conversations"], 0 if enough else numbers["full"], values, evidence)


def camel_errors(measured: Row, numbers: Row) -> Judgement:
    """The share that experts found faulty, with its interval."""
    camel = measured["verification"]
    if camel is None:
        return unmeasured("No expert's decisions on CamelAI items are part of this run.")
    low, high = 100 * camel["low"], 100 * camel["high"]
    values = [
        number("faulty", 100 * camel["rate"], "%"),
        number("95 % interval, from", low, "%"),
        number("95 % interval, to", high, "%"),
        number("items judged", camel["items"], "items"),
    ]
    if camel["local"]:
        reason = f"{camel['local']} seeds under CamelAI's label came from local files: nobody can tell what they are."
        return Judgement(NOT_SHOWN, reason, values, ("verification", "seeds"))
    if camel["items"] < numbers["least"]:
        return Judgement(NOT_SHOWN, f"Fewer than {numbers['least']} items were judged.", values, ("verification",))
    if low <= numbers["high"] and numbers["low"] <= high:
        return Judgement(SHOWN, "The interval meets the card's range.", values, ("verification",))
    return Judgement(CONTRADICTED, "The interval lies beside the card's range.", values, ("verification",))


def no_contamination(measured: Row, numbers: Row) -> Judgement:
    """Five suites whole, four levels, nothing that stayed in."""
    found = measured["decontamination"]
    benchmarks, lowest = found["benchmarks"], str(min(numbers["levels"]))
    evidence = ("decontamination", "hits")
    if not benchmarks:
        return unmeasured("Nothing was searched for.", evidence)
    values, missing = [], []
    for suite, sizes in numbers["sizes"].items():
        here = {name: benchmarks[name]["items"] for name in sizes if name in benchmarks}
        values.append(
            number(f"{suite}, items searched", sum(here.values()), f"items, {sum(sizes.values()):,} expected")
        )
        if any(here.get(name, 0) < size for name, size in sizes.items()):
            missing.append(suite)
    apart = [entry[kind].get(lowest, {"items": 0}) for entry in benchmarks.values() for kind in ("listed", "passages")]
    values += [
        number("questions and answers that stayed in", len(measured["stayed"]), "items"),
        number("removed", found["rejected"].get("contaminated", 0), "conversations"),
        number("found, but too short to mean something, or passages", sum(each["items"] for each in apart), "items"),
        number("with nothing to look for", sum(entry["empty"] for entry in benchmarks.values()), "items"),
        _count(measured),
    ]
    if measured["stayed"]:
        reason = "Some of what was found stayed in: it was allowed, or is less similar than `remove_at` asks for."
        return Judgement(CONTRADICTED, reason, values, evidence)
    if missing:
        return Judgement(NOT_SHOWN, f"Not searched for, or not whole: {', '.join(missing)}.", values, evidence)
    if levels := sorted(set(numbers["levels"]) - set(found["levels"])):
        return Judgement(NOT_SHOWN, f"Not searched at {', '.join(map(str, levels))} %.", values, evidence)
    shown = "Nothing that was found stayed in."
    return by_size(True, measured["data"]["conversations"], numbers["full"], values, evidence, shown)


def stayed_in(hits: Iterable[Row], lowest: int) -> list[str]:
    """Benchmark items, as `benchmark item`, that a conversation of the data set still holds: hits that are a reason to
    remove, at `lowest` percent or above, in a conversation that no hit has removed."""
    kept: dict[str, set[str]] = {}
    removed = set()
    for hit in hits:
        if hit["counts"]:
            removed.add(hit["id"])
        elif hit["removes"] and hit["level"] >= lowest:
            kept.setdefault(hit["id"], set()).add(f"{hit['benchmark']} {hit['item']}")
    return sorted({item for name, items in kept.items() if name not in removed for item in items})

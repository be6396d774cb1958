"""Judges of the claims about the data: one function per claim, of the measurements and the claim's numbers."""

from collections.abc import Iterable

from workflow_scripts.common.plural import counted
from workflow_scripts.common.types import Hit, Row
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
APART = ("listed", "words", "passages")  # kinds of hits that are no reason for removal


def _count(measured: Row) -> Row:
    return number("conversations", measured["data"]["conversations"], "conversations")


def under_20k_examples(measured: Row, numbers: Row) -> Judgement:
    """The number of conversations is at most 20,000 and at least that of a full dataset."""
    count = measured["data"]["conversations"]
    return by_size(count <= numbers["most"], count, numbers["full"], [_count(measured)], DATA)


def over_10000_multi_turn(measured: Row, numbers: Row) -> Judgement:
    """The number of multi-turn conversations."""
    data = measured["data"]
    values = [number("multi-turn conversations", data["multi_turn"], "conversations"), _count(measured)]
    return by_size(data["multi_turn"] > numbers["least"], data["conversations"], numbers["full"], values, DATA)


def over_60_percent_multi_turn(measured: Row, numbers: Row) -> Judgement:
    """The share of multi-turn conversations."""
    data = measured["data"]
    share = 100 * data["multi_turn"] / max(data["conversations"], 1)
    values = [number("multi-turn share", share, "%"), _count(measured)]
    return by_size(share > numbers["percent"], data["conversations"], numbers["full"], values, DATA)


def over_1000_tokens(measured: Row, numbers: Row) -> Judgement:
    """The mean length of a conversation in tokens."""
    data = measured["data"]
    values = [number("mean length", data["tokens"], "tokens"), _count(measured)]
    return by_size(data["tokens"] > numbers["tokens"], data["conversations"], numbers["full"], values, DATA)


def three_turns_or_more(measured: Row, numbers: Row) -> Judgement:
    """The mean number of exchanges; if only the mean number of messages is sufficient, the claim is not shown."""
    data = measured["data"]
    exchanges = data["messages"] / 2
    values = [
        number("mean exchanges", exchanges, "exchanges", 2),
        number("mean messages", data["messages"], "messages", 2),
        _count(measured),
    ]
    if data["conversations"] >= numbers["full"] and exchanges < numbers["turns"] <= data["messages"]:
        return Judgement(NOT_SHOWN, "The claim holds for messages, but not for exchanges.", values, DATA)
    return by_size(exchanges >= numbers["turns"], data["conversations"], numbers["full"], values, DATA)


def mostly_new_tokens(measured: Row, numbers: Row) -> Judgement:
    """The share of words that are not from a seed; included conversations count as old."""
    data = measured["data"]
    if not data["new"] or not data["new"]["words"]:
        return unmeasured("This run has no seeds for comparison.")
    words = data["new"]["words"]
    share = 100 * (words - data["new"]["old"] - data["new"]["included"]) / words
    values = [
        number("new words", share, "%"),
        number("words from seeds", 100 * data["new"]["old"] / words, "%"),
        number("words of included conversations", 100 * data["new"]["included"] / words, "%"),
        number("words", words, "words"),
    ]
    return by_size(share > numbers["percent"], data["conversations"], numbers["full"], values, (*DATA, "seeds"))


def no_alignment_phrases(measured: Row, numbers: Row) -> Judgement:
    """Answers with one of the phrases; a single one contradicts the claim."""
    data = measured["data"]
    values = [number(f"answers with “{phrase}”", count, "conversations") for phrase, count in data["phrases"].items()]
    if any(data["phrases"].values()):
        return Judgement(
            CONTRADICTED, "A phrase that should be filtered occurs in the data.", [*values, _count(measured)], DATA
        )
    shown = "No answer contains either phrase."
    return by_size(True, data["conversations"], numbers["full"], [*values, _count(measured)], DATA, shown)


def seeds_used(measured: Row, numbers: Row) -> Judgement:
    """Conversations of each named source, read from where it is published."""
    labels = measured["data"]["labels"]
    published = {label: labels.get(label, {}).get("published", 0) for label in numbers["labels"]}
    values = [
        number(f"{label}, from its published source", count, "conversations") for label, count in published.items()
    ]
    missing = [label for label, count in published.items() if not count]
    if not missing:
        return Judgement(SHOWN, "Every named source is part of the data.", values, DATA)
    local = [label for label in missing if labels.get(label, {}).get("conversations")]
    reason = f"Missing sources: {', '.join(missing)}."
    if local:
        reason += f" Rows of {', '.join(local)} are from local files."
    return Judgement(NOT_SHOWN, reason, values, DATA)


def techniques_used(measured: Row, numbers: Row) -> Judgement:
    """Conversations of each named technique."""
    data = measured["data"]
    if not data["synthesised"]:
        return unmeasured("Nothing was synthesised in this run.", DATA)
    found = {
        name: sum(data["techniques"].get(step, 0) for step in steps) for name, steps in numbers["techniques"].items()
    }
    values = [number(name, count, "conversations") for name, count in found.items()]
    missing = [name for name, count in found.items() if not count]
    if missing:
        return Judgement(NOT_SHOWN, f"Unused techniques: {', '.join(missing)}.", values, DATA)
    return by_size(True, data["conversations"], numbers["full"], values, DATA, "Every named technique was used.")


def lesswrong_portion(measured: Row, numbers: Row) -> Judgement:
    """Multi-turn conversations synthesised from published posts."""
    data = measured["data"]
    count = data["from_posts"]
    values = [number("multi-turn conversations from published posts", count, "conversations"), _count(measured)]
    if 0 < count < numbers["least"]:
        return Judgement(NOT_SHOWN, f"There are fewer than {numbers['least']:,} such conversations.", values, DATA)
    full = 0 if count else numbers["full"]
    return by_size(count > 0, data["conversations"], full, values, DATA)


def summary_tasks(measured: Row, numbers: Row) -> Judgement:
    """Conversations that begin with a summary task."""
    data = measured["data"]
    evidence = (*DATA, "seeds")
    if data["new"] is None:
        return unmeasured("This run has no seeds, which identify the summary tasks.")
    values = [number("summary tasks", data["summaries"], "conversations"), _count(measured)]
    enough = data["summaries"] >= numbers["least"]
    return by_size(enough, data["conversations"], 0 if enough else numbers["full"], values, evidence)


def camel_errors(measured: Row, numbers: Row) -> Judgement:
    """The share of items that experts found faulty, with its interval."""
    camel = measured["verification"]
    if camel is None:
        return unmeasured("This run has no expert decisions on CamelAI items.")
    low, high = 100 * camel["low"], 100 * camel["high"]
    values = [
        number("faulty", 100 * camel["rate"], "%"),
        number("95 % interval, lower limit", low, "%"),
        number("95 % interval, upper limit", high, "%"),
        number("items judged", camel["items"], "items"),
    ]
    if camel["local"]:
        verb = "is" if camel["local"] == 1 else "are"
        reason = f"{counted(camel['local'], 'seed')} with CamelAI's label {verb} from local files of unknown origin."
        return Judgement(NOT_SHOWN, reason, values, ("verification", "seeds"))
    if camel["items"] < numbers["least"]:
        return Judgement(NOT_SHOWN, f"Fewer than {numbers['least']} items were judged.", values, ("verification",))
    if low <= numbers["high"] and numbers["low"] <= high:
        return Judgement(SHOWN, "The interval overlaps the card's range.", values, ("verification",))
    return Judgement(CONTRADICTED, "The interval is outside the card's range.", values, ("verification",))


def amplify_instruct(measured: Row, numbers: Row) -> Judgement:
    """The share of conversations that Amplify-Instruct extended; in a full dataset, none contradicts the claim."""
    data = measured["data"]
    count = data["techniques"].get("amplify", 0)
    share = 100 * count / max(data["conversations"], 1)
    values = [number("extended by Amplify-Instruct", share, "%"), _count(measured)]
    if count and share <= numbers["percent"]:
        return Judgement(NOT_SHOWN, f"At most {numbers['percent']} % of the conversations were extended.", values, DATA)
    return by_size(count > 0, data["conversations"], numbers["full"], values, DATA)


def multiple_exchanges(measured: Row, numbers: Row) -> Judgement:
    """The mean number of exchanges."""
    data = measured["data"]
    exchanges = data["messages"] / 2
    values = [number("mean exchanges", exchanges, "exchanges", 2), _count(measured)]
    return by_size(exchanges >= numbers["turns"], data["conversations"], numbers["full"], values, DATA)


def camel_curated(measured: Row, numbers: Row) -> Judgement:
    """CamelAI conversations in the dataset, and the number of CamelAI items that experts judged."""
    data, camel = measured["data"], measured["verification"]
    count = data["labels"].get("Verified-Camel", {}).get("published", 0)
    judged = camel["items"] if camel else 0
    evidence = (*DATA, "verification")
    values = [
        number("CamelAI, from its published source", count, "conversations"),
        number("items judged by experts", judged, "items"),
        _count(measured),
    ]
    if count and judged >= numbers["least"] and not camel["local"]:
        return Judgement(SHOWN, "Experts judged CamelAI items, and the data contain some.", values, evidence)
    if count or data["conversations"] < numbers["full"]:
        reason = "Experts judged too few items." if count else "No conversation is from CamelAI's published data."
        return Judgement(NOT_SHOWN, reason, values, evidence)
    return Judgement(CONTRADICTED, "No conversation is from CamelAI's published data.", values, evidence)


def _search(measured: Row, numbers: Row) -> tuple[list[Row], str | None]:
    """Measurements of the search for benchmark items, and the reason why it is incomplete, or None."""
    stats = measured["decontamination"]
    benchmarks = stats["benchmarks"]
    values, missing = [], []
    for suite, sizes in numbers["sizes"].items():
        here = {name: benchmarks[name]["items"] for name in sizes if name in benchmarks}
        values.append(number(f"{suite}, searched of {sum(sizes.values()):,} items", sum(here.values()), "items"))
        if any(here.get(name, 0) < size for name, size in sizes.items()):
            missing.append(suite)
    values += [
        number("without text to search", sum(entry["empty"] for entry in benchmarks.values()), "items"),
        _count(measured),
    ]
    if missing:
        return values, f"Not searched, or incomplete: {', '.join(missing)}."
    if levels := sorted(set(numbers["levels"]) - set(stats["levels"])):
        return values, f"Not searched at {', '.join(map(str, levels))} %."
    return values, None


def contamination_checked(measured: Row, numbers: Row) -> Judgement:
    """Five complete suites were searched at four levels."""
    if not measured["decontamination"]["benchmarks"]:
        return unmeasured("No benchmark was searched.", ("decontamination",))
    values, incomplete = _search(measured, numbers)
    if incomplete:
        return Judgement(NOT_SHOWN, incomplete, values, ("decontamination",))
    shown = "All five suites were searched completely."
    return by_size(True, measured["data"]["conversations"], numbers["full"], values, ("decontamination",), shown)


def no_matches_found(measured: Row, numbers: Row) -> Judgement:
    """No benchmark item was found, whether or not it was removed."""
    benchmarks, lowest = measured["decontamination"]["benchmarks"], str(min(numbers["levels"]))
    if not benchmarks:
        return unmeasured("No benchmark was searched.", ("decontamination",))
    found = {kind: sum(entry[kind].get(lowest, {"items": 0})["items"] for entry in benchmarks.values()) for kind in ("levels", "allowed", "listed", "words", "passages")}  # fmt: skip
    values, incomplete = _search(measured, numbers)
    matches = found["levels"] + found["allowed"]
    values = [
        number("questions and answers found", matches, "items"),
        number("found, but too short to be specific, or passages", sum(found[kind] for kind in APART), "items"),
        *values,
    ]
    if matches:
        return Judgement(CONTRADICTED, "Benchmark items were found in the data.", values, ("decontamination",))
    if incomplete:
        return Judgement(NOT_SHOWN, incomplete, values, ("decontamination",))
    shown = "No benchmark item was found."
    return by_size(True, measured["data"]["conversations"], numbers["full"], values, ("decontamination",), shown)


def nothing_left(measured: Row, numbers: Row) -> Judgement:
    """No benchmark item that was found is left in the data."""
    evidence = ("decontamination", "hits")
    if not measured["decontamination"]["benchmarks"]:
        return unmeasured("No benchmark was searched.", evidence)
    values, incomplete = _search(measured, numbers)
    values = [
        number("questions and answers left in the data", len(measured["remaining"]), "items"),
        number("removed", measured["decontamination"]["rejected"].get("contaminated", 0), "conversations"),
        *values,
    ]
    if measured["remaining"]:
        reason = "Some hits were left in the data: allowed ones, or ones below `remove_at`."
        return Judgement(CONTRADICTED, reason, values, evidence)
    if incomplete:
        return Judgement(NOT_SHOWN, incomplete, values, evidence)
    shown = "No hit was left in the data."
    return by_size(True, measured["data"]["conversations"], numbers["full"], values, evidence, shown)


def remaining_items(hits: Iterable[Hit], lowest: int) -> list[str]:
    """Benchmark items, as `benchmark item`, that are still in the data: hits that are a reason for removal, at `lowest`
    percent or above, in conversations that were not removed."""
    kept: dict[str, set[str]] = {}
    removed = set()
    for hit in hits:
        if hit["counts"]:
            removed.add(hit["id"])
        elif hit["removes"] and hit["level"] >= lowest:
            kept.setdefault(hit["id"], set()).add(f"{hit['benchmark']} {hit['item']}")
    return sorted({item for name, items in kept.items() if name not in removed for item in items})

"""Print requests, tokens, cost and hours of a synthesis before it starts.

    capybara estimate --configfile mine.yaml
    capybara estimate --configfile mine.yaml --tokens-per-second 2500 --input-price 0.15 --output-price 0.6

If the run's seeds exist, they are counted, and the answers in its cache are subtracted. No request is sent.
"""

import argparse
from typing import Any

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.types import Config
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.config.sources import registry, resolve
from workflow_scripts.seeds.counts import total_seeds, wanted_seeds
from workflow_scripts.synthesis.cost_model import (
    CHARS_PER_TOKEN,
    FIRST_ANSWER_TOKENS,
    OPENING_TOKENS,
    PROMPT_TOKENS,
    Calls,
    Measured,
    count_cached,
    estimate_calls,
    estimate_hours,
    expected_groups,
    merge_by_kind,
    read_measurements,
    seed_groups,
    sum_calls,
)
from workflow_scripts.synthesis.shards import examples_shown, shards
from workflow_scripts.synthesis.topics import read_topics
from workflow_scripts.teacher.budget import Ledger, price_of
from workflow_scripts.teacher.cache import RequestCache

SERVER_COUNTS = (1, 2, 4, 8)  # for which hours are printed


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A text table: first column left-aligned, the others right-aligned; numbers without decimals."""
    cells = [head, *([value if isinstance(value, str) else f"{value:,.0f}" for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *(line.rstrip() for line in lines[1:])])


def report(config: Config, tokens_per_second: float | None = None, prices: Config | None = None) -> str:
    """The estimate as text. `tokens_per_second` is the throughput in completion tokens, of all requests together.

    `prices` replace keys of `teacher.price`.
    """
    settings, teacher = config["synthesis"], config["teacher"]
    folder = run_folder(config)
    cache = RequestCache(folder / "teacher" / "cache")
    known = read_measurements(folder / "synthesis" / "stats.json")
    requests_per_text = known.requests_per_text or 1.0
    speed = tokens_per_second or known.tokens_per_second
    price = (teacher.get("price") or {}) | (prices or {})
    currency = price.get("currency", "")
    seeds_file = folder / "seeds" / "data.jsonl"
    parts, assumed = [], []

    left: list[Calls] = []
    if seeds_file.is_file():
        parts_of_seeds = shards(seeds_file, settings["shard_size"], examples_shown(settings))
        seeds = [seed for part in parts_of_seeds for seed in part]
        groups = seed_groups(seeds, settings)
        topics_file = folder / "synthesis" / "topics.json"
        topics = read_topics(topics_file) if topics_file.is_file() else []
        cached = count_cached(seeds, config, cache, topics)
        parts.append(f"Run {config['run']}: {len(seeds):,} single-turn seeds in {seeds_file}")
        unfinished = seed_groups([seed for seed in seeds if seed["id"] not in cached["finished"]], settings)
        assumed.append("paths, lengths of openings and stored answers are those of these seeds")
    else:
        limit = config["seeds"]["limit"]
        composition = config["seeds"].get("composition")
        expected_yield = config["seeds"]["expected_yield"]
        wanted = wanted_seeds(composition, limit, expected_yield) if composition else {}
        ready = finished_labels(config)
        amplified = sum(count for label, count in wanted.items() if label not in ready)
        if not composition:
            amplified = total_seeds(limit, expected_yield)
        unfinished = groups = expected_groups(amplified, settings)
        cached = {"finished": set(), "requests": 0, "prompt_tokens": 0, "completion_tokens": 0}
        parts.append(
            f"Run {config['run']}: no seeds yet ({seeds_file}); `seeds.limit` = {limit:,} is used. "
            "`snakemake --cores all seeds` selects them without a teacher's request, unless the teacher labels them"
        )
        if composition:
            largest = sorted(wanted.items(), key=lambda item: (-item[1], item[0]))
            sources = [[label, count, "unchanged" if label in ready else "amplified"] for label, count in largest]
            parts.append(table(["source", "seeds", "use"], sources))
        assumed.append(
            f"every source has enough rows; every path fits every seed; every seed has an answer and skills; an opening has {OPENING_TOKENS} tokens, its answer {FIRST_ANSWER_TOKENS}"
        )

    every: list[Calls] = []
    rows: list[list[Any]] = []
    for group in groups:
        per_draft = merge_by_kind(estimate_calls(group, settings, known.reply, requests_per_text))
        name = " > ".join(group.path)
        rows.append([name, group.seeds, "", "", "", ""])
        for one in per_draft:
            rows.append(
                [f"  {one.technique}: {one.kind}", "", f"{one.requests:.2f}", one.requests * group.seeds,
                 one.prompt_tokens * group.seeds, one.completion_tokens * group.seeds]
            )  # fmt: skip
            every.append(one.times(group.seeds))
    for group in unfinished:
        left += [one.times(group.seeds) for one in estimate_calls(group, settings, known.reply, requests_per_text)]
    parts.append(table(["path and step", "seeds", "per seed", "requests", "prompt tokens", "completion tokens"], rows))

    whole, rest = sum_calls(every), sum_calls(left)
    for name in ("requests", "prompt_tokens", "completion_tokens"):
        setattr(rest, name, max(getattr(rest, name) - cached[name], 0.0))

    def line(label: str, calls: Calls) -> list[Any]:
        money = price_of(round(calls.prompt_tokens), round(calls.completion_tokens), price)
        time = estimate_hours(calls, speed, teacher.get("rate") or {})
        return [label, calls.requests, calls.prompt_tokens, calls.completion_tokens, f"{money:,.2f} {currency}".strip(),
                "unknown" if time is None else f"{time:,.1f}"]  # fmt: skip

    most = Calls("", "", whole.max_requests, whole.max_prompt_tokens, whole.max_completion_tokens)
    head = ["", "requests", "prompt tokens", "completion tokens", "cost", "hours"]
    parts.append(
        table(
            head,
            [
                line("expected, from scratch", whole),
                line("at most, from scratch", most),
                line("expected, not yet requested", rest),
            ],
        )
    )
    if speed:
        hours = whole.completion_tokens / speed / 3600
        counts = ", ".join(f"{count}: {hours / count:,.1f}" for count in SERVER_COUNTS)
        parts.append(f"Wall-clock hours by number of such servers, from scratch: {counts}")
    tokens, money = Ledger(cache.folder / "ledger").spent()
    parts.append(
        f"Stored answers: {len(cache.keys()):,}; {len(cached['finished']):,} seeds are complete, the others have "
        f"{cached['requests']:,} answers. Spent so far: {tokens:,} tokens, {money:,.2f} {currency}".rstrip()
        + "."
    )
    assumed += _assumptions(settings, price, known, requests_per_text, speed)
    parts.append("Assumed:\n" + "\n".join(f"- {text}" for text in assumed))
    return "\n\n".join(parts)


def _assumptions(
    settings: Config, price: Config, known: Measured, requests_per_text: float, speed: float | None
) -> list[str]:
    """What the estimate assumes, apart from the seeds."""
    replies = ", ".join(f"{count} ({kind})" for kind, count in known.reply.items())
    if known.requests_per_text:
        lengths, repeats = "follow-ups and answers as measured in this run", ", as measured in this run"
    else:
        lengths, repeats = "follow-ups and answers as long as in the released file", " (every first reply is valid)"
    cost = "no price is set"
    if price.get("input") or price.get("output"):
        currency = price["currency"]
        cost = f"{price['input']} {currency} per million prompt tokens, {price['output']} {currency} per million completion tokens"
    throughput = (
        f"at {speed:,.0f} completion tokens/s" if speed else "set --tokens-per-second or `teacher.rate` to compute them"
    )
    return [
        f"{CHARS_PER_TOKEN} characters per token; a prompt adds {PROMPT_TOKENS} tokens; replies have {replies} tokens, at most max_tokens; {lengths}",
        f"{requests_per_text:.2f} requests per text{repeats}; at most `synthesis.attempts` = {settings['attempts']}, each with max_tokens",
        f"cost by `teacher.price`: {cost}; discounts for cached prompts are not included",
        f"hours for one job at a time: {throughput}",
        "no conversation ends early and no technique fails, except in `at most`",
        *(["`synthesis.exchanges` for every source"] if settings.get("exchanges_by_source") else []),
        "not included: requests for labels and scores of seeds (`seeds.labels.by` and `seeds.scores.by: teacher`), for "
        "airoboros' topics, and for judgements of whole conversations (`judge.by: model`); another judge's prices",
    ]


def finished_labels(config: Config) -> set[str]:
    """Labels whose rows need no teacher: all of their sources contain conversations or are included unchanged."""
    sources = [resolve(entry, registry()) for entry in config["seeds"]["sources"]]
    amplified = {
        source["label"] for source in sources if source["layout"] != "conversation" and not source.get("as_is")
    }
    return {source["label"] for source in sources} - amplified


def main(argv: list[str]) -> None:
    """Print the estimate."""
    parser = argparse.ArgumentParser(
        prog="capybara estimate",
        description=__doc__,
        parents=[configfile_option()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tokens-per-second",
        type=float,
        help="throughput of the teacher in completion tokens per second, of all requests together",
    )
    parser.add_argument("--input-price", type=float, help="price per million prompt tokens; default `teacher.price`")
    parser.add_argument(
        "--output-price", type=float, help="price per million completion tokens; default `teacher.price`"
    )
    parser.add_argument("--currency", help="currency of the prices; default `teacher.price`")
    args = parser.parse_args(argv)
    given = {"input": args.input_price, "output": args.output_price, "currency": args.currency}
    prices = {key: value for key, value in given.items() if value is not None}
    print(report(checked_configuration(args.configfile), args.tokens_per_second, prices))

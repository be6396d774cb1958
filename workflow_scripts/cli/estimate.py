"""What a synthesis will ask of its teacher, before anything is paid: requests, tokens, money and hours.

    python -m workflow_scripts.cli.estimate --configfile presets/capybara-7b-v1.yaml mine.yaml

Reads the seeds of the run if they are made already, and counts what is in its cache; asks nothing.
"""

import argparse
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_jsonl
from workflow_scripts.common.types import Row
from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import merged_config
from workflow_scripts.config.sources import registry, resolve
from workflow_scripts.seeds.composition import quotas
from workflow_scripts.synthesis.cost_model import (
    CHARS,
    FIRST_ANSWER,
    OPENING,
    PROMPT,
    Calls,
    by_kind,
    calls_of,
    expected_groups,
    hours,
    in_cache,
    measured,
    seed_groups,
    total,
)
from workflow_scripts.teacher.budget import Ledger, price_of
from workflow_scripts.teacher.cache import RequestCache


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A text table: the first column to the left, numbers to the right."""
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


def report(config: Row, tokens_per_second: float | None = None) -> str:
    """The estimate as text."""
    settings, teacher = config["synthesis"], config["teacher"]
    folder = Path(config["results"]) / config["run"]
    cache = RequestCache(folder / "synthesis" / "cache")
    known = measured(folder / "synthesis" / "stats.json")
    again = known.again or 1.0
    price = teacher.get("price") or {}
    currency = price.get("currency", "")
    seeds_file = folder / "seeds" / "data.jsonl"
    parts, assumed = [], []

    left: list[Calls] = []
    if seeds_file.is_file():
        seeds = [seed for seed in read_jsonl(seeds_file) if seed["kind"] != "conversation"]
        seeds.sort(key=lambda seed: seed["id"])
        groups = seed_groups(seeds, settings)
        cached = in_cache(seeds, config, cache)
        parts.append(f"Run {config['run']}: {len(seeds):,} single-turn seeds in {seeds_file}")
        unfinished = seed_groups([seed for seed in seeds if seed["id"] not in cached["finished"]], settings)
        assumed.append("paths, lengths of openings and what is in the cache: of these very seeds")
    else:
        limit = config["seeds"]["limit"]
        composition = config["seeds"].get("composition")
        wanted = quotas(composition, limit) if composition else {}
        ready = finished_labels(config)
        amplified = sum(count for label, count in wanted.items() if label not in ready) if composition else limit
        unfinished = groups = expected_groups(amplified, settings)
        cached = {"finished": set(), "requests": 0, "prompt_tokens": 0, "completion_tokens": 0}
        parts.append(f"Run {config['run']}: no seeds yet ({seeds_file}); counted are `seeds.limit` = {limit:,}")
        if composition:
            rows = sorted(wanted.items(), key=lambda item: (-item[1], item[0]))
            told = [[label, count, "as they are" if label in ready else "amplified"] for label, count in rows]
            parts.append(table(["source", "seeds", "which are"], told))
        assumed.append(
            f"every source is full, every path fits every seed, every seed has an answer and skills; an opening has {OPENING} tokens, its answer {FIRST_ANSWER}"
        )

    every: list[Calls] = []
    rows = []
    for group in groups:
        per_draft = by_kind(calls_of(group, settings, known.reply, again))
        name = " > ".join(group.path)
        rows.append([name, group.seeds, "", "", "", ""])
        for one in per_draft:
            rows.append(
                [f"  {one.technique}: {one.kind}", "", f"{one.requests:.2f}", one.requests * group.seeds,
                 one.prompt_tokens * group.seeds, one.completion_tokens * group.seeds]
            )  # fmt: skip
            every.append(one.times(group.seeds))
    for group in unfinished:
        left += [one.times(group.seeds) for one in calls_of(group, settings, known.reply, again)]
    parts.append(table(["path and step", "seeds", "a seed", "requests", "prompt tokens", "completion tokens"], rows))

    whole, rest = total(every), total(left)
    for name in ("requests", "prompt_tokens", "completion_tokens"):
        setattr(rest, name, max(getattr(rest, name) - cached[name], 0.0))

    def line(label: str, calls: Calls) -> list[Any]:
        money = price_of(round(calls.prompt_tokens), round(calls.completion_tokens), price)
        time = hours(calls, tokens_per_second or known.tokens_per_second, teacher.get("rate") or {})
        return [label, calls.requests, calls.prompt_tokens, calls.completion_tokens, f"{money:,.2f} {currency}".strip(),
                "unknown" if time is None else f"{time:,.1f}"]  # fmt: skip

    most = Calls("", "", whole.most_requests, whole.most_prompt_tokens, whole.most_completion_tokens)
    head = ["", "requests", "prompt tokens", "completion tokens", "money", "hours"]
    parts.append(
        table(
            head,
            [
                line("expected, from nothing", whole),
                line("at most, from nothing", most),
                line("expected, still to ask", rest),
            ],
        )
    )
    tokens, money = Ledger(cache.folder / "ledger").spent()
    parts.append(
        f"In the cache: {len(cache.files()):,} answers; {len(cached['finished']):,} seeds need nothing more, others have "
        f"{cached['requests']:,} requests answered. Spent so far: {tokens:,} tokens, {money:,.2f} {currency}".rstrip()
        + "."
    )
    assumed += [
        f"{CHARS} characters a token; a prompt adds {PROMPT} tokens; replies have " + ", ".join(f"{count} ({kind})" for kind, count in known.reply.items()) + " tokens, at most max_tokens"
        + ("; follow-ups and answers as measured in this run" if known.again else "; follow-ups and answers as long as the released file's"),
        f"a text is asked for {again:.2f} times" + (", as measured in this run" if known.again else ": all good at once") + f"; at most `synthesis.attempts` = {settings['attempts']}, each as long as max_tokens",
        "money by `teacher.price`" + (" (0: nothing is priced)" if not (price.get("input") or price.get("output")) else f": {price['input']} {currency} and {price['output']} {currency} a million tokens of prompt and completion") + "; a provider's own prompt cache not counted",
        "hours for one job at a time"
        + (f" at {tokens_per_second or known.tokens_per_second:,.0f} completion tokens/s" if tokens_per_second or known.tokens_per_second else "; give --tokens-per-second, or `teacher.rate`, to have them"),
        "no conversation ends early; labels of seeds (`seeds.labels.by: teacher`) are not in it",
    ]  # fmt: skip
    parts.append("Assumed:\n" + "\n".join(f"- {text}" for text in assumed))
    return "\n\n".join(parts)


def finished_labels(config: dict[str, Any]) -> set[str]:
    """Labels of sources whose rows need no teacher: all of them are conversations, or go in as they are."""
    sources = [resolve(entry, registry()) for entry in config["seeds"]["sources"]]
    grown = {source["label"] for source in sources if source["layout"] != "conversation" and not source.get("as_is")}
    return {source["label"] for source in sources} - grown


def main(argv: list[str] | None = None) -> None:
    """Print the estimate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--configfile", type=Path, nargs="*", default=[], help="presets or files of your own, upon config.yaml"
    )
    parser.add_argument(
        "--tokens-per-second",
        type=float,
        help="completion tokens that the teacher writes in a second, all requests together",
    )
    args = parser.parse_args(argv)
    config = merged_config(args.configfile)
    keyless = config | {"teacher": config["teacher"] | {"api_key_env": None}}  # nothing is asked
    if wrong := mistakes(keyless, ["config.yaml", *map(str, args.configfile)]):
        raise UserError("\n".join(["the configuration has mistakes:", *wrong]))
    print(report(config, args.tokens_per_second))


if __name__ == "__main__":
    run(main)

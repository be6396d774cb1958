"""Tell what a training would take, before anything is fetched: steps, tokens, memory of a GPU, hours.

    python -m workflow_scripts.cli.plan --preset presets/capybara-7b-v1.yaml --gpu h100
    python -m workflow_scripts.cli.plan --configfile mine.yaml --gpu a100-80 --mean-tokens 800

After the audit of a run it counts that run's own samples and tokens; before, it takes as many conversations as the
configuration asks for. All of it is arithmetic (docs/training.md); nothing is measured.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Row
from workflow_scripts.config.check import mistakes
from workflow_scripts.config.files import merged_config
from workflow_scripts.config.training import model_settings, number_of_processes

SHAPES = package_file("training/shapes.yaml")
# The card: "over 1,000 tokens average per conversation". The released file's characters make about 1,300.
MEAN_TOKENS = 1300
RELEASED = 16_000  # conversations of a configuration without seeds: some 16,000 are in the released file


def with_what_it_builds_on(preset: Path) -> list[Path]:
    """A preset and before it the one that it builds on."""
    try:
        text = preset.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        there = ", ".join(sorted(map(str, preset.parent.glob("*.yaml")))) or "none there"
        raise UserError(f"{preset}: no such file. Presets: {there}.") from error
    base = (yaml.safe_load(text) or {}).get("extends")
    return [Path(base), preset] if base else [preset]


def amount(config: Row, name: str, mean_tokens: int) -> tuple[int, int, str]:
    """Samples and tokens of an epoch, and where the figures come from."""
    audit = Path(config["results"]) / config["run"] / "training" / name / "audit.json"
    if audit.is_file():
        found = read_json(audit)
        return found["samples"], found["tokens"], f"counted by {audit}"
    made = config["seeds"]["limit"] if config["seeds"]["sources"] else RELEASED
    kept = round(made * (1 - config["dataset"]["test_fraction"]))
    told = "" if config["seeds"]["sources"] else ", the released file's"
    return (
        kept,
        kept * mean_tokens,
        f"assumed: {made:,} conversations{told}, {mean_tokens:,} tokens each (--mean-tokens)",
    )


def report(config: Row, name: str, base: str, gpu: str, card: Row, mean_tokens: int, shapes: Row) -> str:
    """What is printed of one model."""
    from workflow_scripts.training.plan import UTILISATION, fitting, model_config, plan

    settings = model_settings(config["training"], name)
    gpus = number_of_processes(settings["launcher"])
    samples, tokens, source = amount(config, name, mean_tokens)
    each = plan(model_config(base, shapes), settings, samples, tokens, gpus, card["tflops"])
    rows: list[tuple[str, Any]] = [
        ("base", f"{config['training']['base']['model']}, {each.parameters:,} weights"),
        ("method", f"{settings['method']}, {each.trained:,} weights trained, {settings['dtype']}"),
        ("data", f"{samples:,} samples, {tokens:,} tokens an epoch; {source}"),
        ("batches", f"{settings['global_batch_size']} a step: {settings['micro_batch_size']} at once on {gpus} x {gpu}, {settings['batching']}"),
        ("steps", f"{each.steps:,} in {settings['epochs']} epochs, {each.tokens:,} tokens"),
        ("memory", f"{each.memory:.1f} GiB of {card['memory']} on each {gpu}: {fitting(each, card['memory'])}"),
        ("", ", ".join(f"{part} {size:.1f}" for part, size in each.gib.items())),
        ("hours", f"{each.hours:.1f} at {UTILISATION:.0%} of {card['tflops']} TFLOP/s (data sheet; the share is assumed)"),
    ]  # fmt: skip
    return "\n".join([f"{config['run']} / {name}", *(f"  {key:8} {value}" for key, value in rows)])


def main(argv: list[str] | None = None) -> None:
    """Print the plan of each model."""
    shapes = yaml.safe_load(SHAPES.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, help="a preset; what it builds on is read before it")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="files of your own, upon the rest")
    parser.add_argument("--gpu", choices=sorted(shapes["gpus"]), default="h100", help="type of GPU")
    parser.add_argument("--base", help="folder of the base model, if its shape is not known here")
    parser.add_argument(
        "--mean-tokens", type=int, default=MEAN_TOKENS, help="tokens of a conversation, before the audit"
    )
    args = parser.parse_args(argv)
    files = [*(with_what_it_builds_on(args.preset) if args.preset else []), *args.configfile]
    config = merged_config(files)
    keyless = config | {"teacher": config["teacher"] | {"api_key_env": None}}  # nothing is asked
    if wrong := mistakes(keyless, ["config.yaml", *map(str, files)]):
        raise UserError("\n".join(["the configuration has mistakes:", *wrong]))
    base = args.base or config["training"]["base"]["model"]
    fetched = Path(config["results"]) / config["run"] / "training" / "base" / "final"
    if not args.base and (fetched / "config.json").is_file():
        base = str(fetched)
    for name in config["training"]["models"]:
        print(report(config, name, base, args.gpu, shapes["gpus"][args.gpu], args.mean_tokens, shapes["bases"]))


if __name__ == "__main__":
    run(main)

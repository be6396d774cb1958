"""Print steps, tokens, memory per GPU and hours of a training before it starts.

    capybara plan --configfile presets/capybara-7b-v1.yaml --gpu h100
    capybara plan --configfile mine.yaml --gpu a100-80 --mean-tokens 800

After the loss mask audit of a run, its own samples and tokens are used. Before, the number of conversations is taken from
the configuration. The plan is computed (docs/training.md), not measured.
"""

import argparse
from typing import Any

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.config.training import model_settings, number_of_processes

SHAPES = package_file("training/shapes.yaml")
# Documented: "over 1,000 tokens average per conversation". The released file's characters amount to about 1,300 tokens.
MEAN_TOKENS = 1300
RELEASED_CONVERSATIONS = 16_000  # in the released file, about; used for a configuration without seeds


def data_size(config: Config, name: str, mean_tokens: int) -> tuple[int, int, str]:
    """Samples and tokens per epoch of the model `name`, and the source of these numbers."""
    audit = run_folder(config) / "training" / name / "audit.json"
    if audit.is_file():
        counts = read_json(audit)
        return counts["samples"], counts["tokens"], f"counted by {audit}"
    if config["seeds"]["sources"]:
        conversations, origin = config["seeds"]["limit"], "conversations (`seeds.limit`)"
    else:
        conversations, origin = RELEASED_CONVERSATIONS, "conversations, as in the released file"
    samples = round(conversations * (1 - config["dataset"]["test_fraction"]))
    assumed = f"assumed: {conversations:,} {origin}, {mean_tokens:,} tokens each (--mean-tokens)"
    return samples, samples * mean_tokens, assumed


def report(config: Config, name: str, base: str, gpu: str, card: Config, mean_tokens: int, shapes: Config) -> str:
    """The plan of the model `name` as text. `card` holds the memory (GiB) and TFLOP/s of the GPU type `gpu`."""
    from workflow_scripts.training.plan import UTILISATION, memory_verdict, model_config, plan

    settings = model_settings(config["training"], name)
    gpus = number_of_processes(config["training"]["launcher"])
    samples, tokens, source = data_size(config, name, mean_tokens)
    each = plan(model_config(base, shapes), settings, samples, tokens, gpus, card["tflops"])
    rows: list[tuple[str, Any]] = [
        ("base", f"{config['training']['base']['model']}, {each.parameters:,} weights"),
        ("method", f"{settings['method']}, {each.trained:,} weights trained, {settings['dtype']}"),
        ("data", f"{samples:,} samples, {tokens:,} tokens per epoch; {source}"),
        ("batches", f"{settings['global_batch_size']} per step: {settings['micro_batch_size']} per forward pass on {gpus} × {gpu}, {settings['batching']}"),
        ("steps", f"{each.steps:,} in {settings['epochs']} epochs, {each.tokens:,} tokens"),
        ("memory", f"{each.memory:.1f} GiB of {card['memory']} on each {gpu}: {memory_verdict(each, card['memory'])}"),
        ("", ", ".join(f"{part} {size:.1f}" for part, size in each.gib.items())),
        ("hours", f"{each.hours:.1f} at {UTILISATION:.0%} (assumed) of {card['tflops']} TFLOP/s (data sheet)"),
    ]  # fmt: skip
    return "\n".join([f"{config['run']} / {name}", *(f"  {key:8} {value}" for key, value in rows)])


def main(argv: list[str]) -> None:
    """Print the plan of each model."""
    shapes = read_yaml(SHAPES)
    parser = argparse.ArgumentParser(
        prog="capybara plan",
        description=__doc__,
        parents=[configfile_option()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--gpu", choices=sorted(shapes["gpus"]), default="h100", help="type of GPU; default h100")
    parser.add_argument("--base", help="folder of the base model, if its shape is not in training/shapes.yaml")
    parser.add_argument(
        "--mean-tokens",
        type=int,
        default=MEAN_TOKENS,
        help=f"mean tokens per conversation, before the audit; default {MEAN_TOKENS}",
    )
    args = parser.parse_args(argv)
    config = checked_configuration(args.configfile)
    base = args.base or config["training"]["base"]["model"]
    fetched = run_folder(config) / "training" / "base" / "final"
    if not args.base and (fetched / "config.json").is_file():
        base = str(fetched)
    for name in config["training"]["models"]:
        print(report(config, name, base, args.gpu, shapes["gpus"][args.gpu], args.mean_tokens, shapes["bases"]))

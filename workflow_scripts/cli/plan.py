"""Print steps, memory, hours and cost of a training and of the rules that use its model, before it starts.

    capybara plan --configfile presets/capybara-7b-v1.yaml --gpu h100
    capybara plan --configfile mine.yaml --gpu a100-80 --mean-tokens 800 --price 1.8 --currency EUR

After the loss mask audit of a run, its own samples and tokens are used. Before, the number of conversations is taken from
the configuration. The plan is computed (docs/training.md), not measured. The exit status is 1 if something does not fit.
"""

import argparse
from typing import Any

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.package_files import package_file
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json
from workflow_scripts.common.types import Config
from workflow_scripts.common.yaml_files import read_yaml
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.config.training import model_settings, number_of_processes, uses_fsdp

SHAPES = package_file("training/shapes.yaml")
# Documented: "over 1,000 tokens average per conversation". The released file's characters amount to about 1,300 tokens.
MEAN_TOKENS = 1300
RELEASED_CONVERSATIONS = 16_000  # in the released file, about; used for a configuration without seeds
GPU_COUNTS = (1, 2, 4, 8, 16)  # for which hours are printed
GPU_RULES = (
    "compute_exchange_losses",
    "sample_outputs",
    "evaluate_task",
)  # that load a model on the GPUs of the evaluation


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


def report(config: Config, name: str, base: str, table: Config, args: argparse.Namespace) -> str:
    """The plan of the model `name` as text; `table` is shapes.yaml."""
    from workflow_scripts.training import plan

    gpu, card = args.gpu, table["gpus"][args.gpu]
    settings, launcher, resources = (
        model_settings(config["training"], name), config["training"]["launcher"], config["training"]["resources"]
    )  # fmt: skip
    devices = plan.Devices(
        number_of_processes(launcher), card["tflops"], uses_fsdp(launcher), config["training"]["nodes"]
    )
    samples, tokens, source = data_size(config, name, args.mean_tokens)
    on_cpu = not resources["gpus"]
    shape = plan.model_config(base, table["bases"], config["training"]["base"]["revision"])
    each = plan.plan(shape, settings, samples, tokens, devices, plan.PROCESS_GIB["cpu" if on_cpu else "gpu"])
    speed = f"{plan.UTILISATION:.0%} (assumed) of {card['tflops']} TFLOP/s (data sheet)"
    hours = each.hours * devices.gpus  # of one GPU
    if args.tokens_per_second:
        hours, speed = each.tokens / args.tokens_per_second / 3600, f"{args.tokens_per_second:,.0f} tokens/s per GPU"
    usable = plan.USABLE_MEMORY * card["memory"]
    host = each.host + each.memory * on_cpu
    more_gpus = "use more GPUs with FSDP, lora or qlora, or a smaller max_length"
    rows: list[tuple[str, Any]] = [
        ("base", f"{config['training']['base']['model']}, {each.parameters:,} weights"),
        ("method", f"{settings['method']}, {each.trained:,} weights trained, {settings['dtype']}"),
        ("data", f"{samples:,} samples, {tokens:,} tokens per epoch; {source}"),
        ("batches", f"{settings['global_batch_size']} per step: {settings['micro_batch_size']} per forward pass on {devices.gpus} × {gpu}, {settings['batching']}"),
        ("steps", f"{each.steps:,} in {settings['epochs']} epochs, {each.tokens:,} tokens"),
        ("GPU memory", f"{each.memory:.1f} GiB of {card['memory']} on each {gpu}: {plan.verdict(each.memory, usable, more_gpus)}"),
        ("", ", ".join(f"{part} {size:.1f}" for part, size in each.gib.items())),
        ("host memory", f"{host:.1f} GiB of {resources['memory_gb']} on each node: {plan.verdict(host, resources['memory_gb'], 'raise `training.resources.memory_gb`')}"),
        ("checkpoint", f"{each.checkpoint / 1e9:.1f} GB, {each.checkpoint / args.disk_speed / 1e9:.0f} s at {args.disk_speed:g} GB/s (--disk-speed); two are kept"),
        ("hours", f"{hours / devices.gpus:.1f} on {devices.gpus} × {gpu} at {speed}{_cost(hours, args)}"),
        ("", "wall-clock by number of GPUs: " + ", ".join(f"{count}: {hours / count:.1f}" for count in GPU_COUNTS)),
        *_other_rules(config, shape, each.parameters, table, args, usable),
    ]  # fmt: skip
    return "\n".join([f"{config['run']} / {name}", *(f"  {key:12} {value}".rstrip() for key, value in rows)])


def _other_rules(
    config: Config, shape: Any, weights: int, table: Config, args: argparse.Namespace, usable: float
) -> list[tuple[str, str]]:
    """Rows for the rules after the training: merging, and everything that loads the model on the GPUs of the evaluation."""
    from workflow_scripts.training import plan

    training, evaluation, card = config["training"], config["evaluation"], table["gpus"][args.gpu]
    merging = plan.merge_memory(weights, training["dtype"])
    allowed = training["resources"]["memory_gb"]
    rows = [
        ("merge_model", f"{merging:.1f} GiB of {allowed} host memory: {plan.verdict(merging, allowed, 'raise `training.resources.memory_gb`')}")
    ]  # fmt: skip
    gpus = evaluation["resources"]["gpus"]
    needed = plan.inference_memory(shape, weights, evaluation["dtype"], training["max_length"])
    if gpus:
        fits = plan.verdict(needed, usable * gpus, "raise `evaluation.resources.gpus`")
        where = f"{card['memory'] * gpus} on {gpus} × {args.gpu}"
    else:
        needed += plan.PROCESS_GIB["cpu"]
        fits = plan.verdict(
            needed, evaluation["resources"]["memory_gb"], "raise `evaluation.resources.memory_gb` or request a GPU"
        )
        where = f"{evaluation['resources']['memory_gb']} host memory, without a GPU"
    rows.append(("evaluation", f"{needed:.1f} GiB of {where}: {fits} ({', '.join(GPU_RULES)})"))
    known = [name for name in evaluation["suites"] if name in table["evaluation_tokens"]]
    if known:
        millions = sum(table["evaluation_tokens"][name] for name in known)
        flops = 2 * weights * millions * 1e6
        hours = flops / (card["tflops"] * 1e12 * plan.UTILISATION) / 3600
        models = 1 + len(training["models"])
        rows.append(
            ("", f"{hours:.1f} GPU-hours per model for {', '.join(known)} (about {millions:.0f} million tokens, assumed); {models} models{_cost(models * hours, args)}")
        )  # fmt: skip
    return rows


def _cost(hours: float, args: argparse.Namespace) -> str:
    """GPU-hours and, if a price is given, their cost."""
    price = f" = {hours * args.price:,.0f} {args.currency}" if args.price else ""
    return f"; {hours:,.1f} GPU-hours{price}"


def main(argv: list[str]) -> None:
    """Print the plan of each model. UserError if one of them does not fit."""
    table = read_yaml(SHAPES)
    parser = argparse.ArgumentParser(
        prog="capybara plan",
        description=__doc__,
        parents=[configfile_option()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--gpu", choices=sorted(table["gpus"]), default="h100", help="type of GPU; default h100")
    parser.add_argument("--base", help="folder of the base model; default the one of the configuration")
    parser.add_argument(
        "--mean-tokens",
        type=int,
        default=MEAN_TOKENS,
        help=f"mean tokens per conversation, before the audit; default {MEAN_TOKENS}",
    )
    parser.add_argument("--tokens-per-second", type=float, help="measured speed of the training, per GPU")
    parser.add_argument("--price", type=float, default=0.0, help="price of a GPU-hour")
    parser.add_argument("--currency", default="USD", help="currency of the price; default USD")
    parser.add_argument(
        "--disk-speed", type=float, default=1.0, help="speed of writing checkpoints, in GB/s; default 1"
    )
    args = parser.parse_args(argv)
    config = checked_configuration(args.configfile)
    base = args.base or config["training"]["base"]["model"]
    fetched = run_folder(config) / "training" / "base" / "final"
    if not args.base and (fetched / "config.json").is_file():
        base = str(fetched)
    plans = [report(config, name, base, table, args) for name in config["training"]["models"]]
    print("\n".join(plans))
    if lacking := sum("does NOT fit" in line for text in plans for line in text.splitlines()):
        raise UserError(f"{counted(lacking, 'requirement')} of this plan cannot be met, see `does NOT fit` above.")

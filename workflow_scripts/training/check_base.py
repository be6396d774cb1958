"""Verify right after the download that a model can be trained on the base model, before any synthesis is paid for."""

import argparse
import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.integrity import describe_damage
from workflow_scripts.common.pretrained import load_config, load_tokenizer
from workflow_scripts.common.rows import read_json, write_json
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Exchange
from workflow_scripts.training import recipe
from workflow_scripts.training.audit import check_chat_template, check_loss_mask
from workflow_scripts.training.template import Encoder, set_template
from workflow_scripts.training.truncation import truncate

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
PROBE: list[Exchange] = [
    {"input": "Why does granite erode?", "output": "Slowly, by water and frost."},
    {"input": "And sand?", "output": "Faster:\n\n- it is loose\n- it is small"},
]
MAX_LISTED_TOKENS = 5  # in an error message


def check_files(folder: Path) -> None:
    """UserError for a missing tokenizer, and for missing or damaged files of weights."""
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(
            f"{folder}: no tokenizer ({' or '.join(TOKENIZER_FILES)}). Add the tokenizer's files to the model in `training.base`."
        )
    for index in folder.glob("*.safetensors.index.json"):
        shards = set(read_json(index)["weight_map"].values())
        if missing := sorted(name for name in shards if not (folder / name).is_file()):
            raise UserError(
                f"{folder}: {len(missing)} of {len(shards)} files of weights are missing, the first is {missing[0]}. Complete the "
                "model in `training.base`; for a Hub model, delete this folder and run again."
            )
    if damaged := describe_damage([folder]):
        raise UserError(f"{damaged[0]}.")


def empty_model(config: Any) -> Any:
    """The model of a configuration without memory for its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def check_vocabulary(tokenizer: Any, rows: int) -> None:
    """UserError for tokens without a row in the embedding matrix, which has `rows` rows."""
    beyond = sorted((number, token) for token, number in tokenizer.get_vocab().items() if number >= rows)
    if beyond:
        names = ", ".join(f"{token} ({number})" for number, token in beyond[:MAX_LISTED_TOKENS])
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has {len(beyond)} tokens beyond the {rows} rows of the embedding matrix: "
            f"{names}. Use the tokenizer that belongs to the model, or resize the embeddings and save the model."
        )


def check_targets(model: Any, targets: str | list[str]) -> int:
    """The number of layers that `training.lora.target_modules` adapts.

    UserError for an entry that no layer matches, and for layers that share their weights, because merging an adapter into
    one of them would change the other. Names match as in peft: a list by the end of the name, a text as a regular expression.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    kinds = (torch.nn.Linear, torch.nn.Embedding, Conv1D)
    layers = [name for name, module in model.named_modules() if isinstance(module, kinds)]
    if targets == "all-linear":
        return len(layers)
    if isinstance(targets, str):
        matched = {name for name in layers if re.fullmatch(targets, name)}
        unmatched = [] if matched else [targets]
    else:
        of_target = {target: {name for name in layers if f".{name}".endswith(f".{target}")} for target in targets}
        matched = set().union(*of_target.values())
        unmatched = [target for target, found in of_target.items() if not found]
    if unmatched:
        names = dict.fromkeys(name.rpartition(".")[2] for name in layers)
        hints = " ".join(f"{target} matches no layer; {suggest(target, names)}" for target in unmatched)
        raise UserError(
            f"`training.lora.target_modules`: {hints} The model's layers: {', '.join(names)}. Or set it to all-linear."
        )
    if model.config.get_text_config().tie_word_embeddings and (shared := sorted(matched & _tied(model))):
        raise UserError(
            f"`training.lora.target_modules`: {', '.join(shared)} shares its weights with another layer (`tie_word_embeddings`), so "
            "an adapter for one of them cannot be merged. Remove it from the list, or use `training.method: full`."
        )
    return len(matched)


def _tied(model: Any) -> set[str]:
    """The names of the embedding matrix and the output layer."""
    tied: Iterable[Any] = (model.get_input_embeddings(), model.get_output_embeddings())
    return {name for name, module in model.named_modules() if any(module is other for other in tied)}


def main(argv: list[str] | None = None) -> None:
    """Write what was found: tokens, rows of the embedding matrix, parameters, adapted layers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, type=Path, help="model folder of fetch_base")
    parser.add_argument(
        "--settings", required=True, type=json.loads, help="`method`, `lora` and `extra` of a model, as JSON"
    )
    parser.add_argument("--checked", required=True, type=Path, help="JSON file to write")
    args = parser.parse_args(argv)

    check_files(args.base)
    tokenizer = load_tokenizer(args.base)
    model = empty_model(load_config(args.base))
    rows = model.get_input_embeddings().weight.shape[0]
    check_vocabulary(tokenizer, rows)
    encoder = Encoder(set_template(tokenizer))
    probe = {"a test conversation": truncate(encoder, PROBE, 1 << 20, "cut")}
    check_loss_mask(probe, encoder)
    check_chat_template(probe, encoder)
    recipe.check_extra(args.settings)
    adapted = None
    if args.settings["method"] != "full":
        adapted = check_targets(model, args.settings["lora"]["target_modules"])
    found = {
        "tokens": len(tokenizer),
        "embedding_rows": rows,
        "parameters": model.num_parameters(),
        "adapted_layers": adapted,
    }
    write_json(args.checked, found)
    logging.info("%s: %s", args.base, found)


if __name__ == "__main__":
    run(main)

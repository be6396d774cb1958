"""Talk to a trained model, in the template it was trained with.

    capybara chat --configfile mine.yaml
    capybara chat --model results/mine/training/capybara/final
    echo "Why is granite hard?" | capybara chat

Every line is a question in the same conversation. /new starts another conversation, /quit or the end of the input ends.
"""

import argparse
import os
import sys
from pathlib import Path

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.suggest import suggest
from workflow_scripts.common.types import Exchange
from workflow_scripts.config.run_folder import run_folder


def model_folder(model: str | None, configfiles: list[Path]) -> Path:
    """The folder of a model that is given by its name in `training.models`, by a path, or not at all (the first name).

    A path with a separator needs no configuration. UserError for a name that is neither a model nor a folder.
    """
    if model and os.sep in model:
        return Path(model)
    config = checked_configuration(configfiles)
    names = list(config["training"]["models"])
    if model is not None and model not in names:
        if not Path(model).is_dir():
            raise UserError(f"--model {model}: neither a folder nor one of `training.models`; {suggest(model, names)}")
        return Path(model)
    return run_folder(config) / "training" / (model or names[0]) / "final"


def main(argv: list[str]) -> None:
    """Answer the questions of the standard input until it ends."""
    parser = argparse.ArgumentParser(
        prog="capybara chat",
        description=__doc__,
        parents=[configfile_option()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", help="a name in `training.models`, or a model folder; default the first name")
    parser.add_argument("--max-new-tokens", type=int, default=512, help="maximum tokens of an answer; default 512")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="sampling temperature; default 0, greedy decoding"
    )
    parser.add_argument("--random-seed", type=int, default=0, help="seed of the sampling; default 0")
    args = parser.parse_args(argv)
    folder = model_folder(args.model, args.configfile)

    from workflow_scripts.training.generation import generate_answers, load_model

    model, encoder = load_model(folder)
    from transformers import TextStreamer, set_seed

    set_seed(args.random_seed)
    interactive = sys.stdin.isatty()
    conversation: list[Exchange] = []
    while True:
        if interactive:
            print("\nUSER: ", end="", flush=True)
        line = sys.stdin.readline()
        question = line.strip()
        if not line or question == "/quit":
            break
        if question == "/new":
            conversation = []
            continue
        if not question:
            continue
        if not interactive:
            print(f"USER: {question}")
        print("ASSISTANT: ", end="", flush=True)
        streamer = TextStreamer(encoder.tokenizer, skip_prompt=True, skip_special_tokens=True)
        (answer,) = generate_answers(
            model, encoder, [(conversation, question)], args.max_new_tokens, args.temperature, streamer
        )
        conversation.append({"input": question, "output": answer})

"""Copy a peer, a model of other authors that is scored like our own, into the run, with the chat template of its entry."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_copy import copy_model
from workflow_scripts.common.pretrained import load_tokenizer
from workflow_scripts.training.template import set_template

USER_ASSISTANT, OWN = "user_assistant", "own"


def write_template(model: Path, template: str, name: str) -> None:
    """Set the chat template of a model folder: the workflow's, the tokenizer's own, or that of a Jinja file.

    UserError if the template is the tokenizer's own and there is none.
    """
    tokenizer = load_tokenizer(model)
    if template == OWN:
        if not tokenizer.chat_template:
            raise UserError(
                f"peer {name}: its tokenizer has no chat template. Set `evaluation.peers.{name}.template` to user_assistant, or to "
                "the path of a Jinja file."
            )
        return
    if template == USER_ASSISTANT:
        text = set_template(tokenizer).chat_template
    else:
        text = Path(template).read_text(encoding="utf-8")
    path = model / "chat_template.jinja"  # has precedence over tokenizer_config.json
    path.unlink(missing_ok=True)  # may be a link to the user's own file
    path.write_text(text, encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    """Write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the peer in this run")
    parser.add_argument("--settings", required=True, type=json.loads, help="its entry of `evaluation.peers`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    settings = args.settings
    copy_model(settings["model"], settings["revision"], args.model)
    if not any(args.model.glob("*.safetensors")):
        raise UserError(
            f"peer {args.name}: {settings['model']} has no *.safetensors, and other weights are never loaded. Convert it and set "
            f"`evaluation.peers.{args.name}.model` to the folder."
        )
    write_template(args.model, settings["template"], args.name)
    logging.info("peer %s: %s", args.name, ", ".join(sorted(file.name for file in args.model.iterdir())))


if __name__ == "__main__":
    run(main)

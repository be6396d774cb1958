"""Copy the base model into the run: from the Hub at its pinned revision, a local folder, or a GGUF file."""

import argparse
import json
import logging
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.model_copy import copy_model


def main(argv: list[str] | None = None) -> None:
    """Write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=json.loads, help="`training.base` of the config, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    name = args.settings["model"]
    copy_model(name, args.settings["revision"], args.model)
    logging.info("base model %s: %s", name, ", ".join(sorted(file.name for file in args.model.iterdir())))


if __name__ == "__main__":
    run(main)

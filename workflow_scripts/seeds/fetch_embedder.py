"""Download the embedding model from the hub, because compute nodes may have no internet."""

import argparse
import logging
import shutil
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_download import download


def main(argv: list[str] | None = None) -> None:
    """Write the folder of the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="hub repository of a sentence-transformers model")
    parser.add_argument("--revision", required=True, help="its commit")
    parser.add_argument("--folder", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)

    shutil.rmtree(args.folder, ignore_errors=True)
    download(args.model, args.revision, args.folder)
    if not (args.folder / "modules.json").is_file():
        raise UserError(
            f"{args.model} is not a sentence-transformers model: it has no modules.json. Set another `seeds.embedding.model`."
        )
    logging.info("embedding model %s at %s", args.model, args.revision)


if __name__ == "__main__":
    run(main)

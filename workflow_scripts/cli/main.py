"""The `capybara` command: the user commands around the workflow."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from workflow_scripts.common.cli import run

# The module of each command is imported only when the command runs.
COMMANDS = {
    "estimate": "print requests, tokens, cost and hours of a synthesis before it starts",
    "plan": "print steps, memory and hours of a training before it starts",
    "chat": "talk to a trained model",
    "decontaminate": "search any file for benchmark items, without the workflow",
    "review": "collect expert decisions in Label Studio or in a spreadsheet",
    "cache": "save, load or forget answers of the teacher; replay a run without a key",
    "publish": "upload the model and the dataset to the Hub",
}
EPILOG = """\
`capybara COMMAND --help` lists the options of a command. Commands that read a configuration take
--configfile FILE [FILE ...], with the same meaning as for snakemake: files that override keys of config.yaml.
Run them in the folder of the workflow.
"""


def dispatch(arguments: Sequence[str]) -> None:
    """Run the command that the first argument names; help and errors as argparse prints them."""
    if arguments and arguments[0] in COMMANDS:
        importlib.import_module(f"workflow_scripts.cli.{arguments[0]}").main(list(arguments[1:]))
        return
    parser = argparse.ArgumentParser(
        prog="capybara",
        description="Commands around the Capybara workflow; the workflow itself is run with snakemake.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    parser.parse_args(arguments)


def main() -> None:
    """Entry point: run the command of `sys.argv`; errors that the user can fix are one line."""
    run(lambda: dispatch(sys.argv[1:]))


if __name__ == "__main__":
    main()

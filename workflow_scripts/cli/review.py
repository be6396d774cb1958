"""Expert review in Label Studio or in spreadsheets: run the server, invite reviewers, distribute items, fetch decisions.

    capybara review start                                        # in its own environment: make review
    capybara review invite --configfile mine.yaml --name anna --fields physics --degree "MSc physics"
    capybara review push --configfile mine.yaml
    capybara review fetch --configfile mine.yaml --file reviews/decisions.jsonl
    capybara review sheet --configfile mine.yaml --name anna --file anna.csv

Passwords and tokens are read from the environment: LABEL_STUDIO_PASSWORD and LABEL_STUDIO_USER_TOKEN of the lead,
REVIEWER_PASSWORD of the invited reviewer. `start` needs no configuration. See docs/verification.md.
"""

import argparse
import logging
from pathlib import Path

import yaml

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.plural import counted
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl, write_text
from workflow_scripts.common.types import Config, Row
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.verification import local_server
from workflow_scripts.verification.assignment import assign
from workflow_scripts.verification.client import LabelStudio
from workflow_scripts.verification.decisions import PSEUDONYM, InvalidEntry, parse_decision, read_reviewers
from workflow_scripts.verification.exports import DOMAIN, read_task
from workflow_scripts.verification.page import labelling_config, task
from workflow_scripts.verification.spreadsheet import sheet


def read_configuration(args: argparse.Namespace) -> tuple[Config, Path, Path]:
    """`verification` of the configuration, its folder in the run, and the file of the reviewer profiles."""
    config = checked_configuration(args.configfile, created=("verification.decisions", "verification.reviewers"))
    section = config["verification"]
    if section["reviewers"] is None:
        raise UserError("verification.reviewers: null. Set a file for the profiles, such as reviews/reviewers.yaml.")
    return section, run_folder(config) / "verification", Path(section["reviewers"])


def read_invited(path: Path) -> dict[str, Row]:
    """The profiles of the reviewers with an account, by pseudonym. UserError if there is none."""
    profiles = read_reviewers(path) if path.exists() else {}
    invited = {name: profile for name, profile in profiles.items() if profile.get("organisation")}
    if not invited:
        raise UserError(f"{path}: no reviewer is invited yet. Run `capybara review invite`.")
    return invited


def read_queue(folder: Path) -> list[Row]:
    """The queue of a run. UserError if it does not exist yet."""
    path = folder / "queue.jsonl"
    if not path.exists():
        raise UserError(f"{path}: does not exist yet. Run `snakemake --cores all {path}` with the same --configfile.")
    return list(read_jsonl(path))


def start(args: argparse.Namespace) -> None:
    """Run Label Studio in the foreground."""
    local_server.start(args.label_studio, args.data, args.host, args.port, args.public_url)


def invite(args: argparse.Namespace) -> None:
    """Create a reviewer's account and store the profile."""
    section, _, path = read_configuration(args)
    if not PSEUDONYM.fullmatch(args.name):
        raise UserError(f"--name {args.name}: not a pseudonym. Use lower-case letters, digits, - and _.")
    if unknown := sorted(set(args.fields) - {*section["fields"], "other"}):
        raise UserError(
            f"--fields {unknown[0]}: not one of {', '.join([*section['fields'], 'other'])} (`verification.fields`)."
        )
    address = f"{args.name}@{DOMAIN}"
    account = local_server.make_account(args.label_studio, args.data, args.name, address)
    profiles = read_reviewers(path) if path.exists() else {}
    profiles[args.name] = {"fields": args.fields, "degree": args.degree, **account}
    write_text(path, yaml.safe_dump(profiles, allow_unicode=True, sort_keys=True))
    logging.info("%s logs in as %s with the password of REVIEWER_PASSWORD; profile in %s", args.name, address, path)


def push(args: argparse.Namespace) -> None:
    """Assign new items to every reviewer."""
    section, folder, path = read_configuration(args)
    queue, profiles, server = read_queue(folder), read_invited(path), LabelStudio(args.url, local_server.token())
    states = read_jsonl(folder / "items.jsonl") if (folder / "items.jsonl").exists() else []
    disputed = {row["id"] for row in states if row["state"] == "disputed"}
    projects, held = {}, {}
    for name, profile in profiles.items():
        with server.organisation(profile["organisation"]):
            projects[name] = server.project(labelling_config())
            held[name] = {entry["data"].get("item") for entry in server.tasks(projects[name])}
    reviewers_per_item = read_json(folder / "plan.json")["reviewers_per_item"]
    new = assign(queue, disputed, profiles, set(section["adjudicators"]), held, reviewers_per_item)
    for name, items in new.items():
        with server.organisation(profiles[name]["organisation"]):
            server.add(projects[name], [task(item, name) for item in items])
        address = f"{server.url}/projects/{projects[name]}/data?labeling=1"
        logging.info("%s: %s, %d assigned before: %s", name, counted(len(items), "new item"), len(held[name]), address)
    reviewed = {field for profile in profiles.values() for field in profile["fields"]}
    if missing := sorted({item["field"] for item in queue} - reviewed):
        logging.warning("no reviewer for %s: their items stay open. Invite one for each field.", ", ".join(missing))


def fetch(args: argparse.Namespace) -> None:
    """Add new decisions to a file of decisions; its rows are kept."""
    _, _, path = read_configuration(args)
    profiles, server = read_invited(path), LabelStudio(args.url, local_server.token())
    accounts = {profile["account"]: name for name, profile in profiles.items()}
    rows = list(read_jsonl(args.file)) if args.file.exists() else []
    before, invalid = len(rows), 0
    known = {row["id"] for row in rows}
    for name, profile in profiles.items():
        with server.organisation(profile["organisation"]):
            project = server.project(None)
            tasks = server.tasks(project) if project is not None else []
        for entry in sorted(tasks, key=lambda entry: entry["id"]):
            for where, decision in read_task(f"{name}, task {entry['id']}", entry, accounts):
                row = parse_decision(where, decision)
                if isinstance(row, InvalidEntry):
                    invalid += 1
                    logging.warning("skipped: %s: %s.", row.where, row.message)
                elif row["id"] not in known:
                    known.add(row["id"])
                    rows.append(row)
    write_jsonl(args.file, rows)
    new = counted(len(rows) - before, "new decision")
    logging.info("%s in %s, %d before; %d skipped", new, args.file, before, invalid)


def make_sheet(args: argparse.Namespace) -> None:
    """Write the queue of one reviewer's fields as a spreadsheet."""
    _, folder, path = read_configuration(args)
    profile = (read_reviewers(path) if path.exists() else {}).get(args.name)
    if profile is None:
        raise UserError(f"{path}: no profile {args.name}. Add it: `{args.name}: {{fields: [physics], degree: MSc}}`.")
    items = [item for item in read_queue(folder) if item["field"] in profile["fields"]]
    write_text(args.file, sheet(items, args.name))
    logging.info("%s for %s in %s", counted(len(items), "item"), args.name, args.file)


def main(argv: list[str]) -> None:
    """Run one of the subcommands."""
    parser = argparse.ArgumentParser(
        prog="capybara review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    config = configfile_option()
    database = argparse.ArgumentParser(add_help=False)
    database.add_argument(
        "--label-studio",
        type=Path,
        default=Path(".venv-review"),
        metavar="FOLDER",
        help="environment with Label Studio; default .venv-review",
    )
    database.add_argument(
        "--data",
        type=Path,
        default=Path("reviews/label-studio"),
        metavar="FOLDER",
        help="folder of its database; default reviews/label-studio",
    )
    remote = argparse.ArgumentParser(add_help=False)
    remote.add_argument(
        "--url", default="http://127.0.0.1:8080", help="address of Label Studio; default http://127.0.0.1:8080"
    )

    command = commands.add_parser("start", parents=[database], help="run Label Studio")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1")
    command.add_argument("--port", type=int, default=8080, help="port to listen on; default 8080")
    command.add_argument("--public-url", metavar="URL", help="https address of a proxy in front of the server")
    command.set_defaults(command=start)

    command = commands.add_parser("invite", parents=[config, database], help="create a reviewer's account")
    command.add_argument("--name", required=True, help="the reviewer's pseudonym")
    command.add_argument("--fields", required=True, nargs="+", metavar="FIELD", help="fields of `verification.fields`")
    command.add_argument("--degree", required=True, help="the reviewer's degree, as printed in the report")
    command.set_defaults(command=invite)

    command = commands.add_parser("push", parents=[config, remote], help="assign new items of the queue to reviewers")
    command.set_defaults(command=push)

    command = commands.add_parser("fetch", parents=[config, remote], help="add new decisions to a file")
    command.add_argument(
        "--file",
        type=Path,
        default=Path("reviews/decisions.jsonl"),
        help="JSONL file for `verification.decisions`; default reviews/decisions.jsonl",
    )
    command.set_defaults(command=fetch)

    command = commands.add_parser("sheet", parents=[config], help="write a reviewer's queue as a spreadsheet")
    command.add_argument("--name", required=True, help="the reviewer's pseudonym")
    command.add_argument("--file", required=True, type=Path, help="CSV file to write")
    command.set_defaults(command=make_sheet)
    args = parser.parse_args(argv)
    args.command(args)

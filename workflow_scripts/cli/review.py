"""Expert review in Label Studio: start it, invite reviewers, hand them the queue, fetch their decisions.

python -m workflow_scripts.cli.review start                                                 (its own environment: make review)
python -m workflow_scripts.cli.review invite --configfile mine.yaml --name anna --fields physics --degree "MSc physics"
python -m workflow_scripts.cli.review push --configfile mine.yaml
python -m workflow_scripts.cli.review fetch --configfile mine.yaml --file reviews/decisions.jsonl
python -m workflow_scripts.cli.review sheet --configfile mine.yaml --name anna --file anna.csv

Passwords and tokens come from the environment: LABEL_STUDIO_PASSWORD and LABEL_STUDIO_USER_TOKEN are the lead's,
REVIEWER_PASSWORD is that of the reviewer invited. docs/verification.md tells the rest.
"""

import argparse
import logging
from pathlib import Path

import yaml

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json, read_jsonl, write_jsonl, write_text
from workflow_scripts.common.types import Row
from workflow_scripts.config.files import merged_config
from workflow_scripts.verification import local_server
from workflow_scripts.verification.assignment import assign
from workflow_scripts.verification.client import LabelStudio
from workflow_scripts.verification.decisions import PSEUDONYM, InvalidEntry, parse_decision, read_reviewers
from workflow_scripts.verification.exports import DOMAIN, read_task
from workflow_scripts.verification.page import labelling_config, task
from workflow_scripts.verification.spreadsheet import sheet


def configured(args: argparse.Namespace) -> tuple[Row, Path, Path]:
    """`verification` of the configuration, the run's folder of it, and the file of the reviewers' profiles."""
    config = merged_config(args.configfile)
    section = config["verification"]
    if section["reviewers"] is None:
        raise UserError(
            "verification.reviewers: null. Name the file of the profiles there, such as reviews/reviewers.yaml."
        )
    return section, Path(config["results"]) / config["run"] / "verification", Path(section["reviewers"])


def profiles_of(path: Path) -> dict[str, Row]:
    """The profiles of those who have an account. UserError if nobody was invited."""
    found = read_reviewers(path) if path.exists() else {}
    invited = {name: profile for name, profile in found.items() if profile.get("organisation")}
    if not invited:
        raise UserError(f"{path}: nobody is invited yet. Run `python -m workflow_scripts.cli.review invite`.")
    return invited


def queue_of(folder: Path) -> list[Row]:
    """The queue of a run; UserError where it is not made yet."""
    if not (folder / "queue.jsonl").exists():
        raise UserError(f"{folder}/queue.jsonl is not there yet. Make it: snakemake {folder}/queue.jsonl")
    return list(read_jsonl(folder / "queue.jsonl"))


def start(args: argparse.Namespace) -> None:
    """Run Label Studio until it is stopped."""
    local_server.start(args.label_studio, args.data, args.host, args.port, args.public_url)


def invite(args: argparse.Namespace) -> None:
    """Make a reviewer's account and write down the profile."""
    section, _, path = configured(args)
    if not PSEUDONYM.fullmatch(args.name):
        raise UserError(f"--name {args.name}: a pseudonym is of small letters, digits, - and _.")
    if unknown := sorted(set(args.fields) - {*section["fields"], "other"}):
        raise UserError(
            f"--fields {unknown[0]}: not one of {', '.join([*section['fields'], 'other'])} (`verification.fields`)."
        )
    address = f"{args.name}@{DOMAIN}"
    made = local_server.make_account(args.label_studio, args.data, args.name, address)
    profiles = read_reviewers(path) if path.exists() else {}
    profiles[args.name] = {"fields": args.fields, "degree": args.degree, **made}
    write_text(path, yaml.safe_dump(profiles, allow_unicode=True, sort_keys=True))
    logging.info("%s logs in as %s with the password of REVIEWER_PASSWORD; profile in %s", args.name, address, path)


def push(args: argparse.Namespace) -> None:
    """Give every reviewer what is new for him."""
    section, folder, path = configured(args)
    queue, profiles, server = queue_of(folder), profiles_of(path), LabelStudio(args.url, local_server.token())
    states = read_jsonl(folder / "items.jsonl") if (folder / "items.jsonl").exists() else []
    disputed = {row["id"] for row in states if row["state"] == "disputed"}
    projects, held = {}, {}
    for name, profile in profiles.items():
        with server.organisation(profile["organisation"]):
            projects[name] = server.project(labelling_config())
            held[name] = {found["data"].get("item") for found in server.tasks(projects[name])}
    wanted = read_json(folder / "plan.json")["reviewers_per_item"]
    new = assign(queue, disputed, profiles, set(section["adjudicators"]), held, wanted)
    for name, items in new.items():
        with server.organisation(profiles[name]["organisation"]):
            server.add(projects[name], [task(item, name) for item in items])
        address = f"{server.url}/projects/{projects[name]}/data?labeling=1"
        logging.info("%s: %d new items beside %d, at %s", name, len(items), len(held[name]), address)
    reviewed = {field for profile in profiles.values() for field in profile["fields"]}
    if lacking := sorted({item["field"] for item in queue} - reviewed):
        logging.warning("nobody reviews %s: invite somebody, or these items stay open", ", ".join(lacking))


def fetch(args: argparse.Namespace) -> None:
    """Add what was decided since the last time to a file of decisions; what it holds stays."""
    _, _, path = configured(args)
    profiles, server = profiles_of(path), LabelStudio(args.url, local_server.token())
    accounts = {profile["account"]: name for name, profile in profiles.items()}
    rows = list(read_jsonl(args.file)) if args.file.exists() else []
    before, faulty = len(rows), 0
    known = {row["id"] for row in rows}
    for name, profile in profiles.items():
        with server.organisation(profile["organisation"]):
            project = server.project(None)
            tasks = server.tasks(project) if project is not None else []
        for found in sorted(tasks, key=lambda one: one["id"]):
            for where, entry in read_task(f"{name}, task {found['id']}", found, accounts):
                row = parse_decision(where, entry)
                if isinstance(row, InvalidEntry):
                    faulty += 1
                    logging.warning("left out: %s: %s.", row.where, row.message)
                elif row["id"] not in known:
                    known.add(row["id"])
                    rows.append(row)
    write_jsonl(args.file, rows)
    logging.info("%d new decisions in %s beside %d; left out %d", len(rows) - before, args.file, before, faulty)


def make_sheet(args: argparse.Namespace) -> None:
    """The queue of one reviewer's fields as a spreadsheet."""
    _, folder, path = configured(args)
    profile = (read_reviewers(path) if path.exists() else {}).get(args.name)
    if profile is None:
        raise UserError(
            f"{path}: no profile {args.name}. Write one there: `{args.name}: {{fields: [physics], degree: MSc}}`."
        )
    items = [item for item in queue_of(folder) if item["field"] in profile["fields"]]
    write_text(args.file, sheet(items, args.name))
    logging.info("%d items for %s in %s", len(items), args.name, args.file)


def main(argv: list[str] | None = None) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="command")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "--configfile", type=Path, nargs="+", default=[], help="configuration files of the run, after config.yaml"
    )
    local = argparse.ArgumentParser(add_help=False)
    local.add_argument(
        "--label-studio", type=Path, default=Path(".venv-review"), help="environment that Label Studio is installed in"
    )
    local.add_argument("--data", type=Path, default=Path("reviews/label-studio"), help="folder of its database")
    remote = argparse.ArgumentParser(add_help=False)
    remote.add_argument("--url", default="http://127.0.0.1:8080", help="where Label Studio answers")

    begin = commands.add_parser("start", parents=[local], help="run Label Studio")
    begin.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; the loopback alone unless told otherwise"
    )
    begin.add_argument("--port", type=int, default=8080, help="port to listen on")
    begin.add_argument("--public-url", help="the https address of a proxy in front of it")
    begin.set_defaults(command=start)
    who = commands.add_parser("invite", parents=[config, local], help="make a reviewer's account")
    who.add_argument("--name", required=True, help="the reviewer's pseudonym")
    who.add_argument(
        "--fields", required=True, nargs="+", help="fields of `verification.fields` that the reviewer judges"
    )
    who.add_argument("--degree", required=True, help="the reviewer's degree, as the report states it")
    who.set_defaults(command=invite)
    give = commands.add_parser("push", parents=[config, remote], help="hand out what is new of the queue")
    give.set_defaults(command=push)
    take = commands.add_parser("fetch", parents=[config, remote], help="add new decisions to a file")
    take.add_argument(
        "--file",
        type=Path,
        default=Path("reviews/decisions.jsonl"),
        help="JSONL file, to name in `verification.decisions`",
    )
    take.set_defaults(command=fetch)
    page = commands.add_parser("sheet", parents=[config], help="the queue of a reviewer as a spreadsheet")
    page.add_argument("--name", required=True, help="the reviewer's pseudonym")
    page.add_argument("--file", required=True, type=Path, help="CSV file to write")
    page.set_defaults(command=make_sheet)
    args = parser.parse_args(argv)
    args.command(args)


if __name__ == "__main__":
    run(main)

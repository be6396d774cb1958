"""Publish a run's release on the hub: the model, the data set, or both.

    python -m workflow_scripts.cli.publish --run results/mine --model-repo org/model --data-repo org/data          # only tells
    HF_TOKEN=... python -m workflow_scripts.cli.publish --run results/mine --model-repo org/model --data-repo org/data --yes

Without --yes nothing is sent, and the network is not used. The token is taken from the environment variable HF_TOKEN and
nowhere else. After a broken upload run the same command again: what has arrived is not sent twice. HF_ENDPOINT names
another hub.
"""

import argparse
import datetime
import logging
import os
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.release.upload import Repository, check, plan, repositories, upload

TOKEN = "HF_TOKEN"


def explain(error: BaseException, repository: Repository) -> str | None:
    """What went wrong between here and the hub, and what to do, in one line; None for anything else."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    name = f"{repository.kind} {repository.name}"
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    for found in chain:
        if isinstance(found, OfflineModeIsEnabled):
            return f"{name}: HF_HUB_OFFLINE is set, so nothing can be sent. Unset it."
        if isinstance(found, HFValidationError):
            return f"{name}: not a repository's name ({_line(found)}). Write it as organisation/name."
        if isinstance(found, HfHubHTTPError):
            return _refused(found.response.status_code, name, _line(found))
        if isinstance(found, ValueError) and "metadata" in str(found).casefold():
            return f"{name}: the hub refuses the card: {_line(found)}. Mend its template."
    if any(
        type(found).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
        or isinstance(found, ConnectionError)
        for found in chain
    ):
        return f"{name}: the connection to the hub was lost ({_line(chain[-1])}). Run the same command again; what has arrived is not sent twice."
    return None


def _refused(status: int, name: str, words: str) -> str:
    if status == 401:
        return f"{name}: the hub does not know the token in {TOKEN} (401). Make a new one with the right to write."
    if status == 403:
        return f"{name}: the token in {TOKEN} may not write there (403). Give it the right to write, or name a repository of yours."
    if status == 404:
        return f"{name}: the hub knows no such organisation or repository, or hides it from the token in {TOKEN} (404)."
    if status == 409:
        return f"{name}: somebody else changed it meanwhile (409). Look at it, and run the same command again."
    if status == 429:
        return f"{name}: the hub asks for patience (429). Run the same command again in an hour; what has arrived is not sent twice."
    if status >= 500:
        return (
            f"{name}: the hub fails ({status}). Run the same command again later; what has arrived is not sent twice."
        )
    return f"{name}: the hub refuses ({status}): {words}"


def _line(error: BaseException) -> str:
    """An error's words without the token, should they hold it."""
    words = " ".join(str(error).split()) or type(error).__name__
    token = os.environ.get(TOKEN)
    return (words.replace(token, "***") if token else words)[:300]


def main(argv: list[str] | None = None) -> None:
    """Tell what would be published; with --yes publish it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, help="folder of the run, such as results/mine")
    parser.add_argument("--model-repo", help="organisation/name of the model's repository")
    parser.add_argument("--data-repo", help="organisation/name of the data set's repository")
    parser.add_argument("--yes", action="store_true", help="really send it")
    parser.add_argument(
        "--public", action="store_true", help="make new repositories public; they are private otherwise"
    )
    parser.add_argument("--update", action="store_true", help="replace what an existing repository holds")
    args = parser.parse_args(argv)

    given = {"dataset": args.data_repo, "model": args.model_repo}
    names = {kind: name for kind, name in given.items() if name}
    if not names:
        raise UserError("name a repository: --model-repo organisation/name, --data-repo organisation/name, or both.")
    for kind, name in names.items():
        if name.count("/") != 1 or not all(name.split("/")):
            raise UserError(f"{name}: not the name of a {kind} repository. Write it as organisation/name.")
    token = os.environ.get(TOKEN)
    if args.yes and not token:
        raise UserError(f"{TOKEN} is not set. Put a token with the right to write into this environment variable.")
    release = args.run / "release"
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    planned = repositories(release, check(release), names, day)
    for repository in planned:
        print("\n".join(plan(repository, not args.public)))
    if not args.yes:
        print(f"Nothing was sent. Add --yes to publish; {TOKEN} is {'set' if token else 'not set'}.")
        return

    from huggingface_hub import HfApi

    api = HfApi(token=token)
    for repository in planned:
        try:
            address = upload(api, repository, not args.public, args.update)
        except UserError:
            raise
        except Exception as error:
            if (line := explain(error, repository)) is None:
                raise
            raise UserError(line) from error
        logging.info("%s %s: %s", repository.kind, repository.name, address)


if __name__ == "__main__":
    run(main)

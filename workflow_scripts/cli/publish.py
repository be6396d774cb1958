"""Upload the release of a run to the Hub: the model, the dataset, or both.

    capybara publish --configfile mine.yaml --model-repo org/model --data-repo org/data         # print what would be uploaded
    HF_TOKEN=... capybara publish --configfile mine.yaml --model-repo org/model --data-repo org/data --yes

Without --yes nothing is sent and the network is not used. The token is read only from the environment variable HF_TOKEN.
After an interrupted upload, run the same command again: uploaded files are not sent twice. HF_ENDPOINT names another Hub.
"""

import argparse
import datetime
import logging
import os

from workflow_scripts.cli.configuration import checked_configuration, configfile_option
from workflow_scripts.common.errors import UserError
from workflow_scripts.config.run_folder import run_folder
from workflow_scripts.release.upload import Repository, check, plan, repositories, upload

TOKEN = "HF_TOKEN"


def explain(error: BaseException, repository: Repository) -> str | None:
    """A one-line message for an error of the Hub or of the connection; None for any other error."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    name = f"{repository.kind} {repository.name}"
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in chain:
        if isinstance(each, OfflineModeIsEnabled):
            return f"{name}: HF_HUB_OFFLINE is set, so nothing can be uploaded. Unset it."
        if isinstance(each, HFValidationError):
            return f"{name}: not a valid repository name ({_message(each)}). Write it as organisation/name."
        if isinstance(each, HfHubHTTPError):
            return _http_error(each.response.status_code, name, _message(each))
        if isinstance(each, ValueError) and "metadata" in str(each).casefold():
            return f"{name}: the Hub rejected the card: {_message(each)}. Fix its template."
    if any(
        type(each).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
        or isinstance(each, ConnectionError)
        for each in chain
    ):
        return f"{name}: the connection to the Hub failed ({_message(chain[-1])}). Run the same command again; uploaded files are not sent twice."
    return None


def _http_error(status: int, name: str, message: str) -> str:
    if status == 401:
        return f"{name}: the Hub rejected the token in {TOKEN} (401). Create a token with write permission."
    if status == 403:
        return f"{name}: the token in {TOKEN} has no write permission there (403). Add it, or name your own repository."
    if status == 404:
        return (
            f"{name}: no such organisation or repository, or not visible to the token in {TOKEN} (404). Check the name."
        )
    if status == 409:
        return f"{name}: changed by another user during the upload (409). Check the repository, then run the same command again."
    if status == 429:
        return f"{name}: rate-limited by the Hub (429). Run the same command again in an hour; uploaded files are not sent twice."
    if status >= 500:
        return f"{name}: server error of the Hub ({status}). Run the same command again later; uploaded files are not sent twice."
    return f"{name}: the Hub rejected the request ({status}): {message}"


def _message(error: BaseException) -> str:
    """The text of an error on one line, at most 300 characters, without the token."""
    text = " ".join(str(error).split()) or type(error).__name__
    token = os.environ.get(TOKEN)
    return (text.replace(token, "***") if token else text)[:300]


def main(argv: list[str]) -> None:
    """Print what would be uploaded; with --yes, upload it."""
    parser = argparse.ArgumentParser(
        prog="capybara publish",
        description=__doc__,
        parents=[configfile_option()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model-repo", help="organisation/name of the model's repository")
    parser.add_argument("--data-repo", help="organisation/name of the dataset's repository")
    parser.add_argument("--yes", action="store_true", help="upload")
    parser.add_argument("--public", action="store_true", help="create new repositories as public; default private")
    parser.add_argument("--update", action="store_true", help="replace the contents of an existing repository")
    args = parser.parse_args(argv)

    given = {"dataset": args.data_repo, "model": args.model_repo}
    names = {kind: name for kind, name in given.items() if name}
    if not names:
        raise UserError(
            "no repository. Name one: --model-repo organisation/name, --data-repo organisation/name, or both."
        )
    for kind, name in names.items():
        if name.count("/") != 1 or not all(name.split("/")):
            raise UserError(f"{name}: not the name of a {kind} repository. Write it as organisation/name.")
    token = os.environ.get(TOKEN)
    if args.yes and not token:
        raise UserError(f"{TOKEN} is not set. Export a token with write permission in this environment variable.")
    release = run_folder(checked_configuration(args.configfile)) / "release"
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

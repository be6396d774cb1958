"""A Label Studio server on this machine: start it without telemetry, create accounts in its database."""

import json
import logging
import os
import secrets
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row
from workflow_scripts.verification.exports import DOMAIN

SCRIPTS = Path(__file__).parent / "server"
LEAD = f"lead@{DOMAIN}"
PRIVATE_MASK = 0o077  # of Label Studio's processes: the files they create are for this user only
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# No analytics, error reports or version checks; accounts by invitation only; API tokens that do not expire.
PRIVATE_SETTINGS = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
    "LABEL_STUDIO_ALLOW_ORGANIZATION_WEBHOOKS": "false",
}


def token() -> str:
    """The lead's API token from the environment. UserError if it is not set."""
    return _secret("LABEL_STUDIO_USER_TOKEN", "the lead's API token, as set for the first start")


def _secret(name: str, meaning: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UserError(f"{name} is not set in the environment: {meaning}. Set it with `export {name}=...`.")
    return value


def _python(environment: Path) -> str:
    python = environment / "bin" / "python"
    if not python.exists():
        raise UserError(
            f"{environment}: no environment with Label Studio. Create it with `make review`, or set --label-studio."
        )
    return str(python)


def _make_private(data: Path) -> None:
    """Create the folder of the database for this user only, and close what earlier versions left readable.

    The database contains the lead's API token and the hashes of passwords.
    """
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    for path in data.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def _environment(data: Path) -> dict[str, str]:
    return {**os.environ, **PRIVATE_SETTINGS, "LABEL_STUDIO_BASE_DATA_DIR": str(data.absolute())}


def start(environment: Path, data: Path, host: str, port: int, public_url: str | None) -> None:
    """Replace this process by Label Studio, listening on host and port.

    UserError if the port is not available or the lead's secrets are missing.
    """
    python, settings = _python(environment), _environment(data)
    if not any(data.glob("*.sqlite3")) and settings.get("DJANGO_DB", "sqlite") == "sqlite":
        example = f"the lead's API token for this first start, 40 hex digits such as {secrets.token_hex(20)}"
        _secret("LABEL_STUDIO_PASSWORD", f"the password of {LEAD}")
        _secret("LABEL_STUDIO_USER_TOKEN", example)
    settings["LABEL_STUDIO_USERNAME"] = LEAD
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"port {port} of {host} is not available ({error.strerror}). Choose another with --port."
            ) from error
    allowed_hosts = list(LOOPBACK)
    if public_url:
        allowed_hosts.append(urlsplit(public_url).hostname or "")
        settings |= {
            "LABEL_STUDIO_HOST": public_url,
            "LABEL_STUDIO_CSRF_TRUSTED_ORIGINS": public_url.rstrip("/"),
            "LABEL_STUDIO_SESSION_COOKIE_SECURE": "1",
        }
    if host not in LOOPBACK:
        allowed_hosts.append(host)
        logging.warning(
            "listening on %s: passwords are sent unencrypted unless a TLS proxy is in front (docs/verification.md)",
            host,
        )
    settings["LABEL_STUDIO_ALLOWED_HOSTS"] = ",".join(allowed_hosts)
    _make_private(data)
    logging.info("Label Studio: http://%s:%d, data in %s", host, port, data)
    options = ["--no-browser", "--internal-host", host, "--port", str(port), "--data-dir", str(data.absolute())]
    os.umask(PRIVATE_MASK)
    os.execve(python, [python, str(SCRIPTS / "start.py"), "start", *options], settings)


def make_account(environment: Path, data: Path, name: str, address: str) -> Row:
    """Create a reviewer's account, or set the password of an existing one; {account, organisation} are its numbers.

    UserError if a secret is missing or Label Studio fails.
    """
    _make_private(data)
    request = {"address": address, "name": name, "lead": LEAD}
    request["password"] = _secret("REVIEWER_PASSWORD", f"the password of {address}")
    done = subprocess.run(
        [_python(environment), str(SCRIPTS / "invite.py")],
        input=json.dumps(request),
        env=_environment(data),
        capture_output=True,
        text=True,
        umask=PRIVATE_MASK,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(f"the account was not created: {last.removeprefix('error: ')}")
    return json.loads(done.stdout)

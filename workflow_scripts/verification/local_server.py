"""Label Studio on this machine: started with nothing that calls home, and accounts made in its database."""

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
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# No analytics, no error reports to Sentry, no look at PyPI; no account without an invitation; tokens that do not expire.
QUIET = {
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
    """The lead's token, from the environment."""
    return _secret("LABEL_STUDIO_USER_TOKEN", "it is the lead's token, which the first start was given")


def _secret(name: str, why: str) -> str:
    found = os.environ.get(name)
    if not found:
        raise UserError(f"{name} is not set in the environment: {why}. `export {name}=...`")
    return found


def _python(environment: Path) -> str:
    found = environment / "bin" / "python"
    if not found.exists():
        raise UserError(
            f"{environment}: no environment with Label Studio. Make one with `make review`, or name yours by --label-studio."
        )
    return str(found)


def _environment(data: Path) -> dict[str, str]:
    return {**os.environ, **QUIET, "LABEL_STUDIO_BASE_DATA_DIR": str(data.absolute())}


def start(environment: Path, data: Path, host: str, port: int, public_url: str | None) -> None:
    """Become Label Studio, listening on host and port. UserError if the port is taken or the lead's secrets are missing."""
    python, settings = _python(environment), _environment(data)
    if not any(data.glob("*.sqlite3")) and settings.get("DJANGO_DB", "sqlite") == "sqlite":
        suggestion = f"this is the first start. A token is 40 hex digits, such as {secrets.token_hex(20)}"
        _secret("LABEL_STUDIO_PASSWORD", f"it becomes that of {LEAD}")
        _secret("LABEL_STUDIO_USER_TOKEN", suggestion)
    settings["LABEL_STUDIO_USERNAME"] = LEAD
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"port {port} of {host} cannot be had ({error.strerror}). Choose another by --port."
            ) from error
    names = list(LOOPBACK)
    if public_url:
        names.append(urlsplit(public_url).hostname or "")
        settings |= {
            "LABEL_STUDIO_HOST": public_url,
            "LABEL_STUDIO_CSRF_TRUSTED_ORIGINS": public_url.rstrip("/"),
            "LABEL_STUDIO_SESSION_COOKIE_SECURE": "1",
        }
    if host not in LOOPBACK:
        names.append(host)
        logging.warning(
            "listening on %s: passwords travel unencrypted unless a proxy with TLS stands before it (docs/verification.md)",
            host,
        )
    settings["LABEL_STUDIO_ALLOWED_HOSTS"] = ",".join(names)
    data.mkdir(parents=True, exist_ok=True)
    logging.info("Label Studio: http://%s:%d, its data in %s", host, port, data)
    arguments = [
        "start",
        "--no-browser",
        "--internal-host",
        host,
        "--port",
        str(port),
        "--data-dir",
        str(data.absolute()),
    ]
    os.execve(python, [python, str(SCRIPTS / "start.py"), *arguments], settings)


def make_account(environment: Path, data: Path, name: str, address: str) -> Row:
    """The numbers of a reviewer's account and organisation, made if they are not there; the password is set either way."""
    wanted = {"address": address, "name": name, "lead": LEAD}
    wanted["password"] = _secret("REVIEWER_PASSWORD", f"it becomes that of {address}")
    done = subprocess.run(
        [_python(environment), str(SCRIPTS / "invite.py")],
        input=json.dumps(wanted),
        env=_environment(data),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise UserError(f"no account was made: {last.removeprefix('error: ')}")
    return json.loads(done.stdout)

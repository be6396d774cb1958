"""The API key of a teacher or judge, from an environment variable or from a file that only its owner can read."""

import os
import stat
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config

KEYS = ("api_key_env", "api_key_file")  # of the configuration; at most one is set


class MissingKey(UserError):
    """A key that cannot be read. `setting` is the key of the configuration that names it, `fault` says what is wrong."""

    def __init__(self, setting: str, fault: str):
        super().__init__(f"`{setting}` of the teacher or judge: {fault}")
        self.setting, self.fault = setting, fault


def api_key(settings: Config) -> str:
    """The key that a section `teacher` of the configuration names; empty if it names none. Raises MissingKey.

    The message repeats neither the variable nor the path, because the key may have been written there by mistake.
    """
    if settings.get("api_key_file"):
        return _file_key(Path(settings["api_key_file"]).expanduser())
    if settings.get("api_key_env") is None:
        return ""
    key = os.environ.get(settings["api_key_env"])
    if not key:
        raise MissingKey("api_key_env", "the environment variable that it names is not set. Export it.")
    return key


def _file_key(path: Path) -> str:
    """The content of a file that no other user can read or write."""
    try:
        with open(path, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise MissingKey("api_key_file", "other users may use the file that it names. Run `chmod 600` on it.")
            key = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise MissingKey(
            "api_key_file", f"the file that it names cannot be read ({reason}). Correct its path."
        ) from None
    if not key:
        raise MissingKey("api_key_file", "the file that it names is empty. Write the key into it.")
    return key

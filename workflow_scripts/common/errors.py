"""The one error that is meant for the user's eyes."""


class UserError(Exception):
    """Something the user can mend. The message says what, where (file and line), and what to do.

    Entry points print it as one line and end with exit code 1; see `workflow_scripts.common.cli`.
    """

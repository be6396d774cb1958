"""The error class for everything that the user can fix."""


class UserError(Exception):
    """An error the user can fix. The message states what is wrong, where (file and line), and how to fix it.

    Entry points print it as one line and exit with status 1; see `workflow_scripts.common.cli`.
    """

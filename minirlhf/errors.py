"""The one exception a reader of minirlhf has to know."""


class MinirlhfError(Exception):
    """Something the user can put right: one sentence that says what is wrong, where, and what to
    do.

    The command line prints it as ``error: …`` with exit code 2 and no traceback.
    """

"""What a command tells the person who runs it when it can't go on."""


class VlmkitError(Exception):
    """Something the user can mend: one line that says what is wrong and where, and a hint that says what to do.

    The command line prints both and exits with `status`, without a traceback.
    """

    status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both in args, so that it survives the trip from a worker process
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class BrokenInput(VlmkitError):
    """A stream that ended before its end: what was read can't be trusted to be all there is."""


class RunAgain(VlmkitError):
    """The work was interrupted, or waits for another part: the same command, run again, goes on from here."""

    status = 75

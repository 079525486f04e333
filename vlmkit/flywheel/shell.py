"""Runs the other commands, each in a process of its own, so that a user could run the same line by hand."""

import ctypes
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable

from vlmkit.errors import RunAgain, VlmkitError

Say = Callable[[str], None]


class Shell:
    """Collects the lines that were run. Every command says itself when it was already done."""

    def __init__(self, say: Say) -> None:
        self.lines: list[str] = []
        self._say = say

    def run(self, *words: object) -> None:
        """Raises RunAgain if the command was interrupted, VlmkitError if it failed; its own words are on stderr."""
        arguments = [str(word) for word in words]
        self.lines.append(shlex.join(["vlmkit", *arguments]))
        self._say(f"$ {self.lines[-1]}")
        command = [sys.executable, "-m", "vlmkit", *arguments, "--quiet"]
        status = subprocess.run(command, check=False, preexec_fn=_die_with_parent).returncode
        if status == RunAgain.status:
            raise RunAgain("a step of the round was interrupted", "run the same command again: it goes on from here")
        if status != 0:
            raise VlmkitError(
                f"a step of the round failed with status {status}: {self.lines[-1]}", "mend that, and run"
            )


def _die_with_parent() -> None:
    """A command whose loop was killed must not go on beside the loop that is run again. Only Linux can promise it."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)

"""Loading weights that may have to come from a hub: quickly, quietly, and with one clear line when they can't."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub.constants as hub
from huggingface_hub import get_session
from huggingface_hub.utils.tqdm import enable_progress_bars
from transformers.utils import logging

from vlmkit.errors import VlmkitError
from vlmkit.models.names import ModelName

PROBE_S = 5.0


@contextmanager
def loading(name: ModelName, what: str, hint: str) -> Iterator[None]:
    """Inside, hub libraries fetch what is missing; if the hub does not answer, they use what is on this machine.

    A `path:` never asks the hub. Raises VlmkitError, which says that there is no `what`, in place of what the
    libraries raise when they can't load.
    """
    offline = name.kind == "path" or not hub_answers()
    try:
        with _hub_switched(offline), quiet_loading():
            yield
    except VlmkitError:
        raise
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise VlmkitError(f"no {what}: {name} {_why(name, offline, error)}", hint) from error


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without the bar that transformers draws while it reads weights from disk; downloads keep theirs."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    if shown:
        enable_progress_bars()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def hub_answers() -> bool:
    """Whether the hub answers one request within PROBE_S seconds.

    The hub's library retries each missing file for half a minute. The thread is there for a name server that
    does not answer: no timeout of ours ends that wait.
    """
    if hub.is_offline_mode():
        return False
    answers: list[bool] = []
    probe = threading.Thread(target=lambda: answers.append(_probe()), daemon=True)
    probe.start()
    probe.join(PROBE_S)
    return answers == [True]


def _probe() -> bool:
    try:
        return get_session().head(hub.ENDPOINT, timeout=PROBE_S).status_code < 500
    except Exception:  # noqa: BLE001 - whatever the HTTP library raises, it is no answer
        return False


@contextmanager
def _hub_switched(offline: bool) -> Iterator[None]:
    """open_clip has no argument for it, so the library's own switch is turned and turned back."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _why(name: ModelName, offline: bool, error: Exception) -> str:
    if offline and name.kind != "path" and isinstance(error, OSError):
        return "is not on this machine and the hub does not answer"
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return f"can't be loaded: {reason}"

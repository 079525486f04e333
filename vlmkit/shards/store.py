"""Remote stores, reached through fsspec: asked again when they fail in a way that may pass, and quoted in one line
when it does not."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from vlmkit.errors import VlmkitError

_TRIES = 6  # of one request that fails in a way that may pass
_TRIES_AFTER_CLIENTS = {"s3": 3, "s3a": 3, "gs": 2, "gcs": 2}  # of those whose clients try several times themselves
STALL_S = 60.0  # a ranged read that has not answered by then is given up, and tried again

_PAUSE_S = 0.2  # before the second try; twice as long before each further one, and at random up to half of that less
_NOT_PASSING = (ImportError, NotImplementedError, TypeError, ValueError)
_AT_ONCE = 16  # requests that wait for nothing but the network
_AGAIN = (408, 425, 429)  # HTTP statuses below 500 that may pass

_SILENT = logging.NullHandler()

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Missing(VlmkitError, FileNotFoundError):
    """There is no such object, folder or bucket."""


class Forbidden(VlmkitError, PermissionError):
    """The store does not let this user do that."""


def store_of(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises VlmkitError for a protocol that is not there.

    Listings are not kept: other processes write into the same folders.
    """
    import fsspec

    for client in ("fsspec", "gcsfs", "s3fs"):
        logging.getLogger(client).addHandler(_SILENT)  # what goes wrong is told once, by whoever asked
    try:
        file_system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise VlmkitError(f"{url}: {error}", "pip install 'vlmkit[remote]', or what the protocol needs") from error
    except ValueError as error:
        raise VlmkitError(f"{url}: {error}", "check the URL: s3://BUCKET/…, gs://…, hf://…, https://…") from error
    return file_system, str(path)


def tried(url: str, ask: Callable[[], _Value]) -> _Value:
    """What a request to a store answers. Raises Missing, Forbidden, or VlmkitError if it goes on failing."""
    failures = 0
    while True:
        try:
            return ask()
        except (VlmkitError, FileExistsError):
            raise
        except Exception as error:  # noqa: BLE001 - every store has exceptions of its own
            failures += 1
            pause_or_raise(url, error, failures)


def for_all(work: Callable[[_Key], _Value], items: Sequence[_Key]) -> list[_Value]:
    """`[work(item) for item in items]`, many at a time: what is done waits for a disk or a store."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def pause_or_raise(url: str, error: Exception, failures: int) -> None:
    """Waits before the next try, if there is to be one; else raises what the user should know."""
    error = _cause(error)
    if failures >= _TRIES_AFTER_CLIENTS.get(url.partition("://")[0], _TRIES) or not _may_pass(error):
        raise _told(url, error) from error
    time.sleep(_PAUSE_S * 2 ** (failures - 1) * random.uniform(0.5, 1))


def _cause(error: Exception) -> Exception:
    """Over HTTP fsspec says of whatever happened that there is no file; the cause says what it was."""
    cause = error.__cause__
    from_http = isinstance(error, FileNotFoundError) and type(cause).__module__.startswith("aiohttp")
    return cause if from_http and isinstance(cause, Exception) else error


def _may_pass(error: Exception) -> bool:
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _AGAIN
    return not isinstance(error, (FileNotFoundError, PermissionError, *_NOT_PASSING)) and not _lacks_credentials(error)


def _told(url: str, error: Exception) -> VlmkitError:
    if _lacks_credentials(error):
        hint = "for s3:// set AWS_PROFILE or AWS_ACCESS_KEY_ID and so on; if it is public, FSSPEC_S3_ANON=true"
        return Forbidden(f"{url}: no credentials ({error})", hint)
    if isinstance(error, PermissionError) or _status(error) in (401, 403):
        return Forbidden(f"{url}: permission denied", "check what the credentials in use may do there")
    if isinstance(error, FileNotFoundError) or _status(error) in (404, 410):
        return Missing(f"{url}: no such object, folder or bucket", "check the URL")
    what = str(error) or type(error).__name__
    return VlmkitError(f"{url}: {what.splitlines()[0]}", "when the store answers, run the same command: it goes on")


def _status(error: Exception) -> int | None:
    """The HTTP status that a client's exception carries."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _lacks_credentials(error: Exception) -> bool:
    """Such as botocore's NoCredentialsError and google.auth's DefaultCredentialsError."""
    return "Credentials" in type(error).__name__

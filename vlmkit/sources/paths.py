"""Names that come from data: as keys they are cleaned, as paths they never lead out of their folder."""

import os
import re
from pathlib import Path

from vlmkit.sources.outcomes import NoSample

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def safe_key(name: str) -> str:
    """The key that stands for a name: `/a/../v1.2/b.c d` becomes `a/v1.2/b_c d`.

    Empty, `.` and `..` parts go; dots in the last part, which would end the key, become `_`; so do control characters
    and bytes that are not UTF-8. Two names may give one key: shards number such repeats. Empty if nothing is left.
    """
    parts = safe_parts(name)
    return "/".join([*parts[:-1], parts[-1].replace(".", "_")]) if parts else ""


def safe_parts(name: str) -> list[str]:
    """The parts of a relative path, without those that lead elsewhere; control characters become `_`."""
    return [part for part in _UNPRINTABLE.sub("_", name).split("/") if part not in ("", ".", "..")]


def printable(name: str) -> str:
    """A file's name as JSON can hold it: bytes that are not UTF-8 show as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def read_inside(folder: Path, relative: str, outside: str) -> bytes:
    """The bytes of a file below `folder`.

    Raises NoSample: the reason `outside` for a path or a link that leads out of the folder, `no image file` for one
    that is not there or no plain file, `unreadable file` for one that the system does not let us read.
    """
    try:
        root, path = os.path.realpath(folder), os.path.realpath(folder / relative)
        if os.path.isabs(relative) or os.path.commonpath([root, path]) != root:
            raise NoSample(outside, f"{printable(relative)} leads out of the folder")
        if not os.path.isfile(path):
            raise NoSample("no image file", f"{printable(relative)} is not there")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL or a lone surrogate, which no file has
        reason = "unreadable file" if isinstance(error, OSError) else "no image file"
        raise NoSample(reason, _without_folder(error), isinstance(error, OSError)) from error


def _without_folder(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

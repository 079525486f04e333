"""A URL in place of a pathlib.Path: files and folders of remote stores by the same methods."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, cast

from vlmkit.errors import VlmkitError
from vlmkit.shards.remote import RemoteFile, state_of
from vlmkit.shards.store import for_all, store_of, tried

_PARTS = {"chunksize": 16 << 20, "max_concurrency": 4}  # s3fs would hold ten parts of 50 MB in memory


class RemotePath:
    """A URL with those methods of pathlib.Path that vlmkit needs. Stores have no folders, only names with slashes:
    one is there when something is in it. Whatever asks the store raises VlmkitError if it can't be asked; its kinds
    Missing and Forbidden are also FileNotFoundError and PermissionError.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        return f"RemotePath({self._url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._url == other._url

    def __lt__(self, other: "RemotePath") -> bool:
        return self._url < other._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(f"{self._url}/{name}")

    @property
    def name(self) -> str:
        return self._url.partition("://")[2].rpartition("/")[2]

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        scheme, _, rest = self._url.partition("://")
        return RemotePath(f"{scheme}://{rest.rpartition('/')[0] or rest}")

    @property
    def over_http(self) -> bool:
        """There nothing is listed, and nothing written."""
        return self._url.startswith(("http://", "https://"))

    def absolute(self) -> "RemotePath":
        return self

    def exists(self) -> bool:
        """False also where one may not look: stores say so of what is not there, to who may not list."""
        try:
            self._info()
        except (FileNotFoundError, PermissionError):
            return False
        return True

    def is_dir(self) -> bool:
        try:
            return not self.over_http and bool(self._info()["type"] == "directory")
        except FileNotFoundError:
            return False

    def is_file(self) -> bool:
        return self.exists() and not self.is_dir()

    def iterdir(self) -> Iterator["RemotePath"]:
        store, path = store_of(self._url)
        names = tried(self._url, lambda: store.ls(path, detail=False))
        yield from (self / name.rstrip("/").rpartition("/")[2] for name in names if name.rstrip("/") != path)

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """What is in the folder itself and called so."""
        try:
            yield from (path for path in self.iterdir() if fnmatchcase(path.name, pattern))
        except FileNotFoundError:
            return

    def matching(self) -> list[str]:
        """The URLs that this one matches as a pattern."""
        store, path = store_of(self._url)
        scheme = self._url.partition("://")[0]
        return [f"{scheme}://{name.lstrip('/')}" for name in tried(self._url, lambda: store.glob(path))]

    def read_bytes(self) -> bytes:
        with RemoteFile(self._url) as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def size_bytes(self) -> int:
        return state_of(self._url, self._info())[0]

    def unlink(self, missing_ok: bool = False) -> None:
        store, path = store_of(self._url)
        try:
            tried(self._url, lambda: store.rm_file(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def check_writable(self) -> None:
        if self.over_http:
            raise VlmkitError(f"{self._url}: nothing is written over HTTP", "write to s3://, gs:// or a local folder")

    def create(self, data: bytes) -> bool:
        """Writes an object that must not be there yet; False if it is.

        Of several that do so at once one wins, where the store knows conditional writes (S3's If-None-Match, Google's
        ifGenerationMatch); elsewhere the last one, so that who must agree reads afterwards what is there.
        """
        self.check_writable()
        store, path = store_of(self._url)
        try:
            tried(self._url, lambda: store.pipe_file(path, data, mode="create"))
        except FileExistsError:
            return False
        return True

    @contextmanager
    def written(self) -> Iterator[BinaryIO]:
        """A local file to write, nameless, so that no kill leaves it; it is uploaded when the block ends well. An
        object appears whole or not at all.
        """
        self.check_writable()
        with tempfile.TemporaryFile("wb") as file:
            yield cast(BinaryIO, file)
            file.flush()
            file.seek(0)
            self._upload(f"/dev/fd/{file.fileno()}")

    def _upload(self, local: str) -> None:
        store, path = store_of(self._url)
        if "s3" not in store.protocol:
            tried(self._url, lambda: store.put_file(local, path))
            return
        if os.path.getsize(local) >= 2 * _PARTS["chunksize"]:
            _abort_parts(store, path)  # those that a killed run has left
        try:
            tried(self._url, lambda: store.put_file(local, path, **_PARTS))
        except BaseException:
            _abort_parts(store, path)  # s3fs does it itself unless it is interrupted
            raise

    def states(self, files: Sequence["RemotePath"]) -> dict["RemotePath", tuple[int, str]]:
        """Size and version of those of the files in this folder that are there."""
        if self.over_http:
            found = for_all(RemotePath._state, files)
            return {path: state for path, state in zip(files, found, strict=True) if state is not None}
        store, path = store_of(self._url)
        try:
            infos = tried(self._url, lambda: store.ls(path, detail=True))
        except FileNotFoundError:
            return {}
        files_there = [info for info in infos if info["type"] == "file"]
        return {self / info["name"].rpartition("/")[2]: state_of(self._url, info) for info in files_there}

    def _state(self) -> tuple[int, str] | None:
        try:
            return state_of(self._url, self._info())
        except (FileNotFoundError, PermissionError):
            return None

    def _info(self) -> dict[str, Any]:
        store, path = store_of(self._url)
        info: dict[str, Any] = tried(self._url, lambda: store.info(path))
        return info


def _abort_parts(store: Any, path: str) -> None:
    """Unfinished uploads of this object are invisible, and cost what they hold."""
    bucket, key, _ = store.split_path(path)
    with suppress(OSError):  # such as the right to do so
        for upload in store.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", []):
            if upload["Key"] == key:
                store.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload["UploadId"])

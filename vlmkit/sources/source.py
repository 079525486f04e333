"""What `vlmkit download` reads: a source is named by one text, `KIND:REST` or the path of a URL list."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Outcome

URL_LIST_FORMATS = ("txt", "csv", "tsv", "json", "jsonl", "parquet")  # all but the last may be gzipped

_ENTRY_POINTS = "vlmkit.sources"


@dataclass(frozen=True)
class SourceOptions:
    """What a command line says about a source. Each source takes what concerns it.

    `resize_mode` has img2dataset's words; `no` keeps the downloaded bytes as they are.
    """

    images: Path | None = None  # folder that the image paths of llava: start from; None: the JSON file's own
    work: Path | None = None  # where a URL list keeps what it has fetched, so that an interrupted run goes on
    url_column: str | None = None
    caption_column: str | None = None
    resize_mode: str = "no"
    image_size: int = 256  # pixels; the side that resize_mode speaks of
    encode_quality: int = 95  # of JPEG, when images are resized
    processes: int = 1
    threads: int = 64  # downloads at a time in each process
    timeout_s: int = 10  # for one connection or read, not for a whole image
    retries: int = 0


class Source(Protocol):
    """Samples in an order that never changes; one that can't be had is a `Dropped` with the reason.

    `name` is what `json` and manifests call it: without folders, so that it is the same on every machine.
    """

    @property
    def name(self) -> str: ...

    @property
    def total(self) -> int | None:
        """The number of outcomes, None if only reading them all would tell."""
        ...

    def __iter__(self) -> Iterator[Outcome]: ...


@dataclass(frozen=True)
class PluginSource:
    """A source of another package, which need be no more than an iterable of outcomes."""

    name: str
    outcomes: Iterable[Outcome]
    total: int | None = None

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)


def open_source(text: str, options: SourceOptions) -> Source:
    """Raises VlmkitError if there is no such source, or if what it needs is not on this machine."""
    kind, colon, rest = text.partition(":")
    if colon and kind in _KINDS:
        return _KINDS[kind](rest, options)
    if url_list_format(text) is not None:
        return _url_list(text, options)
    plugin = _plugins().get(kind) if colon else None
    if plugin is None:
        raise VlmkitError(f"{text}: no such source", _kinds_hint(text))
    return _plugged(text, plugin.load()(rest, options))


def source_kinds() -> list[str]:
    """Every kind that can stand before the colon: vlmkit's own, then those of other packages."""
    return [*_KINDS, *sorted(_plugins())]


def url_list_format(text: str) -> str | None:
    """The format of a URL list by its suffix, None if the suffix is not one of a URL list."""
    path = text.partition("?")[0] if "://" in text else text
    name = path.rsplit("/", 1)[-1].lower()
    stem, _, suffix = name.removesuffix(".gz").rpartition(".")
    if not stem or suffix not in URL_LIST_FORMATS or (suffix == "parquet" and name.endswith(".gz")):
        return None
    return suffix


def _folder(rest: str, options: SourceOptions) -> Source:
    from vlmkit.sources.folder import open_folder

    return open_folder(rest)


def _llava(rest: str, options: SourceOptions) -> Source:
    from vlmkit.sources.llava import open_llava

    return open_llava(rest, options.images)


def _demo(rest: str, options: SourceOptions) -> Source:
    from vlmkit.sources.demo import open_demo

    return open_demo(rest)


def _url_list(text: str, options: SourceOptions) -> Source:
    from vlmkit.sources.url_list import open_url_list

    return open_url_list(text, options)


_KINDS: dict[str, Callable[[str, SourceOptions], Source]] = {"folder": _folder, "llava": _llava, "demo": _demo}


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_ENTRY_POINTS)}


def _plugged(text: str, found: Any) -> Source:
    return PluginSource(getattr(found, "name", text), found, getattr(found, "total", None))


def _kinds_hint(text: str) -> str:
    kinds = " ".join(f"{kind}:" for kind in source_kinds())
    lists = " ".join(f".{name}" for name in URL_LIST_FORMATS)
    if text and Path(text).is_dir():
        return f"a folder of images is written folder:{text}"
    return f"kinds are {kinds} and URL lists ({lists})"

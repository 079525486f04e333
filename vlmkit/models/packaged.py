"""Files of models that come as Python packages, found without importing the package."""

import importlib.util
from pathlib import Path

from vlmkit.errors import VlmkitError


def packaged(module: str, path: str, remedy: str = "pip install 'vlmkit[demo]'") -> Path:
    """A file or folder inside an installed top-level package. Raises VlmkitError if it is not there."""
    spec = importlib.util.find_spec(module)
    found = Path(spec.origin).parent / path if spec and spec.origin else None
    if found is None or not found.exists():
        raise VlmkitError(f"the embedded models need the package {module.replace('_', '-')}", remedy)
    return found

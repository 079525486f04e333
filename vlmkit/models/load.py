"""From a model's name to the model: the back ends are imported only when they are asked for."""

from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.models.dual_encoders import DualEncoder
from vlmkit.models.names import ModelName


def load_dual_encoder(name: ModelName, device: str | None = None) -> DualEncoder:
    """Load the dual encoder of this name onto a device (see `pick_device`).

    Raises VlmkitError if the name names no dual encoder, or its weights can't be had.
    """
    match name.kind:
        case "builtin" if name.id == "conse":
            from vlmkit.models.conse import ConSE

            return ConSE(device)
        case "open_clip":
            from vlmkit.models.open_clip import OpenClip

            return OpenClip(name, device)
        case "hf":
            from vlmkit.models.transformers_clip import TransformersClip

            return TransformersClip(name, device)
        case "path":
            return _load_folder(name, device)
    raise VlmkitError(
        f"{name} does not embed pictures and texts",
        "use builtin:conse, open_clip:ARCH/TAG, hf:ORG/NAME or path:FOLDER",
    )


def _load_folder(name: ModelName, device: str | None) -> DualEncoder:
    """A folder as open_clip or as transformers saves it: told apart by the config file."""
    if (Path(name.id) / "open_clip_config.json").is_file():
        from vlmkit.models.open_clip import OpenClip

        return OpenClip(name, device)
    if (Path(name.id) / "config.json").is_file():
        from vlmkit.models.transformers_clip import TransformersClip

        return TransformersClip(name, device)
    raise VlmkitError(
        f"no model in {name.id}", "path: names a folder with config.json or open_clip_config.json, and weights"
    )

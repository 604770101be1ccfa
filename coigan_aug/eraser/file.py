"""The eraser's file: weights with the settings beside; made once for a workspace, in its cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from coigan_aug import __version__
from coigan_aug.eraser.fit import EraserSettings, fit_eraser
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, sha256, write_bytes
from coigan_aug.models.eraser import Eraser
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings

METADATA = "coigan-aug eraser"


@dataclass(frozen=True)
class EraserFile:
    """An eraser ready to fill holes, and the hash of its file."""

    eraser: Eraser
    settings: EraserSettings
    sha256: str


def save_eraser(path: Path, eraser: Eraser, settings: EraserSettings) -> None:
    """Write the weights as safetensors with the settings beside them."""
    about = {"program": f"coigan-aug {__version__}", "settings": asdict(settings), "grey": eraser.grey}
    tensors = {name: value.detach().cpu().contiguous() for name, value in eraser.state_dict().items()}
    write_bytes(path, save(tensors, metadata={METADATA: json.dumps(about)}))


def load_eraser(path: Path) -> EraserFile:
    """Read an eraser, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not an eraser of this program.
    """
    remedy = "Delete it; the next command that erases trains another."
    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads((stream.metadata() or {})[METADATA])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        settings = EraserSettings(**about["settings"])
        eraser = Eraser(width=settings.width, depth=settings.depth, grey=bool(about["grey"]))
        eraser.load_state_dict(tensors)
        return EraserFile(eraser.eval(), settings, sha256(path))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not an eraser that can be read: {error}", remedy=remedy) from error


def trained_eraser(
    prepared: Prepared, data: DataSettings, settings: EraserSettings, *, root: Path, device: torch.device,
    bfloat16: bool, report: Report = silent,
) -> EraserFile:  # fmt: skip
    """Return the eraser of these training images and settings; it is trained where `root` does not hold it yet."""
    path = root / "erasers" / f"{_key(prepared, data, settings)}.safetensors"
    if not path.exists():
        with folder_lock(path.parent, wait=True):
            if not path.exists():
                eraser = fit_eraser(prepared, settings, device=device, bfloat16=bfloat16, report=report)
                save_eraser(path, eraser, settings)
    return load_eraser(path)


def _key(prepared: Prepared, data: DataSettings, settings: EraserSettings) -> str:
    values = [prepared.dataset.manifest["sha256"], prepared.positions, asdict(data), asdict(settings)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]

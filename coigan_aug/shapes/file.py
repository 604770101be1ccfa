"""The shape generator's file: weights with the settings beside; made once for a workspace, in its cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from coigan_aug import __version__
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, sha256, write_bytes
from coigan_aug.models.shape_generator import ShapeGenerator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings
from coigan_aug.shapes.fit import ShapeGeneratorSettings, build, fit_shape_generator
from coigan_aug.shapes.forms import Traits

METADATA = "coigan-aug shape generator"


@dataclass(frozen=True)
class ShapeGeneratorFile:
    """A shape generator ready to draw, and the hash of its file."""

    network: ShapeGenerator
    settings: ShapeGeneratorSettings
    sha256: str


def save_shape_generator(
    path: Path, network: ShapeGenerator, settings: ShapeGeneratorSettings, *, classes: int
) -> None:
    """Write the weights as safetensors with the settings and the number of classes beside them."""
    about = {"program": f"coigan-aug {__version__}", "settings": asdict(settings), "classes": classes}
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_bytes(path, save(tensors, metadata={METADATA: json.dumps(about)}))


def load_shape_generator(path: Path) -> ShapeGeneratorFile:
    """Read a shape generator, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not a shape generator of this program.
    """
    remedy = "Delete it; the next command that draws learned shapes trains another."
    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads((stream.metadata() or {})[METADATA])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        settings = ShapeGeneratorSettings(**about["settings"])
        network = build(settings, classes=int(about["classes"]))
        network.load_state_dict(tensors)
        return ShapeGeneratorFile(network.eval(), settings, sha256(path))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a shape generator that can be read: {error}", remedy=remedy) from error


def trained_shape_generator(
    prepared: Prepared, traits: Mapping[int, Traits], data: DataSettings, settings: ShapeGeneratorSettings, *,
    root: Path, device: torch.device, report: Report = silent,
) -> ShapeGeneratorFile:  # fmt: skip
    """Return the shape generator of these objects and settings; it is trained where `root` does not hold it yet."""
    path = root / "shapes" / f"{_key(prepared, data, settings)}.safetensors"
    if not path.exists():
        with folder_lock(path.parent, wait=True):
            if not path.exists():
                network = fit_shape_generator(prepared, traits, settings, device=device, report=report)
                save_shape_generator(path, network, settings, classes=prepared.classes)
    return load_shape_generator(path)


def _key(prepared: Prepared, data: DataSettings, settings: ShapeGeneratorSettings) -> str:
    values = [prepared.dataset.manifest["sha256"], prepared.positions, data.min_area, asdict(settings)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]

"""What a training leaves: states to continue from, and the generator file to draw with. Neither can execute code."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from coigan_aug import __version__
from coigan_aug.annotations.records import DefectClass
from coigan_aug.config import settings_from_dict, settings_to_dict
from coigan_aug.errors import DataError
from coigan_aug.files import sha256, write_bytes
from coigan_aug.models.build import Inpainter, build_generator
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import class_from, class_to

State = dict[str, Any]
METADATA = "coigan-aug"


def save_state(folder: Path, state: State, *, images: int, keep: int) -> Path:
    """Write a training state as `IMAGES-HASH.pt` and remove all but the newest `keep`.

    Args:
        state: tensors, numbers, strings, and dicts and lists of them.
        images: samples seen so far; the newest state is the one with most.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path = folder / f"{images:012d}-{hashlib.sha256(data).hexdigest()[:16]}.pt"
    write_bytes(path, data)
    for old in list_states(folder)[:-keep]:
        old.unlink()
    return path


def list_states(folder: Path) -> list[Path]:
    """Return the training states in a folder, oldest first."""
    return sorted(folder.glob("[0-9]*-*.pt"))


def load_latest(folder: Path) -> tuple[State | None, list[str]]:
    """Load the newest state whose bytes are as they were written; None where there is none.

    Returns:
        the state, and the names of newer ones that are damaged.
    """
    damaged: list[str] = []
    for path in reversed(list_states(folder)):
        if sha256(path)[:16] == path.stem.split("-")[1]:
            return torch.load(path, map_location="cpu", weights_only=True), damaged
        damaged.append(path.name)
    return None, damaged


@dataclass(frozen=True)
class GeneratorFile:
    """A generator ready to draw, with what it needs to know of itself."""

    generator: Inpainter
    settings: Settings
    classes: tuple[DefectClass, ...]
    images: int
    sha256: str


def save_generator(
    path: Path, generator: Inpainter, *, settings: Settings, classes: Sequence[DefectClass], images: int
) -> None:
    """Write the weights as safetensors with settings, classes and training length beside them."""
    about = about_generator(settings, classes, images)
    write_bytes(path, generator_bytes(generator, json.dumps(about)))


def about_generator(settings: Settings, classes: Sequence[DefectClass], images: int) -> State:
    """Return what a generator file says of itself, for JSON."""
    return {
        "program": f"coigan-aug {__version__}",
        "settings": settings_to_dict(settings),
        "classes": [class_to(item) for item in classes],
        "images": images,
    }


def generator_bytes(generator: Inpainter, about: str) -> bytes:
    """Return a generator file: the weights, and what it says of itself as JSON."""
    metadata = {METADATA: about}  # one key: the library writes several in random order
    tensors = {name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()}
    return save(tensors, metadata=metadata)


def load_generator(path: Path) -> GeneratorFile:
    """Read a generator file, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not a generator file of this program.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.", remedy="Train one with: coigan-aug train")
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            if METADATA not in metadata:
                raise DataError(f"{path} is not a generator file of coigan-aug.")
            about = json.loads(metadata[METADATA])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        settings = settings_from_dict(about["settings"], where=str(path))
        classes = tuple(class_from(value) for value in about["classes"])
        generator = build_generator(settings.model, len(classes))
        generator.load_state_dict(
            {name: value.to(torch.float32) if value.is_floating_point() else value for name, value in tensors.items()}
        )
        return GeneratorFile(generator.eval(), settings, classes, about["images"], sha256(path))
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a generator file that can be read: {error}") from error

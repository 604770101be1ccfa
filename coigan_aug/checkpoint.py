"""What a training leaves: states to continue from, and the generator file to draw with. Neither can execute code."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch

from coigan_aug import __version__
from coigan_aug.annotations.records import DefectClass
from coigan_aug.config import settings_from_dict, settings_to_dict
from coigan_aug.errors import DataError, memory_ran_out
from coigan_aug.files import sha256, write_bytes
from coigan_aug.models.build import Inpainter, build_generator
from coigan_aug.sealed import Damaged
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import class_from, class_to
from coigan_aug.weights import read_weights, weights_bytes

State = dict[str, Any]
METADATA = "coigan-aug"
_STATE = re.compile(r"(\d+)-(?:(\d+)-)?([0-9a-f]{16})\.pt")  # earlier versions named no measurement
_DELETE = "Delete it: the training goes on from the one before."
_ANEW = "Train again, or draw with another run: --run NAME"


def save_state(folder: Path, state: State, *, images: int, measured: int = 0, keep: int) -> Path:
    """Write a training state as `IMAGES-MEASURED-HASH.pt` and remove all but the newest `keep`.

    Args:
        state: tensors, numbers, strings, and dicts and lists of them.
        images: samples seen so far; the newest state is the one with most.
        measured: those seen at the last measurement; of two states with as many samples, the one with more is newer.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path = folder / f"{images:012d}-{measured:012d}-{hashlib.sha256(data).hexdigest()[:16]}.pt"
    write_bytes(path, data)
    for old in list_states(folder)[:-keep]:
        old.unlink()
    return path


def list_states(folder: Path) -> list[Path]:
    """Return the training states in a folder, oldest first."""
    named = [(path, match) for path in folder.glob("*.pt") if (match := _STATE.fullmatch(path.name))]
    return [path for path, match in sorted(named, key=lambda item: (int(item[1][1]), int(item[1][2] or -1), item[0]))]


def load_latest(folder: Path) -> tuple[State | None, list[str]]:
    """Load the newest state whose bytes are as they were written; None where there is none.

    Returns:
        the state, and the names of newer ones that are damaged.

    Raises:
        DataError: a file with such a name and the checksum in it is no state of this program.
    """
    damaged: list[str] = []
    for path in reversed(list_states(folder)):
        if sha256(path)[:16] == path.stem.rpartition("-")[2]:
            return _state(path), damaged
        damaged.append(path.name)
    return None, damaged


def _state(path: Path) -> State:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError) as error:
        if memory_ran_out(error):
            raise
        raise DataError(f"{path} is no checkpoint of coigan-aug; nothing of it is run.", remedy=_DELETE) from error
    if not isinstance(state, dict):
        raise DataError(f"{path} is no checkpoint of coigan-aug.", remedy=_DELETE)
    return state


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
    return weights_bytes(generator.state_dict(), METADATA, about)


class _About(msgspec.Struct, frozen=True):
    """What a generator file says of itself."""

    settings: dict[str, dict[str, Any]]
    classes: list[dict[str, Any]]
    images: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


def load_generator(path: Path) -> GeneratorFile:
    """Read a generator file, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not a generator file of this program.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.", remedy="Train one with: coigan-aug train")
    value, tensors = read_weights(path, METADATA, what="a generator file", remedy=_ANEW)
    try:
        about = msgspec.convert(value, _About)
        settings = settings_from_dict(about.settings, where=str(path))
        classes = tuple(class_from(value) for value in about.classes)
        generator = build_generator(settings.model, len(classes))
        generator.load_state_dict(
            {name: value.to(torch.float32) if value.is_floating_point() else value for name, value in tensors.items()}
        )
        return GeneratorFile(generator.eval(), settings, classes, about.images, sha256(path))
    except (msgspec.ValidationError, KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        if memory_ran_out(error):
            raise
        raise Damaged(f"{path} is not a generator file that can be read: {error}", remedy=_ANEW) from error

"""The file of a trained change of look: a generator's weights, and what it says of itself; it can hold no code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch

from coigan_aug import __version__
from coigan_aug.config import settings_from_dict, settings_to_dict
from coigan_aug.errors import DataError, memory_ran_out
from coigan_aug.files import sha256, write_bytes
from coigan_aug.models.translator import Translator
from coigan_aug.sealed import Damaged
from coigan_aug.settings import Settings
from coigan_aug.weights import read_weights, weights_bytes

METADATA = "coigan-aug-translator"
_ANEW = "Train it again: coigan-aug translate train"


@dataclass(frozen=True)
class TranslatorFile:
    """A trained change of look, ready to work; `images` were seen, `sha256` is the file's."""

    network: Translator
    settings: Settings
    images: int
    sha256: str


class _About(msgspec.Struct, frozen=True):
    settings: dict[str, dict[str, Any]]
    images: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


def save_translator(path: Path, network: Translator, *, settings: Settings, images: int) -> None:
    """Write the weights as safetensors with settings and training length beside them."""
    about = {"program": f"coigan-aug {__version__}", "settings": settings_to_dict(settings), "images": images}
    write_bytes(path, weights_bytes(network.state_dict(), METADATA, json.dumps(about)))


def load_translator_file(path: Path) -> TranslatorFile:
    """Read a trained change of look, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or another kind of file.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.", remedy="Train one with: coigan-aug translate train --to FOLDER")
    value, tensors = read_weights(path, METADATA, what="a trained change of look", remedy=_ANEW)
    try:
        about = msgspec.convert(value, _About)
        settings = settings_from_dict(about.settings, where=str(path))
        network = new_translator(settings)
        network.load_state_dict({name: tensor.to(torch.float32) for name, tensor in tensors.items()})
    except (msgspec.ValidationError, KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        if memory_ran_out(error):
            raise
        raise Damaged(f"{path} is no trained change of look that can be read: {error}", remedy=_ANEW) from error
    return TranslatorFile(network.eval(), settings, about.images, sha256(path))


def new_translator(settings: Settings) -> Translator:
    """Build the generator of one direction, randomly initialised."""
    own = settings.translate
    return Translator(width=own.width, blocks=own.blocks, grey=settings.model.colour == "grey")

"""Erasing with a trained eraser: it says what the place looks like, the surroundings give the texture.

An eraser is made once for a workspace, in its cache: a file of weights with the settings beside.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coigan_aug import __version__
from coigan_aug.compose.erase import TELEA, Bytes, Erasing, Rng, holes, with_texture
from coigan_aug.eraser.fit import EraserSettings, fit_eraser
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, sha256, write_bytes
from coigan_aug.log import note_kept
from coigan_aug.models.eraser import Eraser
from coigan_aug.prepare.cache import shrink
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, Talk, silent
from coigan_aug.settings import DataSettings, Settings
from coigan_aug.weights import read_weights, weights_bytes

METADATA = "coigan-aug eraser"


@dataclass(frozen=True)
class EraserFile:
    """An eraser ready to fill holes, and the hash of its file."""

    eraser: Eraser
    settings: EraserSettings
    sha256: str


def erasing_of(
    prepared: Prepared, settings: Settings, *, cache_root: Path, scale: float, device: torch.device, talk: Talk
) -> Erasing:
    """Return what `data.erase` says; a network is trained first where the workspace's cache does not hold it.

    Args:
        scale: what brings the images that will be filled to the working scale.
    """
    if settings.data.erase == "telea":
        return TELEA
    if all(window.kind != "clean" for window in prepared.clean):
        talk.say("data.erase: learned needs clean surface to learn from, and there is none: telea erases.")
        return TELEA
    with talk.step("train the eraser") as report:
        file = trained_eraser(
            prepared, settings.data, EraserSettings(), root=cache_root, device=device,
            bfloat16=settings.train.precision == "bfloat16", report=report,
        )  # fmt: skip
    return learned(file, window=prepared.window, scale=scale)


def learned(file: EraserFile, *, window: int, scale: float) -> Erasing:
    """Erase with a trained network.

    Args:
        window: the side of the windows it was trained on, px at the working scale.
        scale: what brings the images to be filled to that scale; 1.0 where they have it already.
    """

    def fill(rng: Rng, pixels: Bytes, hole: Bytes) -> Bytes:
        if not hole.any() or hole.all():
            return pixels.copy()
        return with_texture(rng, pixels, predict(file.eraser, pixels, hole, window=window, scale=scale), hole)

    return Erasing("learned", fill, key=file.sha256)


@torch.no_grad()
def predict(eraser: Eraser, pixels: Bytes, hole: Bytes, *, window: int, scale: float) -> NDArray[np.float32]:
    """Fill a hole [h, w] of an image [h, w, 3] of any size by what the network expects there: float32 [h, w, 3], 0..255.

    Each part of the hole is seen with half a window round it, as in training. Outside the hole the pixels stay.
    """
    small = np.ascontiguousarray(shrink(pixels, scale))
    covered = hole if small.shape[:2] == hole.shape else _any(hole, small.shape[0], small.shape[1])
    out = small.astype(np.float32)
    for place, part in holes(covered, around=window // 2):
        image = torch.from_numpy(np.ascontiguousarray(small[place].transpose(2, 0, 1)))[None].float() / 255
        filled = eraser(image, torch.from_numpy(np.ascontiguousarray(covered[place]))[None, None].float())
        out[place][part] = 255 * filled[0].permute(1, 2, 0).numpy()[part]
    if small.shape[:2] != hole.shape:
        out = np.asarray(cv2.resize(out, (hole.shape[1], hole.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.where(hole[..., None] != 0, out, pixels).astype(np.float32)


def _any(hole: Bytes, height: int, width: int) -> Bytes:
    """Shrink a hole; a pixel belongs to it where any of it does."""
    cover = cv2.resize((hole != 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cover > 1e-6, np.uint8)


def trained_eraser(
    prepared: Prepared, data: DataSettings, settings: EraserSettings, *, root: Path, device: torch.device,
    bfloat16: bool, report: Report = silent,
) -> EraserFile:  # fmt: skip
    """Return the eraser of these training images and settings; it is trained where `root` does not hold it yet."""
    path = root / "erasers" / f"{_key(prepared, data, settings)}.safetensors"
    note_kept("eraser", path, kept=path.exists())
    with folder_lock(path.parent, wait=True):
        with contextlib.suppress(DataError):  # not there yet, or damaged: trained anew
            return load_eraser(path)
        eraser = fit_eraser(
            prepared, settings, device=device, bfloat16=bfloat16, report=report, kept=path.with_suffix(".partway")
        )
        save_eraser(path, eraser, settings)
    return load_eraser(path)


def _key(prepared: Prepared, data: DataSettings, settings: EraserSettings) -> str:
    values = [prepared.dataset.manifest["sha256"], prepared.positions, asdict(data), asdict(settings)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def save_eraser(path: Path, eraser: Eraser, settings: EraserSettings) -> None:
    """Write the weights as safetensors with the settings beside them."""
    about = {"program": f"coigan-aug {__version__}", "settings": asdict(settings), "grey": eraser.grey}
    write_bytes(path, weights_bytes(eraser.state_dict(), METADATA, json.dumps(about)))


def load_eraser(path: Path) -> EraserFile:
    """Read an eraser, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not an eraser of this program.
    """
    remedy = "Delete it; the next command that erases trains another."
    about, tensors = read_weights(path, METADATA, what="an eraser", remedy=remedy)
    try:
        settings = EraserSettings(**about["settings"])
        eraser = Eraser(width=settings.width, depth=settings.depth, grey=bool(about["grey"]))
        eraser.load_state_dict(tensors)
        return EraserFile(eraser.eval(), settings, sha256(path))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not an eraser that can be read: {error}", remedy=remedy) from error

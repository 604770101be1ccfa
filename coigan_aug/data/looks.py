"""What an image looks like as a whole: size, channels, brightness, contrast, colour; and whether it can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coigan_aug.errors import DataError
from coigan_aug.files import sha256
from coigan_aug.imaging import read_header, read_thumbnail
from coigan_aug.processors import usable_processors

SIDE = 64
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Look:
    """An image as a whole.

    Height and width in pixels; `channels` of the file; `brightness` is the mean and `contrast` the standard deviation
    of grey, `colour` the mean distance between the channels, all 0..255, of a thumbnail; `bytes` is the file's size.
    """

    height: int
    width: int
    channels: int
    brightness: float
    contrast: float
    colour: float
    bytes: int


def read_looks(paths: Sequence[Path], *, progress: Callable[[int, int], None] | None = None) -> list[Look | DataError]:
    """Look at images; one that is missing or broken gives the error that says so."""
    out: list[Look | DataError] = []
    with ThreadPoolExecutor(usable_processors()) as threads:
        for start in range(0, len(paths), _BATCH):
            out += threads.map(_look, paths[start : start + _BATCH])
            if progress is not None:
                progress(len(out), len(paths))
    return out


def _look(path: Path) -> Look | DataError:
    try:
        header = read_header(path)
        pixels = read_thumbnail(path, size=SIDE, colour=True).astype(np.float32)
    except DataError as error:
        return DataError(error.message.replace(str(path), "the image"), remedy=error.remedy)
    grey = pixels.mean(axis=2)
    return Look(
        height=header.height,
        width=header.width,
        channels=header.channels,
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        colour=float(np.ptp(pixels, axis=2).mean()),
        bytes=path.stat().st_size,
    )


def same_files(paths: Sequence[Path], looks: Sequence[Look | DataError]) -> list[list[int]]:
    """Return the positions of files with the same bytes, together; only those of one size are read."""
    by_size: dict[int, list[int]] = {}
    for k, look in enumerate(looks):
        if isinstance(look, Look):
            by_size.setdefault(look.bytes, []).append(k)
    by_content: dict[str, list[int]] = {}
    for k in (k for same in by_size.values() if len(same) > 1 for k in same):
        by_content.setdefault(sha256(paths[k]), []).append(k)
    return [same for same in by_content.values() if len(same) > 1]

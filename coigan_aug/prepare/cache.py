"""The decoded cache: the working-scale pixels of the images, in one memory-mapped file; made once, disposable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.files import atomic_write, folder_lock, read_json, write_json
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.prepare.objects import scaled_size
from coigan_aug.progress import Report, silent
from coigan_aug.store.dataset import Dataset


class DecodedCache:
    """Decoded images by record position: `cache[position]` is uint8 [h, w] (grey) or [h, w, 3] (RGB)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = read_json(folder / "cache.json")["images"]
        self._rows = {position: (offset, tuple(shape)) for position, offset, shape in rows}
        self._pixels: NDArray[np.uint8] = np.memmap(folder / "pixels.bin", np.uint8, mode="r")

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.__init__(folder)  # type: ignore[misc]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __getitem__(self, position: int) -> Pixels:
        offset, shape = self._rows[position]
        return self._pixels[offset : offset + int(np.prod(shape))].reshape(shape)


def shrink(pixels: Pixels, scale: float) -> Pixels:
    """Resize an image [H, W(, 3)] to the working scale, averaging over areas."""
    height, width = scaled_size(pixels.shape[0], pixels.shape[1], scale)
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@dataclass(frozen=True)
class Edit:
    """What is done to each image at the working scale: record position, uint8 [h, w, 3] -> the same shape.

    `name` tells its results from those of other edits.
    """

    name: str
    apply: Callable[[int, Pixels], Pixels]


def open_cache(
    dataset: Dataset, positions: Sequence[int], *, scale: float, root: Path, edit: Edit | None = None,
    report: Report = silent,
) -> DecodedCache:  # fmt: skip
    """Open the cache of these records at this scale below `root`, decoding (and editing) the images where it is not there."""
    folder = root / _key(dataset, positions, scale, edit.name if edit else None)
    if not (folder / "cache.json").exists():  # written last: where it is, nobody needs the lock
        with folder_lock(folder, wait=True):
            if not (folder / "cache.json").exists():
                _fill(folder, dataset, positions, scale, edit, report)
    return DecodedCache(folder)


def _key(dataset: Dataset, positions: Sequence[int], scale: float, edit: str | None) -> str:
    stamps = [[p, *_stamp(dataset.image_path(p))] for p in positions]
    text = json.dumps([dataset.manifest["sha256"], scale, stamps, *([edit] if edit else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat() if path.exists() else None
    return (status.st_size, status.st_mtime_ns) if status else (0, 0)


def _fill(
    folder: Path, dataset: Dataset, positions: Sequence[int], scale: float, edit: Edit | None, report: Report
) -> None:
    rows, offset = [], 0
    with atomic_write(folder / "pixels.bin") as stream:
        for done, position in enumerate(positions):
            report(done, len(positions))
            pixels = dataset.image(position)
            grey = (pixels[..., :1] == pixels).all()
            small = shrink(pixels[..., 0] if grey else pixels, scale)
            if edit:
                edited = edit.apply(position, to_rgb(small))
                small = edited[..., 0] if grey else edited
            small = np.ascontiguousarray(small)
            stream.write(small.tobytes())
            rows.append([position, offset, list(small.shape)])
            offset += small.size
    write_json(folder / "cache.json", {"images": rows})
    report(len(positions), len(positions))

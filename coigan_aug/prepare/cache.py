"""The decoded cache: the working-scale pixels of the images, in one memory-mapped file; made once, disposable."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError, Stopped
from coigan_aug.files import append_lines, disk_errors, folder_lock, write_bytes
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.log import note_kept
from coigan_aug.prepare.objects import scaled_size
from coigan_aug.progress import Report, silent
from coigan_aug.sealed import Damaged, append_line, read_struct, read_structs, sealed_line, write_sealed
from coigan_aug.signals import stop_request_here
from coigan_aug.store.dataset import Dataset

LISTED, PIXELS = "cache.json", "pixels.bin"
BEGUN, BEGUN_PIXELS = "begun.jsonl", "begun.bin"
"""What there is of a cache that is not whole yet: its blocks, a sealed line each, and their pixels."""


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Where an image lies in the file: its record, first byte, shape, and the CRC-32 of its bytes."""

    position: int
    offset: int
    shape: tuple[int, ...]
    crc: int | None = None

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + math.prod(self.shape)


class Begun(msgspec.Struct, frozen=True):
    """A line of the log of a cache that is not whole yet: an image that is done."""

    block: Block


class Listed(msgspec.Struct, frozen=True):
    """What lies in a cache."""

    images: list[Block]


class DecodedCache:
    """Decoded images by record position: `cache[position]` is uint8 [h, w] (grey) or [h, w, 3] (RGB).

    Each image is compared with its checksum when a process takes it for the first time.

    Raises:
        Damaged: the list of the images, or (when it is taken) an image, is not as it was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = {row.position: row for row in read_struct(folder / LISTED, Listed).images}
        self._pixels: NDArray[np.uint8] = np.memmap(folder / PIXELS, np.uint8, mode="r")
        self._sound: set[int] = set()
        if max((row.end for row in self._rows.values()), default=0) > len(self._pixels):
            raise Damaged(f"{folder / PIXELS} is cut off.")

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.__init__(folder)  # type: ignore[misc]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __getitem__(self, position: int) -> Pixels:
        row = self._rows[position]
        flat = self._pixels[row.offset : row.end]
        if position not in self._sound:
            self._check(row, flat)
        return flat.reshape(row.shape)

    def _check(self, row: Block, flat: NDArray[np.uint8]) -> None:
        if row.crc is not None and crc32(flat.data) != row.crc:
            (self.folder / LISTED).unlink(missing_ok=True)
            what = f"{self.folder / PIXELS} is damaged, at image {row.position}; it is only a copy of your images."
            raise Damaged(what, remedy="Run the same command again: it is made anew.")
        self._sound.add(row.position)


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
    """Open the cache of these records at this scale below `root`, decoding (and editing) the images where it is not there.

    Where that was stopped, or killed, it goes on with the next image.

    Raises:
        DataError: an image is missing or damaged. Stopped: Ctrl-C or SIGTERM; the images that are done are kept.
    """
    folder = root / _key(dataset, positions, scale, edit.name if edit else None)
    note_kept(f"{len(positions):,} decoded images", folder, kept=(folder / LISTED).exists())
    if (folder / LISTED).exists():  # written last: where it is, nobody needs the lock
        with contextlib.suppress(DataError, OSError, ValueError):
            return DecodedCache(folder)
    with folder_lock(folder, wait=True, beside=root):
        with contextlib.suppress(DataError, OSError, ValueError):  # another process has made it meanwhile
            return DecodedCache(folder)
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
    rows = _begun(folder, positions)
    with disk_errors(folder / PIXELS), stop_request_here() as stop:
        with (folder / BEGUN_PIXELS).open("ab") as stream, append_lines(folder / BEGUN) as lines:
            for done, position in enumerate(positions[len(rows) :], start=len(rows)):
                report(done, len(positions))
                if stop.signal_number:
                    what = f"Stopped; {done:,} of {len(positions):,} images are done and kept."
                    raise Stopped(what, signal_number=stop.signal_number, remedy="Continue with the same command.")
                small = _small(dataset.stored(position), position, scale, edit)
                rows.append(Block(position, rows[-1].end if rows else 0, small.shape, crc32(small.data)))
                stream.write(small.tobytes())
                stream.flush()
                append_line(lines, Begun(rows[-1]))
            os.fsync(stream.fileno())
        (folder / BEGUN_PIXELS).replace(folder / PIXELS)
    write_sealed(folder / LISTED, Listed(rows))
    (folder / BEGUN).unlink()
    report(len(positions), len(positions))


def _small(pixels: Pixels, position: int, scale: float, edit: Edit | None) -> Pixels:
    """Bring an image to the working scale, and edit it; grey [h, w] where it has no colour."""
    grey = pixels.ndim == 2 or bool((pixels[..., :1] == pixels).all())
    small = shrink(pixels[..., 0] if grey and pixels.ndim == 3 else pixels, scale)
    if edit:
        edited = edit.apply(position, to_rgb(small))
        small = edited[..., 0] if grey else edited
    return np.ascontiguousarray(small)


def _begun(folder: Path, positions: Sequence[int]) -> list[Block]:
    """Return the blocks that are done already, as far as they are whole; what comes behind them is cut away."""
    rows, end = list[Block](), 0
    with contextlib.suppress(DataError, OSError), (folder / BEGUN_PIXELS).open("rb") as stream:
        for line, position in zip(read_structs(folder / BEGUN, Begun), positions, strict=False):
            row = line.block
            pixels = stream.read(row.end - end)
            if (row.position, row.offset, row.crc) != (position, end, crc32(pixels)) or len(pixels) < row.end - end:
                break
            rows.append(row)
            end = row.end
    with disk_errors(folder / BEGUN):
        (folder / BEGUN_PIXELS).touch()
        os.truncate(folder / BEGUN_PIXELS, end)
        write_bytes(folder / BEGUN, b"".join(sealed_line(Begun(row)) for row in rows))
    return rows

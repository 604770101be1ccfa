"""What a Dataset notes of its images: how long each file was when it was imported, and the checksum of its bytes.

One file, `images.crc`: for each record the length, int64, and the CRC-32, uint32, little-endian; then the CRC-32 of all that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from coigan_aug.sealed import Damaged

IMAGES = "images.crc"
Noted = NDArray[np.void]
_NOTE = np.dtype([("length", "<i8"), ("crc", "<u4")])
_ABSENT = -1


def note_images(paths: Iterable[Path]) -> bytes:
    """Return what is to be noted of image files, in their order; of one that is not there, that it was not."""
    notes = np.array([_note(path) for path in paths], _NOTE).tobytes()
    return notes + crc32(notes).to_bytes(4, "little")


def _note(path: Path) -> tuple[int, int]:
    try:
        data = path.read_bytes()
    except OSError:
        return _ABSENT, 0
    return len(data), crc32(data)


def load_noted(path: Path, *, count: int, remedy: str) -> Noted | None:
    """Read what was noted of `count` images; None where nothing was.

    Raises:
        Damaged: it is not as it was written.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    notes = data[:-4]
    if len(notes) != count * _NOTE.itemsize or crc32(notes).to_bytes(4, "little") != data[-4:]:
        raise Damaged(f"{path} is not as it was written.", remedy=remedy)
    return np.frombuffer(notes, _NOTE)


def changed_since(noted: Noted | None, position: int, path: Path, *, content: bool = True) -> str:
    """Say how the bytes of an image differ from what was noted of it; "" where they do not, or nothing is known.

    A file that is not there is left to whoever reads it.

    Args:
        content: compare the bytes too, not only how many there are.
    """
    if noted is None or noted[position]["length"] == _ABSENT:
        return ""
    length, crc = _note(path) if content else (_length(path), int(noted[position]["crc"]))
    if length == _ABSENT or (length, crc) == tuple(noted[position].tolist()):
        return ""
    before = int(noted[position]["length"])
    return f"it has {length:,} bytes, then {before:,}" if length != before else "its content is another"


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return _ABSENT

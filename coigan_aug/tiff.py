"""What a TIFF file says of its pictures: the directories of TIFF 6.0 and BigTIFF, read without decoding."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

_MOST_PAGES = 4096
_LARGEST = np.uint64(1 << 61)
_KINDS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_NUMBER = {2: "H", 4: "I", 8: "Q"}
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 254, 256, 257, 258, 262
_STARTS, _ORIENTATION, _SAMPLES, _LENGTHS, _SAMPLE_FORMAT = (273, 324), 274, 277, (279, 325), 339
_COLOUR_MAP, _JPEG_TABLES = 320, 347
_REDUCED_OR_MASK = 0b101
_KEPT = frozenset({
    _SUBFILE, _WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, *_STARTS, _ORIENTATION, _SAMPLES, *_LENGTHS, _SAMPLE_FORMAT,
    _COLOUR_MAP, _JPEG_TABLES,
})  # fmt: skip
_Values = NDArray[np.int64]


class DamagedTiff(ValueError):
    """The file's structure leads beyond its end or in circles."""


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF: its tags that are numbers, by their number in the specification."""

    tags: dict[int, _Values] = field(default_factory=dict)

    def first(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        values = self.tags.get(tag)
        return default if values is None or len(values) == 0 else int(values[0])

    @property
    def height(self) -> int:
        """Rows as stored, in pixels."""
        return self.first(_HEIGHT, 0)

    @property
    def width(self) -> int:
        """Columns as stored, in pixels."""
        return self.first(_WIDTH, 0)

    @property
    def samples(self) -> int:
        """Numbers a pixel, transparency and the like included."""
        return self.first(_SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Bits a sample, the largest."""
        values = self.tags.get(_BITS)
        return 1 if values is None or len(values) == 0 else int(values.max())

    @property
    def photometric(self) -> int:
        """How samples mean colours: 0, 1 grey, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, others rarer."""
        return self.first(_PHOTOMETRIC, -1)

    @property
    def orientation(self) -> int:
        """1-8, as in EXIF."""
        return self.first(_ORIENTATION, 1)

    @property
    def whole_numbers(self) -> bool:
        """Whether samples are unsigned whole numbers."""
        return self.first(_SAMPLE_FORMAT, 1) in (1, 4)

    @property
    def is_picture(self) -> bool:
        """Whether it stands for itself: neither a smaller copy of another page nor its transparency."""
        return not self.first(_SUBFILE, 0) & _REDUCED_OR_MASK

    @property
    def end(self) -> int:
        """The byte behind the last of its pixels; 0 where it isn't said."""
        parts = [(self.tags.get(a), self.tags.get(b)) for a, b in zip(_STARTS, _LENGTHS, strict=True)]
        ends = [starts + sizes for starts, sizes in parts if _paired(starts, sizes)]  # type: ignore[operator]
        return max((int(values.max()) for values in ends), default=0)


def _paired(starts: _Values | None, sizes: _Values | None) -> bool:
    return starts is not None and sizes is not None and len(starts) == len(sizes) > 0


def pages(stream: IO[bytes]) -> list[Page] | None:
    """Read the directories of a TIFF in file order; None for a file that is none.

    Raises:
        DamagedTiff: a directory or a tag's values lie beyond the file's end, or directories form a circle.
    """
    stream.seek(0)
    start = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
    if not order or len(start) < 8:
        return None
    version = struct.unpack(order + "H", start[2:4])[0]
    if version not in (42, 43) or (version == 43 and len(start) < 16):
        return None
    wide = 8 if version == 43 else 4
    at = struct.unpack(order + _NUMBER[wide], start[wide : 2 * wide])[0]
    directories: list[Page] = []
    seen: set[int] = set()
    while at and len(directories) < _MOST_PAGES:
        if at in seen:
            raise DamagedTiff("its pages form a circle")
        seen.add(at)
        page, at = _page(stream, at, order, wide)
        directories.append(page)
    return directories


def _page(stream: IO[bytes], at: int, order: str, wide: int) -> tuple[Page, int]:
    """Read the directory at a place; return it and where the next one is."""
    number = 8 if wide == 8 else 2
    count = struct.unpack(order + _NUMBER[number], _read(stream, at, number))[0]
    size = 4 + 2 * wide
    if count > 65535:
        raise DamagedTiff("a page has an absurd number of tags")
    data = _read(stream, at + number, count * size + wide)
    tags = {}
    for k in range(count):
        tag, kind = struct.unpack(order + "HH", data[k * size : k * size + 4])
        if tag in _KEPT and kind in _KINDS:
            entry = data[k * size + 4 : (k + 1) * size]
            tags[tag] = _values(stream, entry, np.dtype(order + _KINDS[kind]), order=order, wide=wide)
    return Page(tags), struct.unpack(order + _NUMBER[wide], data[count * size :])[0]


def _values(stream: IO[bytes], entry: bytes, kind: np.dtype[np.generic], *, order: str, wide: int) -> _Values:
    count = struct.unpack(order + _NUMBER[wide], entry[:wide])[0]
    size = count * kind.itemsize
    if size <= wide:
        data = entry[wide : wide + size]
    else:
        data = _read(stream, struct.unpack(order + _NUMBER[wide], entry[wide:])[0], size)
    return np.minimum(np.frombuffer(data, kind).astype(np.uint64), _LARGEST).astype(np.int64)


def _read(stream: IO[bytes], at: int, size: int) -> bytes:
    length = stream.seek(0, 2)
    if at + size > length:
        raise DamagedTiff("it is cut off")
    stream.seek(at)
    return stream.read(size)

"""Label Studio's brush strokes: the RGBA picture of a mask, row by row, packed into a stream of bits.

The stream (rle-pack of thi.ng/umbrella) begins with the number of values (32 bits), the bits of a value less 1 (5 bits)
and four sizes less 1 (4 bits each). Blocks follow: one bit says whether a value is repeated, two choose a size, that many
bits are the block's length less 1, then come the value or the values. Here a value is a byte, of red, green, blue or
alpha; a pixel belongs to the mask where its alpha is not 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle

_HEAD = 32 + 5 + 4 * 4
_SIZES = (3, 4, 8, 16)
_LONGEST = 1 << _SIZES[-1]
_OPAQUE = 255


def decode_brush(data: bytes, *, height: int, width: int) -> NDArray[np.bool_]:
    """Decode a brush stroke of an image: bool [height, width].

    Blocks are gone through one by one, the bits of a block all at once.

    Raises:
        ValueError: the stream is damaged, cut off, or of another size; the message says which.
    """
    end = len(data) * 8
    stream = data + bytes(8)
    count, at = 4 * height * width, _HEAD
    if end < _HEAD:
        raise ValueError("is cut off")
    stated = int.from_bytes(stream[:4], "big")
    if stated != count:
        raise ValueError(f"has {stated} values, an image of {height} x {width} pixels has {count}")
    head = int.from_bytes(stream[:7], "big") >> 3
    bits = (head >> 16 & 31) + 1
    sizes = [(head >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
    inside = np.zeros(height * width, dtype=bool)
    done = 0
    while done < count:
        word = int.from_bytes(stream[at >> 3 : (at >> 3) + 8], "big") << (at & 7) & 0xFFFF_FFFF_FFFF_FFFF
        size = sizes[word >> 61 & 3]
        length = (word >> (61 - size) & ((1 << size) - 1)) + 1
        at += 3 + size
        one = bool(word >> 63) or length == 1
        follows = bits if one else bits * length
        if at + follows > end or done + length > count:
            raise ValueError("is damaged or cut off")
        pixels = slice(done // 4, (done + length) // 4)
        if one:
            inside[pixels] = word >> (61 - size - bits) & ((1 << bits) - 1)
        else:
            inside[pixels] = _not_zero(stream, at, length, bits)[(3 - done) % 4 :: 4]
        at, done = at + follows, done + length
    return inside.reshape(height, width)


def _not_zero(stream: bytes, at: int, length: int, bits: int) -> NDArray[np.bool_]:
    """Return which of the values that begin at a bit are not 0."""
    data = np.frombuffer(stream, np.uint8, count=(at + length * bits + 7 >> 3) - (at >> 3), offset=at >> 3)
    unpacked = np.unpackbits(data)[at & 7 :][: length * bits]
    return np.asarray(unpacked.reshape(length, bits).any(axis=1))


def encode_brush(mask: NDArray[np.generic]) -> bytes:
    """Encode a mask [h, w] as a white, opaque brush stroke."""
    runs = 4 * rle.row_runs(mask)
    colours = np.where(np.arange(len(runs)) % 2, _OPAQUE, 0)
    pieces = -(-runs // _LONGEST)
    lengths = np.full(int(pieces.sum()), _LONGEST)
    lengths[np.cumsum(pieces)[pieces > 0] - 1] = (runs - (pieces - 1) * _LONGEST)[pieces > 0]
    which = np.searchsorted([1 << size for size in _SIZES], lengths)
    sizes = np.array(_SIZES)[which]
    blocks = ((4 + which) << (sizes + 8)) + ((lengths - 1) << 8) + np.repeat(colours, pieces)
    head = [4 * mask.size, 7, *(size - 1 for size in _SIZES)]
    return _packed(np.concatenate([head, blocks]), np.concatenate([[32, 5, 4, 4, 4, 4], sizes + 11]))


def _packed(numbers: NDArray[np.int64], sizes: NDArray[np.int64]) -> bytes:
    """Write numbers one after the other, each in its number of bits, the high ones first."""
    ends = np.cumsum(sizes)
    which = np.repeat(np.arange(len(sizes)), sizes)
    shift = ends[which] - 1 - np.arange(int(ends[-1]))
    return np.packbits((numbers[which] >> shift & 1).astype(np.uint8)).tobytes()

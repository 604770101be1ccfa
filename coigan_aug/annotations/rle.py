"""Masks as run lengths, COCO's way: column-major runs that begin with zeros, in COCO's compressed string.

The string is the one truth of a mask in this package. Everything here agrees with pycocotools, which
the tests use as the reference; area, box, crop and union work on runs without making the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.geometry import Box

Runs = NDArray[np.int64]
Mask = NDArray[np.uint8]
_SMALL = 1 << 9
_LONGEST = 8
_MORE = 80  # from this character on the bit is set that says that more follow
_CHARACTERS = bytes(range(48, 112))
_VALUES = (np.arange(256, dtype=np.int64) - 48) & 31  # of a character; the last of a number has a sign
_VALUES[48:_MORE] = (_VALUES[48:_MORE] ^ 16) - 16
_POWERS = 32 ** np.arange(12, dtype=np.int64)
_MANY = 10_000  # characters from which on it pays to look at single ones


@dataclass(frozen=True, slots=True)
class Rle:
    """A binary mask of `height` x `width` pixels; `counts` is COCO's compressed string, canonical (no trailing 0)."""

    height: int
    width: int
    counts: str


def from_runs(height: int, width: int, runs: Runs | Sequence[int]) -> Rle:
    """Make an Rle from alternating column-major run lengths that begin with zeros.

    Raises:
        ValueError: a run is negative, the runs do not add up to height * width, or that is 2^39 or more.
    """
    if height * width >= 1 << 39:
        raise ValueError(f"an image of {height} x {width} pixels is too large")
    counts = np.asarray(runs, dtype=np.int64)
    if counts.ndim != 1 or len(counts) == 0 or counts.min() < 0:
        raise ValueError("run lengths must be a list of numbers that are not negative")
    if int(counts.max()) > height * width or int(counts.sum()) != height * width:
        raise ValueError(
            f"the runs cover {sum(counts.tolist())} pixels, the image has {height * width} ({height} x {width})"
        )
    return Rle(height, width, _compress(_canonical(counts)))


def _canonical(counts: Runs) -> Runs:
    """Join runs round a zero-length one and drop a trailing zero (the leading one stays: it is the count of zeros)."""
    if counts[1:].all():
        return counts
    values = np.arange(len(counts)) % 2
    kept = counts > 0
    counts, values = counts[kept], values[kept]
    if len(counts) == 0:
        return np.zeros(1, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    joined = np.add.reduceat(counts, starts)
    return np.concatenate([[0], joined]) if values[0] == 1 else joined


def _compress(counts: Runs) -> str:
    return compress(counts, np.zeros(1, np.int64))[0]


def compress(counts: Runs, first: Runs) -> tuple[str, Runs]:
    """Write the runs of one mask or several, one after the other, as COCO's string.

    A run is written as its difference to the run two before (from a mask's fourth run on), 5 bits a character,
    low bits first, signed; the sixth bit says that more follow.

    Args:
        first: where each mask's runs begin in `counts`, which are below 2^39.

    Returns:
        The string, and for each mask where its characters end.
    """
    numbers = counts.copy()
    numbers[3:] -= counts[1:-2]
    for step in range(3):
        whole = first[first + step < len(counts)] + step  # a mask's first three runs are written as they are
        numbers[whole] = counts[whole]
    at = numbers + _SMALL
    words, lengths = _WORDS.take(at, mode="clip"), _LENGTHS.take(at, mode="clip")
    large = np.nonzero(at.view(np.uint64) >= 2 * _SMALL)[0]
    words[large], lengths[large] = _spelled(numbers[large])
    return str(words.tobytes().translate(None, b"\0"), "ascii"), np.cumsum(np.add.reduceat(lengths, first))


def _spelled(numbers: Runs) -> tuple[NDArray[np.uint64], Runs]:
    """Return the characters of numbers in -2^39 ... 2^39 - 1, in the low bytes of a word each, and how many they are."""
    reach = numbers ^ (numbers >> 63)
    lengths = np.ones(len(numbers), np.int64)
    for bits in range(4, 39, 5):
        lengths += (reach >> bits) > 0
    words = np.zeros(len(numbers), np.uint64)
    for k in range(_LONGEST):
        character = ((numbers >> (5 * k)) & 31) + np.where(lengths > k + 1, 80, 48)
        words |= np.where(lengths > k, character, 0).astype(np.uint64) << np.uint64(8 * k)
    return words.astype("<u8"), lengths


_WORDS, _LENGTHS = _spelled(np.arange(-_SMALL, _SMALL))  # nearly all numbers are small: these are looked up


def runs(rle: Rle) -> Runs:
    """Return the alternating column-major run lengths, beginning with zeros.

    Raises:
        ValueError: the string is damaged or its runs do not add up to height * width.
    """
    text = rle.counts.encode("latin-1", errors="replace")
    if not text or text.translate(None, _CHARACTERS) or text[-1] >= _MORE:
        raise ValueError("the compressed RLE string is damaged")
    numbers, _ = joined(text)
    for parity in (1, 2):
        np.add.accumulate(numbers[parity::2], out=numbers[parity::2])
    pixels = rle.height * rle.width  # each run is compared too, since the sum of huge ones wraps round
    if np.minimum.reduce(numbers) < 0 or np.maximum.reduce(numbers) > pixels or np.add.reduce(numbers) != pixels:
        raise ValueError(f"the RLE's runs do not add up to {rle.height} x {rle.width} pixels")
    return numbers


def joined(text: bytes) -> tuple[Runs, Runs]:
    """Put the 5-bit groups of COCO's string together to signed numbers; return these and where the characters of each end.

    Args:
        text: characters 48-111, at least one, the last one without the bit that says that more follow.

    Raises:
        ValueError: a number has more than 12 characters.
    """
    data = np.frombuffer(text, np.uint8)
    last = np.nonzero(data < _MORE)[0]
    if len(last) == len(data):
        return _VALUES.take(data), last
    try:
        return _from_all(data, last) if len(data) < _MANY else _from_last(data, last), last
    except IndexError as error:
        raise ValueError("the compressed RLE string is damaged: a number is too long") from error


def _from_all(data: NDArray[np.uint8], last: Runs) -> Runs:
    """Weigh all characters and add up those of each number; for few characters, as it takes few steps."""
    length = np.empty_like(last)
    length[0] = last[0] + 1
    np.subtract(last[1:], last[:-1], out=length[1:])
    first = last - length + 1
    digits = _VALUES.take(data)
    digits *= _POWERS.take(np.arange(len(data)) - np.repeat(first, length))
    return np.add.reduceat(digits, first)


def _from_last(data: NDArray[np.uint8], last: Runs) -> Runs:
    """Take the last character of each number, and weigh only the few others: nearly all numbers have one."""
    numbers = _VALUES.take(data.take(last))
    others = np.nonzero(data >= _MORE)[0]
    owner = np.searchsorted(last, others)
    place = others - np.where(owner > 0, last.take(owner - 1) + 1, 0)
    first = np.nonzero(place == 0)[0]
    longer = owner.take(first)
    numbers[longer] *= _POWERS.take(np.diff(first, append=len(others)))
    numbers[longer] += np.add.reduceat(_VALUES.take(data.take(others)) * _POWERS.take(place), first)
    return numbers


def canonical(rle: Rle) -> Rle:
    """Return the same mask in canonical form, having checked it.

    Raises:
        ValueError: the string is damaged or does not fit the size.
    """
    return from_runs(rle.height, rle.width, runs(rle))


def encode(mask: NDArray[np.generic]) -> Rle:
    """Encode a mask [H, W]; every pixel that is not 0 belongs to it."""
    height, width = mask.shape
    flat = (mask != 0).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(edges)
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return Rle(height, width, _compress(counts.astype(np.int64)))


def row_runs(mask: NDArray[np.generic]) -> Runs:
    """Return the alternating run lengths of a mask [H, W], not empty, over its rows, beginning with zeros.

    >>> row_runs(np.array([[0, 1], [1, 1]])).tolist()
    [1, 3]
    """
    flat = (mask != 0).ravel()
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    counts = np.diff(edges)
    return np.concatenate([[0], counts]) if flat[0] else counts


def decode(rle: Rle) -> Mask:
    """Decode to a mask, uint8 [H, W] of 0 and 1 (column-major in memory)."""
    counts = runs(rle)
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    columns = np.repeat(values, counts).reshape((rle.width, rle.height))
    return np.asarray(columns.T, dtype=np.uint8)


def intervals(rle: Rle) -> tuple[Runs, Runs]:
    """Return the mask's runs as half-open intervals [start, end) of column-major pixel numbers."""
    edges = np.cumsum(runs(rle))
    ends = edges[1::2]
    starts = edges[0::2][: len(ends)]
    return starts, ends


def from_intervals(height: int, width: int, starts: Runs, ends: Runs) -> Rle:
    """Make an Rle from half-open column-major intervals in any order; overlaps are joined.

    Raises:
        ValueError: an interval leaves the image.
    """
    if len(starts) == 0:
        return from_runs(height, width, [height * width])
    if int(starts.min()) < 0 or int(ends.max()) > height * width or (ends < starts).any():
        raise ValueError(f"an interval leaves the image of {height} x {width} pixels")
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    first = np.concatenate([[True], starts[1:] > ends[:-1]])
    last = np.concatenate([first[1:], [True]])
    edges = np.stack([starts[first], ends[last]], axis=1).ravel()
    return from_runs(height, width, np.diff(np.concatenate([[0], edges, [height * width]])))


def is_empty(rle: Rle) -> bool:
    """Tell whether no pixel is in a mask."""
    return len(rle.counts) <= _LONGEST and area(rle) == 0


def area(rle: Rle) -> int:
    """Return the number of pixels in the mask."""
    return int(runs(rle)[1::2].sum())


def box(rle: Rle) -> Box:
    """Return the tight box; (0, 0, 0, 0) for an empty mask.

    >>> box(encode(np.array([[0, 0, 0], [0, 1, 1]])))
    Box(left=1, top=1, width=2, height=1)
    """
    starts, ends = intervals(rle)
    if len(starts) == 0 or rle.height == 0:
        return Box(0, 0, 0, 0)
    kept = ends > starts
    starts, lasts = starts[kept], ends[kept] - 1
    left, right = int(starts[0]) // rle.height, int(lasts[-1]) // rle.height
    tops, bottoms = starts % rle.height, lasts % rle.height
    wraps = starts // rle.height != lasts // rle.height
    top = 0 if wraps.any() else int(tops.min())
    bottom = rle.height - 1 if wraps.any() else int(bottoms.max())
    return Box(left, top, right - left + 1, bottom - top + 1)


def decode_box(rle: Rle, region: tuple[int, int, int, int]) -> Mask:
    """Decode only the region (left, top, width, height), which may reach beyond the image: uint8 [h, w]."""
    region = Box(*region)
    out = np.zeros((region.height, region.width), np.uint8)
    held = region.clip((rle.height, rle.width))
    if held.shorter == 0:
        return out
    starts, ends = intervals(rle)
    low, high = held.left * rle.height, held.right * rle.height
    starts, ends = np.clip(starts, low, high) - low, np.clip(ends, low, high) - low
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], edges, [high - low]]))
    columns = np.repeat((np.arange(len(counts)) % 2).astype(np.uint8), counts).reshape(held.width, rle.height)
    out[held.seen_from(region).slices] = columns[:, held.top : held.bottom].T
    return out


def union(masks: Sequence[Rle]) -> Rle:
    """Return the union of masks of one size (at least one)."""
    sides = [intervals(mask) for mask in masks]
    starts = np.concatenate([side[0] for side in sides])
    ends = np.concatenate([side[1] for side in sides])
    return from_intervals(masks[0].height, masks[0].width, starts, ends)


def place(mask: NDArray[np.generic], *, left: int, top: int, height: int, width: int) -> Rle:
    """Encode a small mask [h, w] put at (left, top) of an image of height x width; what leaves the image is cut."""
    region = Box(left, top, mask.shape[1], mask.shape[0])
    held = region.clip((height, width))
    if held.shorter == 0:
        return from_runs(height, width, [height * width])
    columns = np.zeros((height, held.width), dtype=bool)
    columns[held.top : held.bottom] = mask[held.seen_from(region).slices] != 0
    flat = columns.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    offset = held.left * height
    return from_intervals(height, width, edges[0::2] + offset, edges[1::2] + offset)

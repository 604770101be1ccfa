"""What goes over the wire: a JSON head and, behind it, bytes; masks as packed bits of their box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from coigan_aug.annotations.rle import Mask
from coigan_aug.errors import UsageError
from coigan_aug.files import json_line
from coigan_aug.geometry import Box
from coigan_aug.synthesis.style import MOST

MOST_VARIANTS = 16
_LENGTH = 4  # bytes, little-endian, that say how long the head is
Head = TypeVar("Head", bound=Struct)
Name = Annotated[str, Meta(max_length=200)]
Side = Annotated[int, Meta(ge=0, lt=1 << 16)]
Seed = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Layer(Struct, frozen=True, kw_only=True, rename={"label": "class"}):
    """The painted mask of a class: its box in the image (left, top, width, height); its bits stand behind the head.

    `contrast` is None for the median of the class's training objects.
    """

    label: Name
    box: tuple[Side, Side, Side, Side]
    contrast: Annotated[float, Meta(ge=-1, le=2)] | None = None


class Sibling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training object (its number) whose siblings are drawn, and how far from it they are, 0..1."""

    of: Annotated[int, Meta(ge=0)]
    spread: Annotated[float, Meta(ge=0, le=1)] = 0.3


class Mixture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another variant, by its seed, and how far on the way to it the latent lies, 0..1."""

    seed: Seed
    share: Annotated[float, Meta(ge=0, le=1)]


class Painted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be drawn: masks on a base (its number), the run that draws, the seeds to draw with, each a picture.

    `client` and `slot` name who asks and what for: of the same a later request takes an earlier one's place. `into` names
    the set to keep the picture in.
    """

    base: Annotated[int, Meta(ge=0)]
    run: Name
    layers: Annotated[tuple[Layer, ...], Meta(max_length=254)]
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=MOST_VARIANTS)] = (1,)
    truncation: Annotated[float, Meta(ge=0, le=1)] = 1.0
    style: dict[Name, Annotated[float, Meta(ge=-MOST, le=MOST)]] = {}
    siblings: Sibling | None = None
    between: Mixture | None = None
    client: Annotated[str, Meta(max_length=64)] = ""
    slot: Annotated[str, Meta(max_length=32)] = "draw"
    into: Annotated[str, Meta(max_length=64)] = ""


def split_message(body: bytes, kind: type[Head]) -> tuple[Head, memoryview]:
    """Part a message into its head and the bytes behind it.

    Raises:
        UsageError: it is none.
    """
    view = memoryview(body)
    length = int.from_bytes(view[:_LENGTH], "little")
    if len(view) < _LENGTH or len(view) < _LENGTH + length:
        raise UsageError("The request is cut off.")
    try:
        head = msgspec.json.decode(view[_LENGTH : _LENGTH + length], type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The request is not understood: {error}") from error
    return head, view[_LENGTH + length :]


def join_message(head: Mapping[str, Any], parts: Sequence[bytes] = ()) -> bytes:
    """Make a message of a JSON head and bytes; the inverse of `split_message`."""
    text = json_line(dict(head))
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *parts])


def unpack_layers(layers: Sequence[Layer], bits: memoryview) -> list[Mask]:
    """Return the masks of the layers, uint8 [h, w] of 0 and 1 each; their bits go row by row, the highest bit first.

    Raises:
        UsageError: there are more or fewer bits than the boxes hold.
    """
    sizes = [-(-layer.box[2] * layer.box[3] // 8) for layer in layers]
    if sum(sizes) != len(bits):
        raise UsageError(f"The masks have {len(bits):,} bytes, their boxes {sum(sizes):,}.")
    masks, start = [], 0
    for layer, size in zip(layers, sizes, strict=True):
        _, _, width, height = layer.box
        flat = np.unpackbits(np.frombuffer(bits[start : start + size], np.uint8), count=width * height)
        masks.append(flat.reshape(height, width))
        start += size
    return masks


def pack_mask(mask: Mask) -> bytes:
    """Return a mask [h, w] as bits, row by row."""
    return np.packbits(mask != 0).tobytes()


def box_values(box: Box) -> list[int]:
    """Return a box as JSON values."""
    return [int(side) for side in box]

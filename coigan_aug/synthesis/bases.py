"""What is drawn on: defect-free training images, and training images whose defects are erased; at full size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from coigan_aug import rng as streams
from coigan_aug.annotations import masks, rle
from coigan_aug.annotations.rle import Mask
from coigan_aug.annotations.void import apart, cut, erased_along
from coigan_aug.compose.erase import MOST_ERASED, Erasing, fill_from_surface
from coigan_aug.errors import DataError, UsageError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.prepare.tiles import Window
from coigan_aug.store.card import BasesUsed

BASES = ("auto", "clean", "erased", "both")
GROW = 2  # px at the working scale: more than in training, since a rest of a defect would go without a mask


@dataclass(frozen=True, slots=True)
class Base:
    """A training record to draw on, the part of it (full-size px), whether it is erased first."""

    position: int
    region: Box
    erased: bool = False


def check_kind(kind: str) -> None:
    """Refuse a kind of bases that there is not.

    Raises:
        UsageError: names those that there are.
    """
    if kind not in BASES:
        raise UsageError(f"There are no bases {kind!r}.", remedy=f"Bases: {', '.join(BASES)}.")


def settle_kind(kind: str, prepared: Prepared, *, windows: bool) -> str:
    """Return the kind of bases that "auto" stands for: clean where there is one, else erased; others as they are."""
    if kind != "auto":
        return kind
    return "clean" if any(_clean(prepared, windows)) else "erased"


def find_bases(prepared: Prepared, *, kind: str, windows: bool) -> list[Base]:
    """List what can be drawn on: whole images, or windows of the training size.

    "clean": defect-free images; clean windows of any image. "erased": images (windows) with defects that cover at most
    a quarter of the image; "both": all of them; "auto": as `settle_kind`. Only training images are ever among them.

    Raises:
        DataError: there is none. UsageError: there is no such kind.
    """
    check_kind(kind)
    kind = settle_kind(kind, prepared, windows=windows)
    bases = list(_clean(prepared, windows)) if kind != "erased" else []
    bases += _erased(prepared, windows) if kind != "clean" else []
    if bases:
        return bases
    if kind == "clean":
        raise DataError(
            "No training image is free of defects; there is nothing to draw on.",
            remedy="Use --bases erased, --windows (clean parts of images with defects), or import defect-free images.",
        )
    raise DataError(
        f"No training image can be drawn on: defects cover over {MOST_ERASED:.0%} of each that has any, too much to erase.",
        remedy="Import defect-free images, too, or use --bases clean --windows (clean parts of images with defects).",
    )


def _clean(prepared: Prepared, windows: bool) -> Iterator[Base]:
    if windows:
        clean = (window for window in prepared.clean if window.kind == "clean")
        return (Base(position, view) for position, view in _views(prepared, clean))
    free = dict.fromkeys(window.position for window in prepared.clean if window.position not in prepared.by_record)
    return (Base(position, _whole(prepared, position)) for position in free)


def _erased(prepared: Prepared, windows: bool) -> list[Base]:
    few = {position for position in prepared.by_record if erased_share(prepared, position) <= MOST_ERASED}
    own = [window for window in prepared.with_objects if window.position in few]
    if windows:
        return [Base(position, view, erased=True) for position, view in _views(prepared, own)]
    return [Base(k, _whole(prepared, k), erased=True) for k in dict.fromkeys(window.position for window in own)]


def left_out(prepared: Prepared) -> int:
    """Return how many training images with defects serve as no base, erased, because of how much would be erased."""
    return sum(erased_share(prepared, position) > MOST_ERASED for position in prepared.by_record)


def erased_share(prepared: Prepared, position: int) -> float:
    """Return the share of an image that its masks cover, and the void beside them, which is erased too: 0..1."""
    record = prepared.dataset[position]
    if position in prepared.beside:
        return float(np.mean(erased_along(record)))
    return rle.area(rle.union([a.rle for a in record.annotations])) / (record.height * record.width)


def _whole(prepared: Prepared, position: int) -> Box:
    record = prepared.dataset[position]
    return Box.of((record.height, record.width))


def _views(prepared: Prepared, windows: Iterable[Window]) -> Iterator[tuple[int, Box]]:
    """Yield each window's image and where it lies there at full size; the record of an image is read once."""
    wholes: dict[int, Box] = {}
    scale, side = prepared.scale, round(prepared.window / prepared.scale)
    for window in windows:
        if window.position not in wholes:
            wholes[window.position] = _whole(prepared, window.position)
        whole = wholes[window.position]
        across, down = min(side, whole.width), min(side, whole.height)
        view = Box(round(window.left / scale), round(window.top / scale), across, down)
        yield window.position, view.shifted_into((whole.height, whole.width))


def erased_margin(scale: float) -> int:
    """Return how far round a mask a base may be changed by erasing it, full-size px."""
    return math.ceil(GROW / scale)


def hole_of(prepared: Prepared, position: int) -> Mask:
    """Return what is erased of an image at full size: uint8 [H, W]."""
    return masks.grow(erased_along(prepared.dataset[position]), erased_margin(prepared.scale))


def void_of(prepared: Prepared, base: Base) -> rle.Rle | None:
    """Return what is void of a base at full size, as it is drawn on: none of what is erased; None for none."""
    if base.position not in prepared.void:
        return None
    record = prepared.dataset[base.position]
    void = apart(record) if base.erased else record.void
    return None if void is None else cut(void, base.region)


def read_base(prepared: Prepared, base: Base, erasing: Erasing) -> Pixels:
    """Read what is drawn on: uint8 [h, w] or [h, w, 3] as the file has it.

    An erased base depends on its image, its position and the way of erasing alone; outside the hole its bytes are the
    image's, and a grey image stays grey.
    """
    image = prepared.dataset.stored(base.position)
    if base.erased:
        rng = streams.generator(0, "erased base", base.position)
        void = prepared.dataset[base.position].void if base.position in prepared.void else None
        pixels, other = np.ascontiguousarray(to_rgb(image)), None if void is None else rle.decode(void)
        filled = fill_from_surface(erasing, rng, pixels, hole_of(prepared, base.position), other)
        image = filled if image.ndim == 3 else filled[..., 0]
    return np.ascontiguousarray(image[base.region.slices])


def bases_used(prepared: Prepared, kind: str, erasing: Erasing) -> BasesUsed:
    """Return what the card says of the bases before anything is drawn on them."""
    if kind == "clean":
        return BasesUsed(kind=kind, erased=0, erased_share=0.0)
    return BasesUsed(
        kind=kind,
        erased=0,
        erased_share=0.0,
        erased_by=erasing.name,
        erased_margin_px=erased_margin(prepared.scale),
        left_out=left_out(prepared),
        eraser=erasing.key or None,
    )

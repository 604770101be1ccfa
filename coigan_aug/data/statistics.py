"""What a data set looks like in numbers: sizes, shapes, places and frequencies of its objects, and of its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import decode_many
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.data.looks import Look
from coigan_aug.geometry import Box
from coigan_aug.prepare.objects import LARGE, DefectObject

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
PLACES = 16
BRIGHTNESS_BINS = 32
_STRIP = 256  # columns of a large mask that are looked at together


@dataclass(frozen=True, kw_only=True)
class ClassStatistics:
    """The objects (8-connected components) of a class.

    `areas` in px, `aspects` (width / height of the box) and `per_image` (objects in an image that has any) are
    quantiles at QUANTILES, empty without objects; `mean_per_image` their mean; `pixel_share` the share of all pixels of
    the set, `image_share` of the images; `places` says by rows from the top which share of the class' images has it
    there, in images scaled to one size.
    """

    name: str
    areas: tuple[float, ...]
    aspects: tuple[float, ...]
    per_image: tuple[float, ...]
    mean_per_image: float
    pixel_share: float
    image_share: float
    places: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ImageStatistics:
    """The images: quantiles at QUANTILES of height and width (px), brightness, contrast and colour (0..255).

    `sizes` counts the sizes "height x width", the most frequent first, at most 10, of `distinct` in all; `channels`
    those of the files; `brightness_counts` the images by brightness in 32 equal steps. Without images all is empty.
    """

    heights: tuple[float, ...]
    widths: tuple[float, ...]
    sizes: tuple[tuple[str, int], ...]
    distinct: int
    channels: tuple[tuple[int, int], ...]
    brightness: tuple[float, ...]
    brightness_counts: tuple[int, ...]
    contrast: tuple[float, ...]
    colour: tuple[float, ...]


def quantiles(values: Sequence[float] | NDArray[np.number]) -> tuple[float, ...]:
    """Return the values at QUANTILES, interpolated, with 4 significant digits; () without values."""
    exact = np.quantile(np.asarray(values, np.float64), QUANTILES).tolist() if len(values) else []
    return tuple(float(f"{value:.4g}") for value in exact)


def class_statistics(
    records: Sequence[ImageRecord], classes: Sequence[DefectClass], objects: Sequence[DefectObject]
) -> tuple[ClassStatistics, ...]:
    """Count up the objects of each class; `objects` as `find_objects` lists them, at full scale."""
    pixels = sum(record.height * record.width for record in records)
    sorted_out: list[list[DefectObject]] = [[] for _ in classes]
    for defect in objects:
        sorted_out[defect.label].append(defect)
    return tuple(
        _of_class(item.name, of_class, images=len(records), pixels=pixels)
        for item, of_class in zip(classes, sorted_out, strict=True)
    )


def _of_class(name: str, objects: Sequence[DefectObject], *, images: int, pixels: int) -> ClassStatistics:
    areas = [rle.area(defect.full) for defect in objects]
    per_image = list(Counter(defect.position for defect in objects).values())
    places = place_map(objects, (PLACES, PLACES)).round(4).tolist()
    return ClassStatistics(
        name=name,
        areas=quantiles(areas),
        aspects=quantiles([defect.box.width / max(defect.box.height, 1) for defect in objects]),
        per_image=quantiles(per_image),
        mean_per_image=round(len(objects) / max(len(per_image), 1), 3),
        pixel_share=float(f"{sum(areas) / max(pixels, 1):.4g}"),
        image_share=float(f"{len(per_image) / max(images, 1):.4g}"),
        places=tuple(map(tuple, places)),
    )


def place_map(objects: Iterable[DefectObject], size: tuple[int, int]) -> NDArray[np.float64]:
    """Average the masks of the images that objects are in, each shrunk to `size` (height, width); zeros without any."""
    total = np.zeros(size)
    by_image: dict[int, list[rle.Rle]] = {}
    for defect in objects:
        by_image.setdefault(defect.position, []).append(defect.full)
    unions = [rle.union(parts) for parts in by_image.values()]
    for mask in decode_many(union for union in unions if union.height * union.width <= LARGE):
        total += cv2.resize(mask.T.astype(np.float32), size, interpolation=cv2.INTER_AREA).T
    for union in unions:
        if union.height * union.width > LARGE:
            total += _shrunk(union, size)
    return np.asarray(total / max(len(by_image), 1))


def _shrunk(mask: rle.Rle, size: tuple[int, int]) -> NDArray[np.float64]:
    """Shrink a large mask by area, strip by strip of its columns."""
    rows, columns = _area_weights(mask.height, size[0]), _area_weights(mask.width, size[1])
    out = np.zeros(size)
    for left in range(0, mask.width, _STRIP):
        strip = Box(left, 0, min(_STRIP, mask.width - left), mask.height)
        out += rows @ rle.decode_box(mask, strip) @ columns[:, left : strip.right].T
    return out


def _area_weights(before: int, after: int) -> NDArray[np.float64]:
    """Return what share of each of `after` cells each of `before` pixels takes: [after, before], rows add up to 1."""
    ends = np.linspace(0, before, after + 1)
    pixels = np.arange(before)
    covered = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.asarray(covered.clip(0) * after / before)


def image_statistics(looks: Sequence[Look]) -> ImageStatistics:
    """Count up what the images look like."""
    sizes = Counter(f"{look.height} x {look.width}" for look in looks)
    bright = [look.brightness for look in looks]
    counts = np.histogram(bright, bins=BRIGHTNESS_BINS, range=(0, 256))[0]
    return ImageStatistics(
        heights=quantiles([look.height for look in looks]),
        widths=quantiles([look.width for look in looks]),
        sizes=tuple(sizes.most_common(10)),
        distinct=len(sizes),
        channels=tuple(sorted(Counter(look.channels for look in looks).items())),
        brightness=quantiles(bright),
        brightness_counts=tuple(counts.tolist()),
        contrast=quantiles([look.contrast for look in looks]),
        colour=quantiles([look.colour for look in looks]),
    )

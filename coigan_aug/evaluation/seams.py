"""Seams: how synthetic pixels join the base image, and whether anything changed where nothing may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from coigan_aug.annotations import masks, rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.annotations.void import erased_along
from coigan_aug.errors import DataError
from coigan_aug.evaluation.embedding import Advance
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.seams import gradient, ring_of, seam_ratio
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import Origin, origin_of


@dataclass
class Seams:
    """What was seen at the edges of the margins, `margin` px outside the masks.

    `ratios` holds by class (its position) one number for each object: the mean gradient magnitude on its ring over
    that of the base image at the same pixels; 1 where no seam shows. `outside` counts the pixels beyond the margins,
    `changed` those of them that differ from the base image. What was erased of the base image counts as neither.
    """

    margin: int
    ratios: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    outside: int = 0
    changed: int = 0
    images: int = 0


def measure_seams(synthetic: Dataset, real: Dataset, *, margin: int, advance: Advance) -> Seams:
    """Compare every synthetic image with the base image that its record names; records that name none are passed by.

    Args:
        margin: how far outside its mask a defect may change pixels, px.

    Raises:
        DataError: a base image is not among the images of the data set.
    """
    positions = {record.file: position for position, record in enumerate(real)}
    seams = Seams(margin)
    for position, record in enumerate(synthetic):
        origin = origin_of(record)
        if origin is not None:
            base, erased = _base(record, origin, real, positions)
            _add(seams, synthetic.image(position), base, record, erased, names=synthetic.names)
        advance(1)
    return seams


def _base(record: ImageRecord, origin: Origin, real: Dataset, positions: dict[str, int]) -> tuple[Pixels, rle.Mask]:
    """Return the part of the base image that a synthetic image shows, and where its own defects were erased, [h, w]."""
    name = origin.base
    if name not in positions:
        raise DataError(
            f"{record.file} was drawn on {name}, which the data set does not hold.",
            remedy="Measure in the workspace that it was made in, or make new images with: coigan-aug synthesize",
        )
    image = real.image(positions[name])
    shown = (origin.region or Box.of(image.shape)).slices
    base = image[shown]
    if base.shape[:2] != (record.height, record.width):
        raise DataError(
            f"{record.file} is {record.height} x {record.width} pixels, its base {name} {base.shape[0]} x {base.shape[1]}.",
            remedy="It was made by an older version; make new images with: coigan-aug synthesize --overwrite",
        )
    hole = np.zeros(image.shape[:2], np.uint8)
    if origin.erased_margin is not None:
        hole = masks.grow(erased_along(real[positions[name]]), origin.erased_margin)
    return base, hole[shown]


def _add(
    seams: Seams, image: Pixels, base: Pixels, record: ImageRecord, erased: rle.Mask, *, names: Sequence[str]
) -> None:
    solid = [rle.decode(annotation.rle) for annotation in record.annotations]
    reach = [masks.grow(mask, seams.margin) for mask in solid]
    covered = np.sum([erased, *reach], axis=0, dtype=np.int64)
    outside = covered == 0
    seams.images += 1
    seams.outside += int(outside.sum())
    seams.changed += int(((image != base).any(axis=2) & outside).sum())
    steep = gradient(image), gradient(base)
    for annotation, mask, reached in zip(record.annotations, solid, reach, strict=True):
        ring = ring_of(mask, seams.margin) & (covered - reached == 0)
        if ring.any():
            seams.ratios[names.index(annotation.label)].append(seam_ratio(*steep, ring))

"""Whether finding the part suits a data set: it does where the real defects lie on the parts that it finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from coigan_aug.annotations.batches import extents
from coigan_aug.annotations.rle import Mask, Rle, decode, encode
from coigan_aug.geometry import Box
from coigan_aug.places.part import find_part, full_size
from coigan_aug.prepare.examples import Examples
from coigan_aug.progress import Report, silent

MOST_OFF = 0.02
"""Largest share of a class' defect pixels that may lie off the parts; more, and no part is looked for in the data set."""
_FILLED = 0.5  # a "part" of which the defects cover more than this is a defect on a bare surface
_MOST_FILLED = 0.25  # largest share of the images with defects and background in which that may be so


@dataclass(frozen=True, kw_only=True)
class PartSurvey:
    """What was seen of the parts in a data set, and whether parts are looked for in it.

    `used`: they are; else every image is all part. `cut`: in how many of the `images` background was seen. `off`: the share
    of each class' defect pixels that lie on that background. `filled`: in how many images what looks like the part is
    mostly defect. `parts` holds those of the images in which background was seen, where they are used.
    """

    used: bool
    images: int
    cut: int
    off: tuple[float, ...]
    filled: int
    parts: Mapping[int, Rle] = field(default_factory=dict)

    def mask(self, examples: Examples, position: int) -> Mask:
        """Return the part in a record's image at the working scale: uint8 [h, w], 1 on the part."""
        part = self.parts.get(position)
        return np.ones(examples.cache[position].shape[:2], np.uint8) if part is None else decode(part)

    def full(self, examples: Examples, position: int) -> Mask:
        """Return the part in a record's image at full size, by nearest neighbour: uint8 [H, W], 1 on the part."""
        record = examples.dataset[position]
        return full_size(self.mask(examples, position), height=record.height, width=record.width)

    def says(self, names: Sequence[str]) -> str:
        """Say in a sentence what was seen; `names` are the classes'."""
        seen = f"background is seen in {self.cut:,} of {self.images:,} images"
        worst = int(np.argmax(self.off)) if self.off else 0
        if self.used:
            return f"Part: {seen}; defects stay off it." if self.cut else "Part: the whole image, everywhere."
        if self.off[worst] <= MOST_OFF:
            return f"Part: {seen}, but in {self.filled:,} of them all round a defect; every image is all part."
        share = f"{self.off[worst]:.1%} of the real {names[worst]} pixels lie on it"
        return f"Part: {seen}, but {share}; every image is all part."


def survey_parts(examples: Examples, *, report: Report = silent) -> PartSurvey:
    """Look for the parts in all images, and see whether the real defects lie on them.

    They are not to be used where over 2 % of a class' defect pixels lie off them, or where in over a quarter of the images
    with defects and background the part is mostly defect.
    """
    off, all_pixels = np.zeros(examples.classes), np.zeros(examples.classes)
    counts: dict[str, int] = defaultdict(int)
    parts: dict[int, Rle] = {}
    for item, (area, _) in zip(examples.objects, extents([item.scaled for item in examples.objects]), strict=True):
        all_pixels[item.label] += area
    for done, position in enumerate(examples.positions):
        report(done, len(examples.positions))
        part = find_part(examples.cache[position])
        if part.all():
            continue
        masks = examples.masks(position, Box.of(part.shape))
        parts[position] = encode(part)
        off += masks[:, part == 0].sum(axis=1)
        counts["cut"] += 1
        counts["both"] += bool(masks.any())
        counts["filled"] += bool((masks.max(axis=0) & part).sum() > _FILLED * part.sum())
    shares = off / np.maximum(all_pixels, 1)
    filled = counts["filled"] > _MOST_FILLED * counts["both"]
    used = not filled and bool((shares <= MOST_OFF).all())
    return PartSurvey(
        used=used,
        images=len(examples.positions),
        cut=counts["cut"],
        off=tuple(shares.tolist()),
        filled=counts["filled"],
        parts=parts if used else {},
    )

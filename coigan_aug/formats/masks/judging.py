"""What is looked at in some masks before all are read: are they masks, and is the defect black or white in them."""

from __future__ import annotations

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError
from coigan_aug.formats.masks.class_folders import noted_names
from coigan_aug.formats.masks.layout import Layout
from coigan_aug.formats.masks.pairing import MaskFile
from coigan_aug.formats.masks.values import MOST_GREYS, Meaning, NoMaskError, read_masks
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems
from coigan_aug.imaging import read_rgb
from coigan_aug.mask_image import read_mask_values

SAMPLED = 50
_FEW = 4
_ALIKE = 12.0  # mean difference of grey levels, 0-255, up to which two pictures are one
_EDGE, _SHADES = 8, 0.2  # grey levels from black and white, and the share of a photograph's pixels beyond them
_MOST = 0.9


def sample(layout: Layout, *, most: int = SAMPLED) -> list[tuple[str, MaskFile]]:
    """Return some masks, each behind its image, from all over a layout; at least one of each class."""
    pairs = [(image, mask) for image, masks in sorted(layout.images.items()) for mask in masks]
    first = {mask.label: (image, mask) for image, mask in reversed(pairs)}
    return list(dict.fromkeys([*pairs[:: max(len(pairs) // most, 1)], *first.values()]))


def why_no_masks(layout: Layout) -> str:
    """Return why the first of a layout's masks are none: they are photographs; "" where one of them is a mask."""
    reasons = [_why_no_mask(layout, image, mask) for image, mask in sample(layout, most=_FEW)[: 2 * _FEW]]
    return reasons[0] if reasons and all(reasons) else ""


def _why_no_mask(layout: Layout, image: str, mask: MaskFile) -> str:
    quiet = Problems()
    try:
        read_masks(layout.mask_path(mask), meaning=Meaning(coding=layout.coding), problems=quiet)
        alike = bool(quiet.all) and _is_same_picture(layout, image, mask)
    except NoMaskError as error:
        return error.message
    except DataError:
        return ""
    return f"{mask.path} is no mask but the same picture as {image}." if alike else ""


def _is_same_picture(layout: Layout, image: str, mask: MaskFile) -> bool:
    """Tell whether a mask of many greys shows what its image shows, which is not itself black and white."""
    picture, other = read_rgb(layout.root / image).mean(axis=2), read_mask_values(layout.mask_path(mask))
    grey = other if other.ndim == 2 else other.mean(axis=2)
    shades = ((picture > _EDGE) & (picture < 255 - _EDGE)).mean() > _SHADES
    shades = shades and len(np.unique(grey)) > MOST_GREYS
    return bool(shades and picture.shape == grey.shape and np.abs(picture - grey).mean() < _ALIKE)


def check_background(layout: Layout, reading: Reading, meaning: Meaning) -> None:
    """Ask whether masks are inverted, where in nearly each that has a defect it is most of the image; ours never are.

    Raises:
        DataError: they are, and neither `options.invert_masks` nor a value says what they mean.
    """
    decided = reading.options.invert_masks is not None or bool(meaning.values) or meaning.coding == "numbered"
    if decided or noted_names(layout.root / "masks"):
        return
    shares = {mask.path: share for _, mask in sample(layout) if (share := _share(layout, mask, meaning))}
    large = [path for path, share in shares.items() if share > 1 / 2]
    part = [path for path in large if shares[path] < 1]
    if not part or len(large) < _MOST * len(shares):
        return
    with reading.problems.attempt(file=f"{reading.name}/", done="taken as they are"):
        seen = f"the first, {part[0]}, marks {shares[part[0]]:.0%}"
        what = f"{len(large):,} of {len(shares):,} masks mark most of the image as defect ({seen}): black on white?"
        raise DataError(what, remedy="--invert-masks if the defect is black, --no-invert-masks if they are right")


def _share(layout: Layout, mask: MaskFile, meaning: Meaning) -> float:
    """Return the share of the pixels that a mask marks, 0-1; 0 of one that can't be read, which is told elsewhere."""
    try:
        parts = read_masks(layout.mask_path(mask), meaning=meaning, problems=Problems()).parts
    except DataError:
        return 0.0
    return sum(rle.area(part.mask) / (part.mask.height * part.mask.width) for part in parts)

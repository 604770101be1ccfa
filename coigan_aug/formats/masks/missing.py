"""Which images have no mask although they should have one: nobody knows what is on them.

That an image has no mask file means two things: where masks were only made of defects, that it has none; where each image
has a mask, or its folder is that of a defect, that the mask is missing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from coigan_aug.formats.masks.layout import SINGLE, Layout, MaskFile

_FREE = re.compile(
    r"(.*[^a-z])?(good|ok|okay|normal|free|clean|perfect|pass|healthy|intact|negative|none|background|io"
    r"|(no|non|without|un)[^a-z]?(defects?|defective|anomal(y|ies|ous)|cracks?|cracked|damaged?|faults?))([^a-z].*)?"
)
_SHARES = frozenset({"", "train", "training", "val", "valid", "validation", "test", "images", "image", "img", "imgs"})


def images_without_mask(layout: Layout, *, told: bool = False) -> list[str]:
    """Return the images whose mask is missing.

    One is where an image has no mask and
    - most images of its folder have one, or all that have one are of the class that the folder is named after;
    - or its folder stands beside those of classes, none of its images has a mask, and its name says neither that its
      images are free of defects (good, ok, MT_Free) nor that they are a share (train);
    - or there are masks without an image in the set, one of which may be its own, and it lies where others have masks, or no
      folder is that of a class.

    Args:
        told: the set says by itself that an image without a mask has no defect, as those that are written here do.
    """
    folders = _folders(layout)
    if told and not layout.orphans:
        return []
    classes = {path.rpartition("/")[0] for path, images in folders.items() if _is_class(path, images)}
    return sorted(image for path, images in folders.items() for image in _bare(path, images, classes, layout.orphans))


def _folders(layout: Layout) -> dict[str, dict[str, list[MaskFile]]]:
    """Return the images and their masks by folder."""
    folders: dict[str, dict[str, list[MaskFile]]] = defaultdict(dict)
    for image, masks in layout.images.items():
        folders[image.rpartition("/")[0]][image] = masks
    return folders


def _bare(
    path: str, images: Mapping[str, Sequence[MaskFile]], classes: set[str], orphans: Sequence[str]
) -> Iterator[str]:
    bare = [image for image, masks in images.items() if not masks]
    parent, _, name = path.rpartition("/")
    if len(bare) < len(images):
        missing = bool(orphans) or len(bare) * 2 < len(images) or _is_class(path, images)
    else:
        unpaired = bool(orphans) and not classes
        named = parent in classes and name.lower() not in _SHARES
        missing = (unpaired or named) and not _FREE.fullmatch(name.lower())
    yield from bare if missing else ()


def _is_class(path: str, images: Mapping[str, Sequence[MaskFile]]) -> bool:
    """Tell whether a folder is that of a class: its name is the label of all masks of its images."""
    name = path.rpartition("/")[2].lower()
    labels = {mask.label.lower() for masks in images.values() for mask in masks}
    return labels == {name} and name not in _SHARES and name != SINGLE

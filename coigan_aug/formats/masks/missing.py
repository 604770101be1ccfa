"""Which images have no mask although they should have one: nobody knows what is on them.

That an image has no mask file means two things: where masks were only made of defects, that it has none; where each image
has a mask, or its folder is that of a defect, that the mask is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from coigan_aug.formats.masks.layout import Layout
from coigan_aug.formats.masks.pairing import MaskFile
from coigan_aug.formats.masks.words import SINGLE, is_free, is_share, role_of


def images_without_mask(layout: Layout, *, noted: bool = False) -> list[str]:
    """Return the images whose mask is missing.

    What a layout calls free of defects is; else it says what an image without a mask is, or leaves it to be judged. It is
    missing then where an image has no mask and
    - most images of its folder have one, or all that have one are of the class that the folder is named after;
    - or its folder stands beside those of classes, none of its images has a mask, and its name says neither that its
      images are free of defects (good, ok, MT_Free) nor that they are a share (train);
    - or none of its folder has a mask, while in the others most have one;
    - or there are masks without an image in the set, one of which may be its own, and it lies where others have masks, or no
      folder is that of a class.

    Args:
        noted: the set says by itself that an image without a mask has no defect, as those that are written here do.
    """
    if (noted or layout.bare == "clean") and not layout.orphans:
        return []
    bare = sorted(image for image, masks in layout.images.items() if not masks and image not in layout.clean)
    if layout.bare != "judged":
        return bare
    folders = _folders(layout)
    classes = {path.rpartition("/")[0] for path, images in folders.items() if _is_class(path, images)}
    most = _most_have_one(folders)
    missing = (
        image
        for path, images in folders.items()
        for image in _bare(path, images, classes=classes, orphans=bool(layout.orphans), most=most)
    )
    return sorted(set(missing).intersection(bare))


def _folders(layout: Layout) -> dict[str, dict[str, list[MaskFile]]]:
    """Return the images and their masks by folder."""
    folders: dict[str, dict[str, list[MaskFile]]] = defaultdict(dict)
    for image, masks in layout.images.items():
        folders[image.rpartition("/")[0]][image] = masks
    return folders


def _most_have_one(folders: Mapping[str, Mapping[str, Sequence[MaskFile]]]) -> bool:
    having = [bool(masks) for images in folders.values() if any(images.values()) for masks in images.values()]
    return sum(having) * 2 > len(having)


def _bare(
    path: str, images: Mapping[str, Sequence[MaskFile]], *, classes: set[str], orphans: bool, most: bool
) -> Iterator[str]:
    bare = [image for image, masks in images.items() if not masks]
    parent, _, name = path.rpartition("/")
    if len(bare) < len(images):
        missing = orphans or len(bare) * 2 < len(images) or _is_class(path, images)
    else:
        unpaired = orphans and not classes
        named = parent in classes and not _is_plain(name)
        missing = (unpaired or named or most) and not any(map(is_free, path.split("/")))
    yield from bare if missing else ()


def _is_class(path: str, images: Mapping[str, Sequence[MaskFile]]) -> bool:
    """Tell whether a folder is that of a class: its name is the label of all masks of its images."""
    name = path.rpartition("/")[2].lower()
    labels = {mask.label.lower() for masks in images.values() for mask in masks}
    return labels == {name} and not _is_plain(name) and name != SINGLE


def _is_plain(name: str) -> bool:
    return not name or is_share(name) or bool(role_of(name)[0])

"""Which mask files belong to which image: beside it, in a folder parallel to the images', one a class or an instance."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.source import Problems

SINGLE = "defect"
_MASK_FOLDERS = ("masks", "mask", "ground_truth", "gt", "labels", "annotations", "segmentationclass")
_IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "test")
_ENDINGS = ("_mask", "_gt", "_label", "-mask")
_SHARES = frozenset({"train", "val", "valid", "validation", "test"})
_PLAIN = frozenset({"", "mask", "gt", "label", "instance", "object"})


@dataclass(frozen=True, order=True)
class MaskFile:
    """A mask file: the word for its class, its path, and its number where it is one instance of several ("" if not)."""

    label: str
    path: str
    instance: str = ""


@dataclass(frozen=True)
class Layout:
    """Where things are: the images, each with its mask files; and the masks that have no image."""

    words: str
    root: Path
    images: Mapping[str, list[MaskFile]]
    orphans: tuple[str, ...] = ()

    def masks(self) -> list[MaskFile]:
        """Return all mask files that have an image."""
        return [mask for own in self.images.values() for mask in own]


def find_layout(root: Path, problems: Problems) -> Layout | None:
    """Pair the images below a folder with their masks; None where there are no masks.

    A mask has its image's name, or that with an ending: `_mask`, a class, a number, or a class and a number
    (`x_pit.png`, `x_3.png`, `x_pit_3.png`). It lies beside the image, or below masks/ as the image does below images/;
    a first folder is its class.
    """
    folders = {entry.name.lower(): entry.name for entry in os.scandir(root) if entry.is_dir()}
    masks = next((folders[name] for name in _MASK_FOLDERS if name in folders), None)
    images = next((folders[name] for name in _IMAGE_FOLDERS if name in folders), None)
    folder = ImageFolder(root, problems=problems)
    if masks is not None and images is not None and any(path.startswith(f"{masks}/") for path in folder.paths):
        return _parallel(folder, images, masks)
    layout = _beside(folder)
    return layout if layout.masks() else None


def _parallel(folder: ImageFolder, images: str, masks: str) -> Layout:
    """Pair images/<path> with masks/<path> or masks/<class>/<path>."""
    found: dict[str, list[MaskFile]] = {path: [] for path in folder.paths if path.startswith(f"{images}/")}
    stems = {path.partition("/")[2].rpartition(".")[0]: path for path in found}
    orphans = []
    for mask in (path for path in folder.paths if path.startswith(f"{masks}/")):
        stem = mask.partition("/")[2].rpartition(".")[0]
        own = _of_image(mask, stem, stems)
        if own is None:
            orphans.append(mask)
        else:
            found[own[0]].append(own[1])
    return Layout(f"{images}/ and {masks}/", folder.root, found, tuple(orphans))


def _of_image(mask: str, stem: str, stems: Mapping[str, str]) -> tuple[str, MaskFile] | None:
    """Find the image of a mask by its name with and without the first folder, which is then its class."""
    label, below = _class_of(stem), stem.partition("/")[2]
    for name in (stem, below):
        own = next((stems[plain] for plain in _without_ending(name) if plain in stems), None)
        if own is not None:
            return own, MaskFile(label, mask)
    for name in (stem, below):
        for start, ending in _cuts(name):
            word, number = _told(ending)
            fits = name == stem or not word or word.lower() == label.lower()
            if start in stems and fits:
                return stems[start], MaskFile((word if name == stem else "") or label, mask, number)
    return None


def _without_ending(name: str) -> Iterator[str]:
    yield name
    yield from (name.removesuffix(end) for end in _ENDINGS if name.endswith(end))


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name's beginnings and endings round each `_` and `-` of its last part, the longest beginning first."""
    first = name.rfind("/") + 1
    for k in range(len(name) - 1, first, -1):
        if name[k] in "_-":
            yield name[:k], name[k + 1 :]


def _told(ending: str) -> tuple[str, str]:
    """Part a name's ending into the word for a class and a number; "" for what it does not say.

    >>> _told("pit_3"), _told("mask_3"), _told("big_dent")
    (('pit', '3'), ('', '3'), ('big_dent', ''))
    """
    match = re.fullmatch(r"(?:(.*)[_-])?([0-9]+)", ending)
    word, number = (match[1] or "", match[2]) if match else (ending, "")
    return ("" if word.lower() in _PLAIN else word), number


# Beside


def _beside(folder: ImageFolder) -> Layout:
    """Pair each image with the masks beside it; a class is the first folder below the root, if the name says none."""
    masks = _masks_by_name(folder)
    taken = {mask.path for own in masks.values() for mask in own}
    found = {image: _own_masks(image, folder, masks) for image in folder.images() if image not in taken}
    classes = sorted({image.partition("/")[0] for image in found if "/" in image})
    words = f"masks beside images, {f'a folder a class: {len(classes)}' if classes else 'one class'}"
    if taken:
        words = "masks beside images, by the ends of their names"
    return Layout(words, folder.root, found)


def _own_masks(image: str, folder: ImageFolder, masks: Mapping[str, list[MaskFile]]) -> list[MaskFile]:
    stem = image.rpartition(".")[0]
    same = (stem + end for end in (".png", ".PNG") if stem + end in folder.masks)
    return [MaskFile(_class_of(image), mask) for mask in same] + masks.get(image, [])


def _class_of(path: str) -> str:
    """Return the word for a class that the first folder of a path gives; folders of a share (train, val) give none."""
    first = path.partition("/")[0] if "/" in path else SINGLE
    return SINGLE if first.lower() in _SHARES else first


def _masks_by_name(folder: ImageFolder) -> dict[str, list[MaskFile]]:
    """Return image -> masks whose names say so: `x_mask` of whatever kind, and `x_pit_3.png` where x is no .png."""
    stems = {path.rpartition(".")[0]: path for path in folder.images()}
    others = {stem: path for stem, path in stems.items() if not path.lower().endswith(".png")}
    found: dict[str, list[MaskFile]] = {}
    for mask in folder.images():
        name = mask.rpartition(".")[0]
        image = next((stems[plain] for plain in list(_without_ending(name))[1:] if plain in stems), None)
        if image is not None:
            found.setdefault(image, []).append(MaskFile(_class_of(image), mask))
        elif mask.lower().endswith(".png"):
            cut = next(((others[start], _told(ending)) for start, ending in _cuts(name) if start in others), None)
            if cut is not None:
                image, (word, number) = cut
                found.setdefault(image, []).append(MaskFile(word or _class_of(image), mask, number))
    return found

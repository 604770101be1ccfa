"""Mask images: beside their images, in a folder parallel to theirs, or one folder a class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.formats.image_folder import ImageFolder, measure
from coigan_aug.formats.losses import Losses, add_class_ids, class_masks
from coigan_aug.formats.mask_values import GreyEdges, class_values, read_masks
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes
from coigan_aug.imaging import encode_image

LOSES = "which masks of one class in an image are objects of their own, and the classes' ids"
SINGLE = "defect"
_MASK_FOLDERS = ("masks", "mask", "ground_truth", "gt", "labels", "annotations", "segmentationclass")
_IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "test")
_ENDINGS = ("_mask", "_gt", "_label", "-mask")


@dataclass(frozen=True)
class _Layout:
    """Where things are: the images, each with its mask files and the folder that names their class."""

    words: str
    root: Path
    images: dict[str, list[tuple[str, str]]]
    orphans: tuple[str, ...] = ()


def sniff(path: Path) -> str | None:
    """Describe the folder if it holds images and masks in one of the layouts, else return None."""
    if not path.is_dir():
        return None
    layout = _layout(path, Problems())
    return layout.words if layout is not None else None


def read(path: Path, *, options: ReadOptions, problems: Problems) -> Source:
    """Open a folder of images and masks. A mask's pixels are those above 127, or the values and colours of --classes.

    A class is a folder's name, without what all class folders begin with, in lower case. A class folder whose
    masks are all empty is the defect-free one and no class. Images without a mask are defect-free.

    Raises:
        DataError: no layout fits, a mask has values or colours without a class, or another size than its image;
            a missing or broken file.
    """
    root = path if options.images is None else options.images
    layout = _layout(root, problems)
    if layout is None:
        what = f"{root} holds no images with masks (a .png of the same name, or a folder masks/ beside images/)."
        raise DataError(what, remedy="--format says what it is, if it is another format.")
    for orphan in layout.orphans:
        problems.add(f"the mask {orphan} has no image", file=f"{root.name}/", done="left out")
    names, classes = _classes(layout, options)
    return Source(
        format="mask-folder",
        description=f"Mask images ({layout.words}). Images: {root}/",
        classes=classes,
        image_root=root,
        count=len(layout.images),
        records=_records(layout, names=names, classes=classes, options=options, problems=problems),
    )


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/masks/<class>/<image's path>.png`, 0 and 255, a file for each class in an image; return `out/masks`.

    Of the image's path a first folder named images/ is left off.
    """
    losses = losses or Losses()
    add_class_ids(losses, classes, [None] * len(classes))
    for defect_class in classes:
        (out / "masks" / _folder_name(defect_class.name)).mkdir(parents=True, exist_ok=True)
    for record in records:
        stem = record.file.rpartition(".")[0].removeprefix("images/")
        losses.add_attributes(record)
        for label, mask in class_masks(record, losses):
            pixels = encode_image(rle.decode(mask) * 255, suffix=".png")
            write_bytes(out / "masks" / _folder_name(label) / f"{stem}.png", pixels)
    return out / "masks"


def _folder_name(name: str) -> str:
    """Return a class name as a folder's name: signs that a path can't hold become `_`."""
    plain = "".join("_" if sign in '/\\:*?"<>|\0' else sign for sign in name)
    return plain if plain.strip(". ") else f"_{plain}"


# Layouts


def _layout(root: Path, problems: Problems) -> _Layout | None:
    folders = {entry.name.lower(): entry.name for entry in os.scandir(root) if entry.is_dir()}
    masks = next((folders[name] for name in _MASK_FOLDERS if name in folders), None)
    images = next((folders[name] for name in _IMAGE_FOLDERS if name in folders), None)
    folder = ImageFolder(root, problems=problems)
    if masks is not None and images is not None:
        return _parallel(folder, images, masks)
    if not folder.masks:
        return None
    return _beside(folder)


def _beside(folder: ImageFolder) -> _Layout:
    """Pair each image with the .png of its name; a class is the first folder below the root, if there is one."""
    found = {image: _own_mask(image, folder) for image in folder.images()}
    classes = sorted({image.partition("/")[0] for image in found if "/" in image})
    words = f"masks beside images, {f'a folder a class: {len(classes)}' if classes else 'one class'}"
    return _Layout(words, folder.root, found)


def _own_mask(image: str, folder: ImageFolder) -> list[tuple[str, str]]:
    label = image.partition("/")[0] if "/" in image else SINGLE
    mask = next(
        (image.rpartition(".")[0] + end for end in (".png", ".PNG") if image.rpartition(".")[0] + end in folder), None
    )
    return [(label, mask)] if mask is not None else []


def _parallel(folder: ImageFolder, images: str, masks: str) -> _Layout:
    """Pair images/<path> with masks/<path> or masks/<class>/<path>; a first folder in masks/ is the class."""
    found: dict[str, list[tuple[str, str]]] = {path: [] for path in folder.paths if path.startswith(f"{images}/")}
    stems = {path.partition("/")[2].rpartition(".")[0]: path for path in found}
    orphans = []
    for mask in (path for path in folder.paths if path.startswith(f"{masks}/")):
        stem = mask.partition("/")[2].rpartition(".")[0]
        label, below = stem.rpartition("/")[0].partition("/")[0], stem.partition("/")[2]
        image = next((stems[name] for name in _names(stem, below) if name in stems), None)
        if image is None:
            orphans.append(mask)
        else:
            found[image].append((label or SINGLE, mask))
    return _Layout(f"{images}/ and {masks}/", folder.root, found, tuple(orphans))


def _names(stem: str, below: str) -> Iterator[str]:
    for name in (stem, below):
        yield name
        yield from (name.removesuffix(end) for end in _ENDINGS if name.endswith(end))


# Classes and records


def _classes(layout: _Layout, options: ReadOptions) -> tuple[dict[str, str], tuple[DefectClass, ...]]:
    """Return folder -> class name ("" for a defect-free one) and the classes."""
    folders = sorted({label for pairs in layout.images.values() for label, _ in pairs})
    if any(choice.value for choice in options.classes):
        values = class_values(options.classes)
        source_ids = [value if isinstance(value, int) else None for value in values]
        return {}, make_classes(list(values.values()), source_ids=source_ids)
    filled = [label for label in folders if _has_defects(layout, label, options)]
    names = dict(zip(filled, _plain_names(folders, filled), strict=True))
    if options.classes:
        names = _chosen(names, options)
    return dict.fromkeys(folders, "") | names, make_classes(list(names.values()), source_ids=[None] * len(names))


def _has_defects(layout: _Layout, label: str, options: ReadOptions) -> bool:
    folder = ImageFolder(layout.root, problems=Problems())
    own = (mask for pairs in layout.images.values() for found, mask in pairs if found == label)
    whole = (mask for mask in own if measure(folder, mask, options=options, problems=Problems()) is not None)
    return any(read_masks(layout.root / mask, values={}, edges=GreyEdges()) for mask in whole)


def _plain_names(folders: Sequence[str], filled: Sequence[str]) -> list[str]:
    """Name the class folders: without their common beginning (up to a separator), in lower case.

    >>> _plain_names(["MT_Break", "MT_Crack"], ["MT_Crack"])
    ['crack']
    """
    words = re.match(r".*[_\-. ]", folders[0]) if len(folders) > 1 else None
    cut = len(words[0]) if words else 0
    while not all(label.startswith(folders[0][:cut]) for label in folders):
        cut = max(folders[0].rfind(sign, 0, cut - 1) + 1 for sign in "_-. ")
    names = [label[cut:].lower() or label.lower() for label in filled]
    return names if len(set(names)) == len(names) else list(filled)


def _chosen(names: Mapping[str, str], options: ReadOptions) -> dict[str, str]:
    given = [choice.name for choice in options.classes]
    if len(names) == 1 and len(given) == 1:
        return dict.fromkeys(names, given[0])
    unknown = [name for name in names.values() if name not in given]
    if unknown:
        raise DataError(
            f"The folder of class {unknown[0]} is not among the classes {','.join(given)} given with --classes."
        )
    return {label: name for name in given for label, own in names.items() if own == name}


def _records(
    layout: _Layout,
    *,
    names: Mapping[str, str],
    classes: Sequence[DefectClass],
    options: ReadOptions,
    problems: Problems,
) -> Iterator[ImageRecord]:
    folder = ImageFolder(layout.root, problems=Problems())
    values = class_values(options.classes)
    edges = GreyEdges()
    for image, pairs in sorted(layout.images.items()):
        files = [image, *(mask for _, mask in pairs)]
        sizes = [measure(folder, file, options=options, problems=problems, said=image) for file in files]
        if any(size is None for size in sizes):
            continue
        whole = False
        found: dict[str, list[rle.Rle]] = {}
        with problems.attempt(file=image, done="image left out"):
            height, width = _common_size(files, [size for size in sizes if size is not None])
            for label, mask in pairs:
                own = read_masks(layout.root / mask, values=values, edges=edges)
                if not own and names.get(label):
                    problems.add("the mask is empty", file=mask, done="image kept, without this defect")
                for name, part in own.items():
                    found.setdefault(name or names[label], []).append(part)
            whole = True
        if not whole:
            continue
        annotations = tuple(Annotation(label=c.name, rle=rle.union(found[c.name])) for c in classes if c.name in found)
        yield ImageRecord(file=image, height=height, width=width, annotations=annotations)
    edges.note(problems)


def _common_size(files: Sequence[str], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of an image (the first file) and its masks, which must be the same."""
    for mask, size in zip(files[1:], sizes[1:], strict=True):
        if size != sizes[0]:
            found, wanted = (f"{height} x {width}" for height, width in (size, sizes[0]))
            raise DataError(f"the mask {mask} is {found} pixels, its image {files[0]} is {wanted} (height x width).")
    return sizes[0]

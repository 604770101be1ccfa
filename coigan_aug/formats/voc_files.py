"""The folders of a Pascal VOC data set: which image has which masks, and which list it is in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.files import inside
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.source import Problems, ReadOptions, place

CLASSES, OBJECTS, ANNOTATIONS = "SegmentationClass", "SegmentationObject", "Annotations"
LISTS = ("ImageSets", "Segmentation")
IMAGES = "JPEGImages"
_IMAGE_FOLDERS = (IMAGES.lower(), "images", "image", "img", "imgs")
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """An image: its path below the image folder, its masks of classes and objects, its XML, the list it is in."""

    image: str
    classes: Path | None
    objects: Path | None
    about: Path | None
    split: str = ""


@dataclass
class Layout:
    """A data set: its folder, that of its images, and the images, each by its path without the suffix."""

    home: Path
    folder: ImageFolder
    items: dict[str, Item] = field(default_factory=dict)


def find_folder(home: Path, name: str) -> Path | None:
    """Return a folder below another by its name, in whatever case; None where there is none."""
    with os.scandir(home) as entries:
        found = sorted(entry.name for entry in entries if entry.name.lower() == name.lower() and entry.is_dir())
    return home / found[0] if found else None


def open_layout(home: Path, *, options: ReadOptions, problems: Problems) -> Layout:
    """Find the images of a data set with their masks: those that are listed or have a mask of classes.

    Without lists all images count. A listed image without a mask is defect-free, unless no image of its list has one.

    Raises:
        DataError: there is no SegmentationClass/, an image is missing, or two have one name.
    """
    classes = _files(home, CLASSES, problems)
    objects, about = _files(home, OBJECTS, problems), find_folder(home, ANNOTATIONS)
    layout = Layout(home, ImageFolder(_image_root(home, options), problems=problems))
    stems = _stems(layout.folder)
    lists = _lists(home, stems, problems)
    wanted = dict.fromkeys([*lists, *classes]) if lists else dict.fromkeys([*stems, *classes])
    missing = [name for name in wanted if name not in stems]
    _note_missing(missing, layout, options, problems)
    for name in sorted(set(wanted) - set(missing)):
        found = classes.get(name)
        xml = _existing(about, f"{name}.xml") if about is not None else None
        layout.items[name] = Item(stems[name], found, objects.get(name), xml, lists.get(name, ""))
    _leave_out_unknown(layout, problems)
    return layout


def _image_root(home: Path, options: ReadOptions) -> Path:
    if options.images is not None:
        return options.images
    found = (find_folder(home, name) for name in _IMAGE_FOLDERS)
    return next((folder for folder in found if folder is not None), home)


def _files(home: Path, name: str, problems: Problems) -> dict[str, Path]:
    """Return the masks of a folder by their paths without the suffix."""
    folder = find_folder(home, name)
    if folder is None:
        return {}
    own = ImageFolder(folder, problems=problems)
    return {path.rpartition(".")[0]: folder / path for path in own.paths}


def _existing(folder: Path, name: str) -> Path | None:
    return inside(folder, name) if (folder / name).is_file() else None


def _stems(folder: ImageFolder) -> dict[str, str]:
    found: dict[str, str] = {}
    own = f"{CLASSES}/", f"{OBJECTS}/"
    for path in folder.images():
        stem = path.rpartition(".")[0]
        if path.startswith(own):
            continue
        if stem in found:
            raise DataError(f"the images {found[stem]} and {path} in {folder.root.name}/ have one name, {stem}.")
        found[stem] = path
    return found


def _note_missing(missing: list[str], layout: Layout, options: ReadOptions, problems: Problems) -> None:
    where = f"{layout.folder.root.name}/"
    if missing and not options.skip_missing:
        many = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise DataError(f"the image {missing[0]}{many} is not in {where}", remedy="--images DIR, or --skip-missing")
    for name in missing:
        problems.add(f"the image {name} is not there", file=where, done="left out")


def _leave_out_unknown(layout: Layout, problems: Problems) -> None:
    """Leave out the images of a list none of which has a mask (VOC's test lists); note other images without one."""
    masked = {item.split for item in layout.items.values() if item.classes is not None}
    for split in dict.fromkeys(item.split for item in layout.items.values() if item.classes is None):
        bare = [name for name, item in layout.items.items() if item.classes is None and item.split == split]
        known = split not in _SPLITS or split in masked
        words = f"{len(bare):,} images{f' of {split}.txt' if split else ''} have no mask (first: {bare[0]})"
        problems.add(words, file=f"{CLASSES}/", done="taken as defect-free" if known else "left out, not annotated")
        if not known:
            for name in bare:
                del layout.items[name]


# Lists


def _lists(home: Path, stems: Mapping[str, str], problems: Problems) -> dict[str, str]:
    """Return image name -> "train", "val", "test", or "" where another list alone names it; {} where there are none."""
    folder = home.joinpath(*LISTS)
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    found: dict[str, str] = {}
    for file in sorted(files, key=lambda file: file.stem not in _SPLITS):
        split = file.stem if file.stem in _SPLITS else ""
        for name in _names(file, stems):
            found.setdefault(name, split)
    return found


def _names(file: Path, stems: Mapping[str, str]) -> Iterator[str]:
    try:
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}.") from error
    for row, line in enumerate(lines, start=1):
        name = line.strip().strip('"').replace("\\", "/")
        if name:
            first = name.split()[0]
            known = next((own for own in (name, name.rpartition(".")[0], first) if own in stems), None)
            if known is None and (".." in name.split("/") or name.startswith("/")):
                raise DataError(f"{place(file.name, row)}  the name {name[:60]!r} leaves the image folder.")
            yield known or name

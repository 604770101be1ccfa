"""The folders of a Pascal VOC data set: which image has which masks, and which list it is in."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.files import inside, read_text
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import STATE_UNKNOWN, place

CLASSES, OBJECTS, ANNOTATIONS = "SegmentationClass", "SegmentationObject", "Annotations"
LISTS = ("ImageSets", "Segmentation")
IMAGES = "JPEGImages"
_IMAGE_FOLDERS = (IMAGES.lower(), "images", "image", "img", "imgs")
_SPLITS = ("train", "val", "test")
_XML = ".xml"


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
    """A data set: the folder that is read, that of its images, and the images, each by its path without the suffix."""

    reading: Reading
    folder: ImageFolder
    items: dict[str, Item] = field(default_factory=dict)


def find_folder(home: Path, name: str) -> Path | None:
    """Return a folder below another by its name, in whatever case; None where there is none."""
    with os.scandir(home) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lower() == name.lower() and entry.is_dir())
    return home / names[0] if names else None


def open_layout(reading: Reading) -> Layout:
    """Find the images of a data set with their masks: those that are listed or have a mask of classes.

    Without lists all images count. A listed image without a mask is of unknown state, since a defect-free one has an empty
    mask here; where no image of its list has one, it is left out.

    Raises:
        DataError: there is no SegmentationClass/, an image is missing, or two have one name.
    """
    classes, objects = _masks(reading, CLASSES), _masks(reading, OBJECTS)
    about = find_folder(reading.path, ANNOTATIONS)
    layout = _open(reading)
    stems = _stems(layout.folder)
    for name, split in _splits(layout, stems, classes).items():
        known = about is not None and (about / f"{name}.xml").is_file()
        xml = inside(about, f"{name}.xml") if about is not None and known else None
        layout.items[name] = Item(stems[name], classes.get(name), objects.get(name), xml, split)
    _leave_out_unknown(layout, classes, lack="mask", done=STATE_UNKNOWN, where=f"{CLASSES}/")
    return layout


def open_described(reading: Reading) -> Layout:
    """Find the images of a data set without masks, in which XML files stand for them: as `open_layout` does.

    A listed image without an XML file is defect-free: tools write none for an image on which nothing was drawn.
    An image's XML file lies beside it, in Annotations/ where the image is in images/, or in the data set's own folder.

    Raises:
        DataError: an XML file's image is missing, or two images have one name.
    """
    layout = _open(reading)
    stems = _stems(layout.folder)
    about = _described(layout, stems)
    for name, split in _splits(layout, stems, about).items():
        xml = inside(reading.path, about[name]) if name in about else None
        layout.items[name] = Item(stems[name], None, None, xml, split)
    _leave_out_unknown(layout, about, lack="XML file", done="taken as defect-free", where=f"{reading.name}/")
    return layout


def _open(reading: Reading) -> Layout:
    root = reading.options.images
    if root is None:
        folders = (find_folder(reading.path, name) for name in _IMAGE_FOLDERS)
        root = next((folder for folder in folders if folder is not None), reading.path)
    return Layout(reading, ImageFolder(root, problems=reading.problems))


def _splits(layout: Layout, stems: Mapping[str, str], marked: Iterable[str]) -> dict[str, str]:
    """Return the names of the images that are listed (all where there are no lists) or marked, each with its split."""
    lists = _lists(layout.reading.path, stems)
    names = dict.fromkeys([*(lists or stems), *marked])
    missing = [name for name in names if name not in stems]
    _note_missing(layout, missing)
    return {name: lists.get(name, "") for name in sorted(set(names) - set(missing))}


def _masks(reading: Reading, name: str) -> dict[str, Path]:
    """Return the masks of a folder by their paths without the suffix."""
    folder = find_folder(reading.path, name)
    if folder is None:
        return {}
    return {path.rpartition(".")[0]: folder / path for path in ImageFolder(folder, problems=reading.problems).paths}


def xml_files(home: Path) -> dict[str, str]:
    """Return the XML files below a folder, relative to it, by their paths without the suffix."""
    files = {}
    for folder, folders, names in os.walk(home):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(_XML) and (Path(folder) / name).is_file():
                path = (Path(folder) / name).relative_to(home).as_posix()
                files[path[: -len(_XML)]] = path
    return files


def _described(layout: Layout, stems: Iterable[str]) -> dict[str, str]:
    """Return the XML files, relative to the data set, by their images' names; those of no image by their own."""
    home, root = layout.reading.path.resolve(), layout.folder.root.resolve()
    before = root.relative_to(home).as_posix() + "/" if root != home and root.is_relative_to(home) else ""
    files, described = xml_files(layout.reading.path), {}
    for stem in stems:
        name = next((name for name in _xml_names(before + stem, stem) if name in files), None)
        if name is not None:
            described[stem] = files.pop(name)
    return files | described


def _xml_names(path: str, stem: str) -> Iterator[str]:
    """Yield where the XML file of an image may lie, without the suffix.

    Args:
        path: the image's, relative to the data set where it lies there.
        stem: the same relative to the folder of the images.
    """
    *folders, name = path.split("/")
    yield path
    for folder in (ANNOTATIONS, ANNOTATIONS.lower()):
        yield "/".join([*(folder if part.lower() in _IMAGE_FOLDERS else part for part in folders), name])
        yield f"{folder}/{stem}"
    yield stem


def _stems(folder: ImageFolder) -> dict[str, str]:
    images: dict[str, str] = {}
    mask_folders = f"{CLASSES}/", f"{OBJECTS}/"
    for path in folder.images():
        stem = path.rpartition(".")[0]
        if path.startswith(mask_folders):
            continue
        if stem in images:
            raise DataError(f"the images {images[stem]} and {path} in {folder.root.name}/ have one name, {stem}.")
        images[stem] = path
    return images


def _note_missing(layout: Layout, missing: list[str]) -> None:
    where = f"{layout.folder.root.name}/"
    if missing and not layout.reading.options.skip_missing:
        many = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise DataError(f"the image {missing[0]}{many} is not in {where}", remedy="--images DIR, or --skip-missing")
    for name in missing:
        layout.reading.problems.add(f"the image {name} is not there", file=where, done="left out")


def _leave_out_unknown(layout: Layout, marked: Container[str], *, lack: str, done: str, where: str) -> None:
    """Leave out the images of a list none of which is marked (VOC's test lists); note other images that are not.

    Args:
        done: what is done with those others.
    """
    known_splits = {item.split for name, item in layout.items.items() if name in marked}
    for split in dict.fromkeys(item.split for name, item in layout.items.items() if name not in marked):
        bare = [name for name, item in layout.items.items() if name not in marked and item.split == split]
        known = split not in _SPLITS or split in known_splits
        words = f"{len(bare):,} images{f' of {split}.txt' if split else ''} have no {lack} (first: {bare[0]})"
        layout.reading.problems.add(words, file=where, done=done if known else "left out, not annotated")
        for name in bare:
            if not known:
                del layout.items[name]
            elif done == STATE_UNKNOWN:
                layout.reading.problems.lose(layout.items[name].image)


# Lists


def _lists(home: Path, stems: Mapping[str, str]) -> dict[str, str]:
    """Return image name -> "train", "val", "test", or "" where another list alone names it; {} where there are none."""
    folder = home.joinpath(*LISTS)
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    splits: dict[str, str] = {}
    for file in sorted(files, key=lambda file: file.stem not in _SPLITS):
        split = file.stem if file.stem in _SPLITS else ""
        for name in _names(file, stems):
            splits.setdefault(name, split)
    return splits


def _names(file: Path, stems: Mapping[str, str]) -> Iterator[str]:
    for row, line in enumerate(read_text(file).splitlines(), start=1):
        name = line.strip().strip('"').replace("\\", "/")
        if name:
            first = name.split()[0]
            known = next((spelling for spelling in (name, name.rpartition(".")[0], first) if spelling in stems), None)
            if known is None and (".." in name.split("/") or name.startswith("/")):
                raise DataError(f"{place(file.name, row)}  the name {name[:60]!r} leaves the image folder.")
            yield known or name

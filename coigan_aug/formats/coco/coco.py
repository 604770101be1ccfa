"""COCO instances: polygons, uncompressed and compressed run lengths, crowd or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.coco import panoptic
from coigan_aug.formats.coco.entries import categories_of, identity, images_of, meant, sizes_of
from coigan_aug.formats.coco.extents import note_odd_extents
from coigan_aug.formats.coco.file import CocoFile, Entry
from coigan_aug.formats.coco.masks import masks_of
from coigan_aug.formats.coco.writing import OWN, write
from coigan_aug.formats.drawn import Place
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, open_images, resolve
from coigan_aug.formats.image_sizes import check_size, measure
from coigan_aug.formats.json_files import both_ends
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, Source

__all__ = ["COCO", "read", "sniff", "write"]

_KEYS = re.compile(rb'"(annotations|images|categories)"\s*:')
_OF_IMAGE = frozenset({"id", "file_name", "height", "width"})
_BATCH = 800_000  # bytes of annotations that are read at once, an image and an annotation counting for some
_IMAGE, _ENTRY = 500, 1_000
_ANEW = "told apart by their images"
_NAN = "fields are NaN or Infinity, which JSON has not"
_Item = dict[str, Any]


def sniff(path: Path) -> str | None:
    """Describe the file if it begins like a COCO file, else return None."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return None
    start, end = both_ends(path)
    known = _KEYS.search(start) or _KEYS.search(end)
    return "COCO JSON" if start.startswith(b"{") and known else None


def read(reading: Reading) -> Source:
    """Open a COCO file and its images; annotations without a mask are dropped. Of a panoptic one pictures hold the masks.

    Areas and boxes in it are not trusted, and noted where they can't be those of their masks.

    The file's form and its ids are checked here; masks stay on disk until the records are read. Image ids and whatever
    plain value an image has beside are kept in `record.source`, annotation ids and whatever else an annotation said in
    its attributes.

    Raises:
        DataError: it is not such a file, an id is unknown or used twice, a mask does not fit its image,
            an image is missing, broken or of another size; the message names the entry.
    """
    if panoptic.holds_segments(reading.path):
        return panoptic.read(reading)
    file = CocoFile(reading.path)
    reading.problems.count(_NAN, file=file.name, done="taken as not there", count=file.missing)
    images = images_of(file.images, file.name)
    heading = _heading(file)
    labels, classes = categories_of(reading, [item for item in file.categories if item is not heading])
    entries = _by_image(reading, file.entries, images, labels)
    _drop_boxes(reading, entries, images)
    rows: dict[str, int | None] = {item["file_name"]: None for item in images.values()}
    folder, where = open_images(reading, rows, sizes=sizes_of(images))
    paths = resolve(reading, folder, rows)
    number = sum(len(items) for items in entries.values())
    contents = f"{len(images):,} images, {number:,} masks, {len(classes)} classes"
    contents += f"; {heading['name']} is no class, it heads the others" if heading else ""
    return Source(
        format="coco",
        description=f"COCO JSON ({contents}). Images: {where}",
        classes=classes,
        image_root=folder.root,
        count=len(images),
        records=_records(_Opened(reading, file, folder, images, labels), entries, paths),
    )


# Reading the file


def _heading(file: CocoFile) -> _Item | None:
    """Return the category that is none: Roboflow's first, which has no masks and is what all others belong to."""
    headings = [item for item in file.categories if item.get("supercategory") == "none"]
    if len(headings) != 1 or len(file.categories) == 1:
        return None
    heading = headings[0]
    above = {str(item.get("supercategory")) for item in file.categories if item is not heading}
    used = any(entry.category_id == heading.get("id") for entry in file.entries)
    return heading if above == {heading.get("name")} and not used else None


def _by_image(
    reading: Reading, entries: list[Entry], images: Mapping[int | str, _Item], labels: Mapping[int | str, str]
) -> dict[int | str, list[Entry]]:
    """Sort the annotations by image, having checked their ids; `entries` is emptied on the way.

    Ids that begin anew in each image, as some tools write them, are counted; one that an image has twice is wrong.
    """
    by_image: dict[int | str, list[Entry]] = {}
    seen: dict[int | str, int] = {}
    twice: set[tuple[int | str, int | str]] = set()
    for k, entry in enumerate(entries):
        try:
            _check_ids(entry, k, reading.name, images=images, labels=labels)
            first = seen.setdefault(entry.id, k) if entry.id is not None else k
            if first != k:
                _check_anew(reading, entries, k, first=first, twice=twice)
            by_image.setdefault(entry.image_id, []).append(entry)
        except DataError:
            image = meant(entry.image_id, images) if isinstance(entry.image_id, (int, str)) else ""
            lost = images[image]["file_name"] if image in images else ""
            with reading.problems.attempt(file=reading.name, done="annotation left out", lost=lost):
                raise
    entries.clear()
    return by_image


def _check_ids(
    entry: Entry, k: int, file: str, *, images: Mapping[int | str, _Item], labels: Mapping[int | str, str]
) -> None:
    """Check the ids of an annotation and put the known ones that they mean in their place."""
    entry.id = None if entry.id is None else identity(entry.id, file, "annotations", k, key="id")
    image = identity(entry.image_id, file, "annotations", k, key="image_id")
    entry.image_id = meant(image, images)
    if entry.image_id not in images:
        raise DataError(f"{file}: annotations[{k}] is of image {image!r}, which is not among the images.")
    category = identity(entry.category_id, file, "annotations", k, key="category_id")
    entry.category_id = meant(category, labels)
    if entry.category_id not in labels:
        known = ", ".join(str(label) for label in labels) or "(none)"
        raise DataError(f"{file}: annotations[{k}] has class {category!r}, which is not among the classes {known}.")


def _check_anew(
    reading: Reading, entries: Sequence[Entry], k: int, *, first: int, twice: set[tuple[int | str, int | str]]
) -> None:
    """Note that an annotation has the id of an earlier one, of another image.

    Args:
        twice: image and id of all such annotations so far.

    Raises:
        DataError: the two are of one image.
    """
    file, entry = reading.name, entries[k]
    if (entry.image_id, entry.id) in twice or entries[first].image_id == entry.image_id:
        of = f"annotations[{first}]" if entries[first].image_id == entry.image_id else "another of its image"
        raise DataError(f"{file}: annotations[{k}] has the id {entry.id!r}, which {of} has too.")
    twice.add((entry.image_id, entry.id))
    where = f"annotations[{k}] has the id {entry.id!r}, which annotations[{first}] of another image has too"
    reading.problems.count("annotations have an id that one of another image has", file=file, first=where, done=_ANEW)


def _drop_boxes(reading: Reading, by_image: dict[int | str, list[Entry]], images: Mapping[int | str, _Item]) -> None:
    """Drop the annotations that have no mask, and note how many they were."""
    dropped = 0
    first: Any = None
    for image, entries in by_image.items():
        kept = [entry for entry in entries if entry.masked]
        if len(kept) < len(entries):
            first = first if dropped else next(entry for entry in entries if not entry.masked).id
            dropped += len(entries) - len(kept)
            by_image[image] = kept
            reading.problems.lose(images[image]["file_name"])
    if dropped:
        what = f"{dropped:,} annotations have a box and no mask (first: id {first!r})"
        reading.problems.add(what, file=reading.name, done=DROPPED)


# Records


@dataclass(frozen=True)
class _Opened:
    """A file whose form was checked: its images by their ids, the folder they lie in, and class names by category id."""

    reading: Reading
    file: CocoFile
    folder: ImageFolder
    images: Mapping[int | str, _Item]
    labels: Mapping[int | str, str]


@dataclass(frozen=True)
class _Waiting:
    """An image whose masks are yet to be read: its entry in the file, its path, its size, and their entries."""

    item: _Item
    path: str
    height: int
    width: int
    entries: Sequence[Entry]


def _records(
    opened: _Opened, by_image: dict[int | str, list[Entry]], paths: Mapping[str, str]
) -> Iterator[ImageRecord]:
    """Yield the records; the masks of several images are read at once."""
    waiting: list[_Waiting] = []
    weight = 0
    for number, item in opened.images.items():
        path = paths.get(item["file_name"])
        size = _size(opened, item, path) if path else None
        if path is None or size is None:
            continue
        waiting.append(_Waiting(item, path, *size, by_image.pop(number, [])))
        weight += _IMAGE + sum(_ENTRY + entry.size for entry in waiting[-1].entries)
        if weight >= _BATCH:
            yield from _read(opened, waiting)
            waiting, weight = [], 0
    yield from _read(opened, waiting)


def _size(opened: _Opened, item: _Item, path: str) -> tuple[int, int] | None:
    """Return an image's height and width; None where it is left out, which is noted."""
    name, sized = opened.reading.name, "height" in item and "width" in item
    size = measure(opened.reading, opened.folder, path, at=name, sized=sized)
    if size is None:
        return None
    stated = (item.get("height", size[0]), item.get("width", size[1]))
    if stated == size:
        return size
    with opened.reading.problems.attempt(file=name, done="image left out"):
        check_size(size, stated, image=item["file_name"], file=name)
    return None


def _read(opened: _Opened, waiting: Sequence[_Waiting]) -> Iterator[ImageRecord]:
    """Read the masks of images."""
    items = _items(opened, waiting)
    places = [_place(opened, item, image) for image, entries in zip(waiting, items, strict=True) for item in entries]
    every = [item for entries in items for item in entries]
    masks = masks_of([item["segmentation"] for item in every], places)
    note_odd_extents(every, masks, places)
    left = iter(masks)
    for image, entries in zip(waiting, items, strict=True):
        annotations = [_annotation(item, next(left), opened.labels) for item in entries]
        yield ImageRecord(
            file=image.path, height=image.height, width=image.width, source=_source(image),
            annotations=tuple(annotation for annotation in annotations if annotation is not None),
        )  # fmt: skip


def _items(opened: _Opened, waiting: Sequence[_Waiting]) -> list[list[_Item]]:
    """Return the annotations of images; those with a number too large are left out, where errors are collected."""
    try:
        items = iter(opened.file.items([entry for image in waiting for entry in image.entries]))
        return [[next(items) for _ in image.entries] for image in waiting]
    except DataError:
        return [[item for entry in image.entries if (item := _item(opened, entry, image))] for image in waiting]


def _item(opened: _Opened, entry: Entry, image: _Waiting) -> _Item | None:
    lost = image.item["file_name"]
    with opened.reading.problems.attempt(file=opened.file.name, done="annotation left out", lost=lost):
        return opened.file.item(entry)
    return None


def _place(opened: _Opened, item: _Item, image: _Waiting) -> Place:
    file = opened.file.name
    text = f"{file}: annotation {item.get('id', '(no id)')!r}"
    return Place(opened.reading, file, text, image.item["file_name"], image.height, image.width)


def _source(image: _Waiting) -> _Item:
    plain = {key: value for key, value in image.item.items() if isinstance(value, (str, int, float))}
    others = {key: value for key, value in plain.items() if key not in _OF_IMAGE}
    name = image.item["file_name"]
    return others | {"id": image.item["id"]} | ({"name": name} if name != image.path else {})


def _annotation(item: _Item, mask: rle.Rle | None, labels: Mapping[int | str, str]) -> Annotation | None:
    if mask is None:
        return None
    attributes = {key: value for key, value in item.items() if key not in OWN and (key != "iscrowd" or value)}
    if isinstance(item.get("id"), float):
        attributes["id"] = int(item["id"])
    return Annotation(label=labels[meant(item["category_id"], labels)], rle=mask, attributes=attributes)


COCO = Format(
    name="coco",
    sniff=sniff,
    read=read,
    write=write,
    options=frozenset({"polygons", "crowd", "image_ids", "mask_ids", "notes"}),
    keeps=frozenset({"id", "split", "notes"}),
    in_parts=True,
)

"""COCO instances: polygons, uncompressed and compressed run lengths, crowd or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.coco_masks import mask_of
from coigan_aug.formats.coco_writing import OWN, write
from coigan_aug.formats.drawn import Place
from coigan_aug.formats.image_folder import ImageFolder, check_size, measure, open_images, resolve
from coigan_aug.formats.json_files import both_ends, load_object
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes

__all__ = ["KEEPS", "LOSES", "POLYGON_READER", "read", "sniff", "write"]

LOSES = ""
KEEPS = frozenset({"id", "split", "notes"})
POLYGON_READER = "pycocotools, or cv2.fillPoly: `--polygons`"
_KEYS = re.compile(rb'"(annotations|images|categories)"\s*:')
_OF_IMAGE = frozenset({"id", "file_name", "height", "width"})
_Item = dict[str, Any]


def sniff(path: Path) -> str | None:
    """Describe the file if it begins like a COCO file, else return None."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return None
    start, end = both_ends(path)
    known = _KEYS.search(start) or _KEYS.search(end)
    return "COCO JSON" if start.startswith(b"{") and known else None


def read(path: Path, *, options: ReadOptions, problems: Problems) -> Source:
    """Open a COCO file and its images. Areas and boxes in it are not trusted; annotations without a mask are dropped.

    The file is checked here; masks are turned into run lengths as the records are read. Image ids and whatever plain
    value an image has beside are kept in `record.source`, annotation ids and whatever else an annotation said in its
    attributes.

    Raises:
        DataError: it is not such a file, an id is unknown or used twice, a mask does not fit its image,
            an image is missing, broken or of another size; the message names the entry.
    """
    top = load_object(path, kind="a COCO file")
    images = _images(top, path.name)
    labels, classes = _categories(top, path.name, options)
    own = _by_image(_list(top, "annotations", path.name), images, labels, path.name, problems)
    _note_boxes(own, path.name, problems)
    rows: dict[str, int | None] = {item["file_name"]: None for item in images.values()}
    folder, where = open_images(path, rows, options=options, problems=problems, sizes=_sizes(images))
    paths = resolve(folder, rows, file=path.name, options=options, problems=problems)
    number = sum(len(items) for items in own.values())
    return Source(
        format="coco",
        description=f"COCO JSON ({len(images):,} images, {number:,} masks, {len(classes)} classes). Images: {where}",
        classes=classes,
        image_root=folder.root,
        count=len(images),
        records=_records(
            path.name, images, own, labels=labels, folder=folder, paths=paths, options=options, problems=problems
        ),
    )


# Reading the file


def _list(top: _Item, key: str, file: str) -> list[_Item]:
    items = top.get(key, [] if key == "annotations" else None)
    if not isinstance(items, list):
        raise DataError(f"{file} is not a COCO file: it has no list {key!r}.")
    wrong = next((k for k, item in enumerate(items) if not isinstance(item, dict)), None)
    if wrong is not None:
        raise DataError(f"{file}: {key}[{wrong}] is not an object.")
    return items


def _keyed(items: list[_Item], key: str, file: str) -> dict[int | str, _Item]:
    """Index entries by their id, which must be a number or text and unique."""
    found: dict[int | str, _Item] = {}
    places: dict[int | str, int] = {}
    for k, item in enumerate(items):
        own = _identity(item.get("id"), f"{file}: {key}[{k}]", "id")
        if own in found:
            raise DataError(f"{file}: {key}[{k}] has the id {own!r}, which {key}[{places[own]}] has too.")
        found[own], places[own] = item, k
    return found


def _identity(value: Any, at: str, key: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise DataError(f"{at} has no usable {key} ({value!r}).")
    return value


def _images(top: _Item, file: str) -> dict[int | str, _Item]:
    images = _keyed(_list(top, "images", file), "images", file)
    names: dict[str, int | str] = {}
    for own, item in images.items():
        name = item.get("file_name")
        if not isinstance(name, str) or not name:
            raise DataError(f"{file}: image {own!r} has no file_name.")
        if name in names:
            raise DataError(f"{file}: images {names[name]!r} and {own!r} have the same file_name, {name}.")
        names[name] = own
    return images


def _sizes(images: Mapping[int | str, _Item]) -> dict[str, tuple[int, int]] | None:
    """Return the images' heights and widths by name; None where the file does not say them all."""
    found: dict[str, tuple[int, int]] = {}
    for item in images.values():
        height, width = item.get("height"), item.get("width")
        if type(height) is not int or type(width) is not int or min(height, width) < 1:
            return None
        found[item["file_name"]] = height, width
    return found


def _categories(top: _Item, file: str, options: ReadOptions) -> tuple[dict[int | str, str], tuple[DefectClass, ...]]:
    """Return category id -> class name, and the classes in the file's order."""
    categories = _keyed(_list(top, "categories", file), "categories", file)
    names = {own: str(item.get("name", own)) for own, item in categories.items()}
    if options.classes:
        names = _chosen(names, options, file)
    twice = [name for name in names.values() if list(names.values()).count(name) > 1]
    if twice:
        what = f"{file}: several categories are named {twice[0]}."
        raise DataError(what, remedy="Name them: --classes NAME=ID,NAME=ID")
    return names, make_classes(list(names.values()), source_ids=list(names))


def _chosen(names: Mapping[int | str, str], options: ReadOptions, file: str) -> dict[int | str, str]:
    found: dict[int | str, str] = {}
    for choice in options.classes:
        wanted = choice.value or choice.name
        own = [own for own, name in names.items() if (str(own) if choice.value else name) == wanted]
        if not own:
            have = ", ".join(f"{name} ({own})" for own, name in names.items())
            raise DataError(f"{file} has no category {wanted} as --classes says; it has {have or 'none'}.")
        found[own[0]] = choice.name
    return found


def _by_image(
    items: list[_Item],
    images: Mapping[int | str, _Item],
    labels: Mapping[int | str, str],
    file: str,
    problems: Problems,
) -> dict[int | str, list[_Item]]:
    """Sort the annotations by image, having checked their ids; `items` is emptied on the way."""
    own: dict[int | str, list[_Item]] = {}
    seen: dict[int | str, int] = {}
    for k, item in enumerate(items):
        with problems.attempt(file=file, done="annotation left out"):
            _check_ids(item, f"{file}: annotations[{k}]", images, labels)
            number = item.get("id")
            if number is not None and seen.setdefault(number, k) != k:
                at = f"{file}: annotations[{k}]"
                raise DataError(f"{at} has the id {number!r}, which annotations[{seen[number]}] has too.")
            own.setdefault(item["image_id"], []).append(item)
    items.clear()
    return own


def _check_ids(item: _Item, at: str, images: Mapping[int | str, _Item], labels: Mapping[int | str, str]) -> None:
    if item.get("id") is not None:
        _identity(item["id"], at, "id")
    image = _identity(item.get("image_id"), at, "image_id")
    if image not in images:
        raise DataError(f"{at} is of image {image!r}, which is not among the images.")
    category = _identity(item.get("category_id"), at, "category_id")
    if category not in labels:
        known = ", ".join(str(label) for label in labels)
        raise DataError(f"{at} has class {category!r}, which is not among the classes {known or '(none)'}.")


def _note_boxes(own: dict[int | str, list[_Item]], file: str, problems: Problems) -> None:
    """Drop the annotations that have no mask, and note how many they were."""
    dropped = 0
    first: Any = None
    for image, items in own.items():
        kept = [item for item in items if item.get("segmentation")]
        if len(kept) < len(items):
            first = first if dropped else next(item for item in items if not item.get("segmentation")).get("id")
            dropped += len(items) - len(kept)
            own[image] = kept
    if dropped:
        problems.add(f"{dropped:,} annotations have a box and no mask (first: id {first!r})", file=file, done="dropped")


# Records


def _records(
    file: str,
    images: Mapping[int | str, _Item],
    own: dict[int | str, list[_Item]],
    *,
    labels: Mapping[int | str, str],
    folder: ImageFolder,
    paths: Mapping[str, str],
    options: ReadOptions,
    problems: Problems,
) -> Iterator[ImageRecord]:
    for number, item in images.items():
        path = paths.get(item["file_name"])
        sized = "height" in item and "width" in item
        size = measure(folder, path, options=options, problems=problems, said=file, sized=sized) if path else None
        if path is None or size is None:
            continue
        fits = False
        said_size = (item.get("height", size[0]), item.get("width", size[1]))
        with problems.attempt(file=file, done="image left out"):
            check_size(size, said_size, image=item["file_name"], file=file)
            fits = True
        if not fits:
            continue
        at = Place(file, f"{file}: annotation", item["file_name"], *size)
        found = [_annotation(value, labels, at, options=options, problems=problems) for value in own.pop(number, [])]
        annotations = tuple(annotation for annotation in found if annotation is not None)
        others = {key: value for key, value in item.items() if key not in _OF_IMAGE and _is_plain(value)}
        source = others | {"id": number} | ({"name": item["file_name"]} if item["file_name"] != path else {})
        yield ImageRecord(file=path, height=size[0], width=size[1], annotations=annotations, source=source)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _annotation(
    item: _Item, labels: Mapping[int | str, str], at: Place, *, options: ReadOptions, problems: Problems
) -> Annotation | None:
    here = replace(at, text=f"{at.text} {item.get('id', '(no id)')!r}")
    mask = None
    with problems.attempt(file=at.file, done="annotation left out"):
        mask = mask_of(item["segmentation"], here, options=options, problems=problems)
    if mask is None:
        return None
    attributes = {key: found for key, found in item.items() if key not in OWN and (key != "iscrowd" or found)}
    return Annotation(label=labels[item["category_id"]], rle=mask, attributes=attributes)

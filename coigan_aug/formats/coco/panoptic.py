"""COCO panoptic: a file that says of each image which segments it has, and a picture of their numbers.

The number of a pixel's segment is red + 256 green + 65536 blue; 0 belongs to none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import inside
from coigan_aug.formats.coco.entries import categories_of, identity, images_of, meant
from coigan_aug.formats.image_folder import ImageFolder, open_images, resolve
from coigan_aug.formats.image_sizes import check_size, measure, same_size
from coigan_aug.formats.json_files import both_ends, load_object
from coigan_aug.formats.painting import masks_of
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, STATE_UNKNOWN, Source
from coigan_aug.imaging import read_mask

_SEGMENTS = "segments_info"
_BACKGROUND = "background"
_OWN = frozenset({"category_id", "area", "bbox"})
_Item = dict[str, Any]


def holds_segments(path: Path) -> bool:
    """Tell whether a COCO file is a panoptic one."""
    try:
        return any(f'"{_SEGMENTS}"'.encode() in part for part in both_ends(path))
    except OSError:  # told of where it is read
        return False


def read(reading: Reading) -> Source:
    """Open a panoptic file, its images, and the pictures of segments in a folder beside it (of the file's name first).

    Each segment is a mask; those of a category named background are none. An image without a picture is of unknown state.

    Raises:
        DataError: it is not such a file, an id is unknown or used twice, a picture is missing, of another size than its
            image, or has a number that is no segment's.
    """
    file, top = reading.name, load_object(reading.path, kind="a COCO file", nan=True)
    lists = {key: _list(top, key, file) for key in ("images", "categories", "annotations")}
    images = images_of(lists["images"], file)
    labels, classes = categories_of(reading, [item for item in lists["categories"] if not _is_background(item)])
    skipped = {identity(item.get("id"), file, "categories", k, key="id")
               for k, item in enumerate(lists["categories"]) if _is_background(item)}  # fmt: skip
    known = dict[int | str, str | None](labels) | dict.fromkeys(skipped, None)
    pictures: dict[int | str, _Item] = {}
    for k, item in enumerate(lists["annotations"]):
        number = meant(identity(item.get("image_id"), file, "annotations", k, key="image_id"), images)
        if number not in images or number in pictures:
            lack = "has a picture already" if number in pictures else "is not among the images"
            raise DataError(f"{file}: annotations[{k}] is of image {number!r}, which {lack}.")
        if not isinstance(item.get("file_name"), str) or not isinstance(item.get(_SEGMENTS), list):
            raise DataError(
                f"{file}: annotations[{k}] has no picture (file_name) with a list of segments ({_SEGMENTS})."
            )
        pictures[number] = item
    rows: dict[str, int | None] = {item["file_name"]: None for item in images.values()}
    folder, where = open_images(reading, rows)
    return Source(
        format="coco",
        description=f"COCO panoptic ({len(images):,} images, {len(classes)} classes). Images: {where}",
        classes=classes,
        image_root=folder.root,
        count=len(images),
        records=_records(reading, images, pictures, known, folder=folder, paths=resolve(reading, folder, rows)),
    )


def _list(top: _Item, key: str, file: str) -> list[_Item]:
    items = top.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(f"{file} is not a COCO file: it has no list of objects {key!r}.")
    return items


def _is_background(item: _Item) -> bool:
    return str(item.get("name", "")).strip("_ ").lower() == _BACKGROUND


def _records(
    reading: Reading, images: Mapping[int | str, _Item], pictures: Mapping[int | str, _Item],
    labels: Mapping[int | str, str | None], *, folder: ImageFolder, paths: Mapping[str, str],
) -> Iterator[ImageRecord]:  # fmt: skip
    home = _folder_of([item["file_name"] for item in pictures.values()], reading.path, folder.root)
    for number, item in images.items():
        name, picture = item["file_name"], pictures.get(number)
        path = paths.get(name)
        size = (
            measure(reading, folder, path, at=reading.name, sized="height" in item and "width" in item)
            if path
            else None
        )
        if path is None or size is None:
            continue
        check_size(size, (item.get("height", size[0]), item.get("width", size[1])), image=name, file=reading.name)
        if picture is None:
            what = "images have no picture of their segments"
            reading.problems.count(what, file=reading.name, first=name, done=STATE_UNKNOWN, lost=name)
        drawn = _annotations(reading, picture, labels, image=name, size=size, home=home) if picture is not None else ()
        source = {"id": item["id"]} | ({"name": name} if name != path else {})
        yield ImageRecord(file=path, height=size[0], width=size[1], annotations=tuple(drawn), source=source)


def _folder_of(names: list[str], path: Path, images: Path) -> Path:
    """Return the folder of the pictures: named like the file, or any beside it that has the first, but that of the images."""
    beside = sorted(entry for entry in path.resolve().parent.iterdir() if entry.is_dir())
    others = [entry for entry in beside if entry != images.resolve()]
    named = [entry for entry in others if path.stem.lower() in entry.name.lower() or "panoptic" in entry.name.lower()]
    places = [path.with_suffix(""), *named, *others, path.parent, images]
    return next((place for place in places if names and _is_there(place / names[0])), path.parent)


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _annotations(
    reading: Reading, picture: _Item, labels: Mapping[int | str, str | None], *, image: str, size: tuple[int, int],
    home: Path,
) -> Iterator[Annotation]:  # fmt: skip
    name, file = picture["file_name"], reading.name
    place = inside(home, name)
    if not _is_there(place):
        raise DataError(f"the picture {name} of the segments of {image} is not in {home}.", remedy=_where(reading))
    numbers = _numbers(read_mask(place))
    same_size([image, name], [size, (numbers.shape[0], numbers.shape[1])])
    masks, seen = masks_of(numbers), set[int]()
    for k, segment in enumerate(picture[_SEGMENTS]):
        at = f"{file}: {name}: {_SEGMENTS}[{k}]"
        if not isinstance(segment, dict) or type(segment.get("id")) not in (int, float):
            raise DataError(f"{at} has no usable id.")
        number, category = int(segment["id"]), segment.get("category_id")
        category = meant(identity(category, file, f"{name}: {_SEGMENTS}", k, key="category_id"), labels)
        if category not in labels or number in seen:
            lack = (
                f"the class {category!r}, which is not among the classes"
                if category not in labels
                else f"id {number} again"
            )
            raise DataError(f"{at} has {lack}.")
        seen.add(number)
        label, mask = labels[category], masks.get(number)
        if label is not None and mask is None:
            reading.problems.add(f"{at} of {image} has no pixels", file=file, done=DROPPED, lost=image)
        elif label is not None and mask is not None:
            extra = {key: value for key, value in segment.items() if key not in _OWN and (key != "iscrowd" or value)}
            yield Annotation(label=label, rle=mask, attributes=extra | {"id": number})
    unknown = sorted(masks.keys() - seen)
    if unknown:
        raise DataError(f"{file}: {name} has pixels of segment {unknown[0]}, which {_SEGMENTS} does not name.")


def _where(reading: Reading) -> str:
    return f"Put the pictures of segments into a folder {reading.path.stem} beside {reading.name}."


def _numbers(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    if pixels.ndim == 2:
        return pixels.astype(np.int64)
    return np.asarray(pixels[..., :3].astype(np.int64) @ np.array([1, 256, 65536]))

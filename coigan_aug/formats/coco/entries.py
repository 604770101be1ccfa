"""Images and classes of a COCO file: their ids, names and sizes, as programs and tables write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coigan_aug.annotations.records import DefectClass
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import as_whole, make_classes, whole_number

_Item = dict[str, Any]


def keyed(items: list[_Item], key: str, file: str) -> dict[int | str, _Item]:
    """Index entries by their id; 1.0 is 1.

    Raises:
        DataError: an id is neither a number nor text, or not unique.
    """
    keyed: dict[int | str, _Item] = {}
    places: dict[int | str, int] = {}
    for k, item in enumerate(items):
        number = item["id"] = identity(item.get("id"), file, key, k, key="id")
        if number in keyed:
            raise DataError(f"{file}: {key}[{k}] has the id {number!r}, which {key}[{places[number]}] has too.")
        keyed[number], places[number] = item, k
    return keyed


def identity(value: Any, file: str, kind: str, position: int, *, key: str) -> int | str:
    """Return an id: a whole number, also where a table has made it 1.0, or text.

    Raises:
        DataError: it is something else.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise DataError(f"{file}: {kind}[{position}] has no usable {key} ({value!r}).")
    return value


def meant(number: int | str, known: Mapping[int | str, Any]) -> int | str:
    """Return the id among those known that is meant, be it written as a number here and as text there."""
    if number in known:
        return number
    other = whole_number(number) if isinstance(number, str) else str(number)
    return other if other is not None and other in known else number


def images_of(items: list[_Item], file: str) -> dict[int | str, _Item]:
    """Index images by their ids; heights and widths become numbers, and are left out where they are null.

    Raises:
        DataError: one has no id or no name of its own.
    """
    images = keyed(items, "images", file)
    names: dict[str, int | str] = {}
    for number, item in images.items():
        name = item.get("file_name")
        if not isinstance(name, str) or not name:
            raise DataError(f"{file}: image {number!r} has no file_name.")
        if name in names:
            raise DataError(f"{file}: images {names[name]!r} and {number!r} have the same file_name, {name}.")
        names[name] = number
        item |= {side: as_whole(item[side]) for side in ("height", "width") if side in item}
        for side in ("height", "width"):
            if item.get(side, 0) is None:
                del item[side]
    return images


def sizes_of(images: Mapping[int | str, _Item]) -> dict[str, tuple[int, int]] | None:
    """Return the images' heights and widths by name; None where the file does not say them all."""
    sizes: dict[str, tuple[int, int]] = {}
    for item in images.values():
        height, width = item.get("height"), item.get("width")
        if type(height) is not int or type(width) is not int or min(height, width) < 1:
            return None
        sizes[item["file_name"]] = height, width
    return sizes


def categories_of(reading: Reading, items: list[_Item]) -> tuple[dict[int | str, str], tuple[DefectClass, ...]]:
    """Return category id -> class name, and the classes in the file's order.

    Raises:
        DataError: ids or names are not unique, or --classes chooses others.
    """
    categories = keyed(items, "categories", reading.name)
    names = {number: str(item.get("name", number)) for number, item in categories.items()}
    if reading.options.classes:
        names = _chosen(reading, names)
    twice = [name for name in names.values() if list(names.values()).count(name) > 1]
    if twice:
        what = f"{reading.name}: several categories are named {twice[0]}."
        raise DataError(what, remedy="Name them: --classes NAME=ID,NAME=ID")
    return names, make_classes(list(names.values()), source_ids=list(names))


def _chosen(reading: Reading, names: Mapping[int | str, str]) -> dict[int | str, str]:
    chosen: dict[int | str, str] = {}
    for choice in reading.options.classes:
        meant = choice.value or choice.name
        fitting = [number for number, name in names.items() if (str(number) if choice.value else name) == meant]
        if not fitting:
            have = ", ".join(f"{name} ({number})" for number, name in names.items())
            raise DataError(f"{reading.name} has no category {meant} as --classes says; it has {have or 'none'}.")
        chosen[fitting[0]] = choice.name
    return chosen

"""The XML files of Pascal VOC: an object's class, its box (1-based, both ends included), polygons, a few words on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.formats.image_sizes import check_size
from coigan_aug.formats.source import whole_number
from coigan_aug.formats.xml_elements import SHORT, read_elements, text_of

KEPT = ("pose", "truncated", "occluded", "difficult")
_UNSAID = frozenset({"", "0", "unspecified"})


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of an XML file: its class, what is said of it beside (`KEPT`), its line, and its polygons.

    A polygon is what the file has in it, element by element: name and text.
    """

    label: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    polygons: Sequence[Sequence[tuple[str, str]]] = ()


@dataclass
class _Object:
    line: int
    values: dict[str, str] = field(default_factory=dict)
    polygons: list[list[tuple[str, str]]] = field(default_factory=list)


def read_objects(path: Path, *, image: str, size: tuple[int, int]) -> list[Listed]:
    """Read the objects of an XML file, in their order.

    Args:
        size: height and width of the image.

    Raises:
        DataError: over 10 MB, not XML, with a document type, or of an image of another size; the message names the line.
    """
    stated, objects = read_annotation(path)
    if stated is not None:
        check_size(size, stated, image=image, file=path.name)
    return objects


def read_annotation(path: Path) -> tuple[tuple[int, int] | None, list[Listed]]:
    """Read an XML file: the image's height and width, None where it doesn't say them, and its objects in their order.

    Raises:
        DataError: over 10 MB, not XML, or with a document type; the message names the line.
    """
    sides: dict[str, str] = {}
    objects: list[_Object] = []
    for element in read_elements(path, most=SHORT):
        match element.path[1:]:
            case ("object",) if element.start:
                objects.append(_Object(element.line))
            case ("object", "polygon") if element.start:
                objects[-1].polygons.append([])
            case ("object", "polygon", key) if not element.start:
                objects[-1].polygons[-1].append((key, element.text))
            case ("object", key) if not element.start:
                objects[-1].values.setdefault(key, element.text.strip())
            case ("size", key) if not element.start:
                sides.setdefault(key, element.text)
    height, width = (whole_number(sides.get(key, "")) for key in ("height", "width"))
    return (height, width) if height and width else None, [_listed(item) for item in objects]


def _listed(item: _Object) -> Listed:
    texts = {key: item.values.get(key, "") for key in KEPT}
    values = {key: whole_number(text) or text for key, text in texts.items() if text.lower() not in _UNSAID}
    return Listed(item.values.get("name", ""), values, item.line, item.polygons)


def write_objects(record: ImageRecord) -> str:
    """Write the XML of an image: its objects in the order of its annotations, with the boxes of their masks."""
    head = [("filename", record.file.rpartition("/")[2]), ("folder", record.file.rpartition("/")[0])]
    sides = (("width", record.width), ("height", record.height), ("depth", 3))
    size = "".join(_element(key, value) for key, value in sides)
    objects = [_object(record, k) for k in range(len(record.annotations))]
    lines = [*(_element(key, value) for key, value in head), f"<size>{size}</size>", "<segmented>1</segmented>"]
    return "\n".join(["<annotation>", *lines, *objects, "</annotation>", ""])


def _object(record: ImageRecord, position: int) -> str:
    annotation = record.annotations[position]
    left, top, width, height = rle.box(annotation.rle)
    edges = (("xmin", left + 1), ("ymin", top + 1), ("xmax", left + width), ("ymax", top + height))
    unsaid = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
    values = unsaid | {key: annotation.attributes[key] for key in KEPT if key in annotation.attributes}
    about = "".join(_element(key, int(value) if isinstance(value, bool) else value) for key, value in values.items())
    box = "".join(_element(key, value) for key, value in edges)
    return f"<object>{_element('name', annotation.label)}{about}<bndbox>{box}</bndbox></object>"


def _element(key: str, value: Any) -> str:
    return f"<{key}>{text_of(value)}</{key}>"

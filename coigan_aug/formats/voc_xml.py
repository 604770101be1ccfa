"""The XML files of Pascal VOC: an object's class, its box (1-based, both ends included) and a few words on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.source import place, whole_number

KEPT = ("pose", "truncated", "occluded", "difficult")
_LARGEST = 10_000_000
_UNSAID = frozenset({"", "0", "unspecified"})
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of an XML file: its class, and what is said of it beside (`KEPT`)."""

    label: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class _Plain(ElementTree.TreeBuilder):
    """Builds the tree of a document that declares no types: entities could make a small file huge or read others."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DataError("it declares a document type, which is not read")


def read_objects(path: Path, *, size: tuple[int, int]) -> list[Listed]:
    """Read the objects of an XML file, in their order.

    Args:
        size: height and width of the image.

    Raises:
        DataError: over 10 MB, not XML, with a document type, or of an image of another size.
    """
    root = _root(path)
    said = tuple(whole_number(root.findtext(f"size/{key}") or "") for key in ("height", "width"))
    if all(said) and said != size:
        what = f"{path.name} is of an image of {said[0]} x {said[1]} pixels (height x width)"
        raise DataError(f"{what}; its image is {size[0]} x {size[1]}.", remedy="Use the images that were annotated.")
    return [_listed(found) for found in root.findall("object")]


def _root(path: Path) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_Plain())
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise DataError(f"it has over {_LARGEST:,} bytes")
        parser.feed(data)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise DataError(f"{place(path.name, error.position[0])}  is not valid XML: {error.msg}.") from error
    except (ValueError, LookupError) as error:
        raise DataError(f"{path.name} is not XML in a known encoding.") from error
    except DataError as error:
        raise DataError(f"{path.name} can't be read: {error.message}.") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    return root


def _listed(found: ElementTree.Element) -> Listed:
    said = {key: (found.findtext(key) or "").strip() for key in KEPT}
    values = {key: whole_number(text) or text for key, text in said.items() if text.lower() not in _UNSAID}
    return Listed((found.findtext("name") or "").strip(), values)


def write_objects(record: ImageRecord) -> str:
    """Write the XML of an image: its objects in the order of its annotations, with the boxes of their masks."""
    head = [("filename", record.file.rpartition("/")[2]), ("folder", record.file.rpartition("/")[0])]
    size = "".join(_element(key, value) for key, value in _size(record))
    objects = [_object(record, k) for k in range(len(record.annotations))]
    lines = [*(_element(key, value) for key, value in head), f"<size>{size}</size>", "<segmented>1</segmented>"]
    return "\n".join(["<annotation>", *lines, *objects, "</annotation>", ""])


def _size(record: ImageRecord) -> Sequence[tuple[str, int]]:
    return (("width", record.width), ("height", record.height), ("depth", 3))


def _object(record: ImageRecord, position: int) -> str:
    annotation = record.annotations[position]
    left, top, width, height = rle.box(annotation.rle)
    edges = (("xmin", left + 1), ("ymin", top + 1), ("xmax", left + width), ("ymax", top + height))
    unsaid = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
    said = unsaid | {key: annotation.attributes[key] for key in KEPT if key in annotation.attributes}
    about = "".join(_element(key, int(value) if isinstance(value, bool) else value) for key, value in said.items())
    box = "".join(_element(key, value) for key, value in edges)
    return f"<object>{_element('name', annotation.label)}{about}<bndbox>{box}</bndbox></object>"


def _element(key: str, value: Any) -> str:
    return f"<{key}>{escape(_NOT_XML.sub('?', str(value)))}</{key}>"

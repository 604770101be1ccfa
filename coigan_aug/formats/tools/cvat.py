"""CVAT for images 1.1: one XML file of images, each with its polygons, boxes, ellipses and masks.

Outlines are in continuous coordinates, a pixel belongs to them when its centre lies inside: so CVAT itself turns
them into masks (by pycocotools). Masks are run lengths over the rows of a box, beginning with zeros.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write
from coigan_aug.formats.drawn import Place
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, open_images, resolve
from coigan_aug.formats.image_sizes import check_size, measure
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of, colour_text
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Source, place
from coigan_aug.formats.tools.cvat_shapes import KINDS, Shape, attributes_of, mask_of
from coigan_aug.formats.xml_elements import NOT_XML, Element, quoted, read_elements, text_of

_NO_AREA = frozenset({"polyline", "points", "cuboid", "skeleton", "tag"})
_FLAGS = ("occluded", "z_order", "group_id")
_SIZE = ("height", "width")
_VIDEO = "Export the task as 'CVAT for images 1.1'."


@dataclass
class _Image:
    """An <image> and its shapes; `name` is with the subset's folder in front, as the export has it."""

    name: str
    line: int
    about: dict[str, str]
    shapes: list[Shape] = field(default_factory=list)


@dataclass
class _Labels:
    """The labels of <meta>: name -> colour, those that can have an area."""

    colours: dict[str, str] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)

    def take(self, element: Element) -> None:
        """Take the end of an element below <labels>."""
        if element.path[-2:-1] == ("label",):
            self.latest[element.name] = element.text.strip()
        elif element.name == "label":
            name, kind = self.latest.get("name"), self.latest.get("type")
            if name and kind not in _NO_AREA and "parent" not in self.latest:
                self.colours[name] = self.latest.get("color", "")
            self.latest = {}


def sniff(path: Path) -> str | None:
    """Describe the file if it begins like an XML file of CVAT, else return None."""
    if not path.is_file() or path.suffix.lower() != ".xml":
        return None
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    known = b"<annotations" in start and any(sign in start for sign in (b"<meta", b"<image", b"<version"))
    return "CVAT for images 1.1 (XML)" if known else None


def read(reading: Reading) -> Source:
    """Open a CVAT file and its images; the labels of its <meta> are the classes, with their colours.

    Boxes and ellipses are taken as filled; shapes without an area are dropped, which is noted with their number.
    `record.source["id"]` is the image's id; what a person set for a shape is in the annotation's attributes, as text.

    Raises:
        DataError: it is not such a file (tracks of videos are refused), a shape does not fit its image, has a wrong
            number of values or an unknown label, an image is named twice, missing, broken or of another size.
    """
    labels = _Labels()
    rows: dict[str, int | None] = {}
    used: dict[str, None] = {}
    masks = 0
    for image in _images(reading.path, labels):
        if image.name in rows:
            what = f"{place(reading.name, image.line)}  the image {image.name} is in line {rows[image.name]} already."
            raise DataError(what)
        rows[image.name] = image.line
        areas = [shape for shape in image.shapes if KINDS.become_masks(shape.kind, reading.options)]
        used.update((shape.label, None) for shape in areas)
        masks += len(areas)
    names = chosen_labels([*labels.colours, *used], reading.options.classes)
    folder, where = open_images(reading, rows)
    return Source(
        format="cvat",
        description=f"CVAT for images 1.1 ({len(rows):,} images, {masks:,} shapes with an area). Images: {where}",
        classes=classes_of(names, colours=labels.colours),
        image_root=folder.root,
        count=len(rows),
        records=_records(reading, names, folder, resolve(reading, folder, rows)),
    )


# Reading the file


def _images(path: Path, labels: _Labels) -> Iterator[_Image]:
    """Yield the images with their shapes, one at a time, and take the labels on the way.

    Raises:
        DataError: it is not such a file.
    """
    image: _Image | None = None
    for element in read_elements(path):
        at = place(path.name, element.line)
        if element.start and element.path[0] != "annotations":
            raise DataError(f"{at}  is not a CVAT file: its outermost element is <{element.path[0][:40]}>.")
        if element.start and element.path[1:] == ("track",):
            raise DataError(f"{at}  holds tracks: it is CVAT's XML for videos.", remedy=_VIDEO)
        if not element.start and element.path[1:2] == ("meta",) and "labels" in element.path:
            labels.take(element)
        elif element.path[1:] == ("image",):
            if element.start:
                image = _Image(_name(element, at), element.line, element.attributes)
            elif image is not None:
                yield image
        elif image is not None and element.path[1:2] == ("image",):
            _take(image, element, at)


def _name(element: Element, at: str) -> str:
    name, subset = element.attributes.get("name", ""), element.attributes.get("subset", "")
    if not name:
        raise DataError(f"{at}  an image has no name.")
    return f"{subset}/{name}" if subset else name


def _take(image: _Image, element: Element, at: str) -> None:
    """Add a shape to its image, and the attributes to their shape; what lies deeper is the shape's own affair."""
    if len(element.path) == 3 and element.start:
        label = element.attributes.get("label", "")
        if not label and element.name in KINDS.areas | KINDS.lines:
            raise DataError(f"{at}  a {element.name} of {image.name} has no label.")
        image.shapes.append(Shape(element.name, label, element.attributes, element.line))
    elif len(element.path) == 4 and element.name == "attribute" and not element.start:
        image.shapes[-1].attributes[element.attributes.get("name", "")] = element.text


# Records


def _records(
    reading: Reading, names: Mapping[str, str], folder: ImageFolder, paths: Mapping[str, str]
) -> Iterator[ImageRecord]:
    for image in _images(reading.path, _Labels()):
        file = paths.get(image.name)
        here = place(reading.name, image.line)
        if file is None:
            continue
        size = measure(reading, folder, file, at=here, sized=set(_SIZE) <= image.about.keys())
        if size is None:
            continue
        height, width = (_number(image.about.get(key, str(side))) for key, side in zip(_SIZE, size, strict=True))
        check_size(size, (height, width), image=image.name, file=here)
        places = (
            Place(reading, reading.name, place(reading.name, shape.line), image.name, *size) for shape in image.shapes
        )
        drawn = [_annotation(shape, names, at) for shape, at in zip(image.shapes, places, strict=True)]
        source: dict[str, Any] = {"id": _number(image.about["id"])} if "id" in image.about else {}
        source |= {"name": image.name} if image.name != file else {}
        annotations = tuple(annotation for annotation in drawn if annotation is not None)
        yield ImageRecord(file=file, height=size[0], width=size[1], annotations=annotations, source=source)


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text


def _annotation(shape: Shape, names: Mapping[str, str], at: Place) -> Annotation | None:
    if not KINDS.become_masks(shape.kind, at.reading.options):
        KINDS.note_dropped(shape.kind, at)
        return None
    label = class_of(shape.label, names, at.text)
    if shape.kind == "box":
        at.count("boxes, which need not be outlines", done="taken as filled")
    mask = mask_of(shape, at)
    return None if mask is None else Annotation(label=label, rle=mask, attributes=attributes_of(shape))


# Writing


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/annotations.xml`: each mask as run lengths in its box, the labels with their colours and attributes.

    Images are named relative to images/, as CVAT names those that were uploaded from there. In CVAT make a task with
    the labels of <meta>, then upload the file as "CVAT 1.1". Masks without pixels are left out.
    """
    losses = losses or Losses()
    note_class_ids(losses, classes)
    odd = [c.name for c in classes if NOT_XML.search(c.name)]
    losses.add("class names with signs that XML can't hold, which become ?", first="".join(odd[:1]), count=len(odd))
    path = out / "annotations.xml"
    out.mkdir(parents=True, exist_ok=True)
    used: dict[str, dict[str, None]] = {defect_class.name: {} for defect_class in classes}
    with atomic_write(path) as stream, tempfile.TemporaryFile(dir=out) as body:
        for number, record in enumerate(records):
            body.writelines(_image_lines(record, number, used, losses))
        stream.write(_head(classes, used))
        body.seek(0)
        shutil.copyfileobj(body, stream)
        stream.write(b"</annotations>\n")
    return path


def _head(classes: Sequence[DefectClass], used: Mapping[str, Iterable[str]]) -> bytes:
    labels = "".join(_label(defect_class, used[defect_class.name]) for defect_class in classes)
    start = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    return f"{start}  <meta>\n    <task>\n      <labels>\n{labels}      </labels>\n    </task>\n  </meta>\n".encode()


def _label(defect_class: DefectClass, attributes: Iterable[str]) -> str:
    inner = "".join(
        f"<attribute><name>{text_of(name)}</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for name in attributes
    )
    colour = colour_text(defect_class.colour)
    about = f"<name>{text_of(defect_class.name)}</name><color>{colour}</color><type>any</type>"
    return f"        <label>{about}<attributes>{inner}</attributes></label>\n"


def _image_lines(record: ImageRecord, number: int, used: Mapping[str, dict[str, None]], losses: Losses) -> list[bytes]:
    name = record.file.removeprefix("images/")
    size = f'width="{record.width}" height="{record.height}"'
    lines = [f'  <image id="{number}" name={quoted(name)} {size}>\n'.encode()]
    for annotation in record.annotations:
        empty = rle.area(annotation.rle) == 0
        losses.add("masks without pixels, which are left out", first=record.file, count=empty)
        if not empty:
            lines.append(_mask_line(annotation, used[annotation.label], record, losses).encode())
    return [*lines, b"  </image>\n"]


def _mask_line(annotation: Annotation, used: dict[str, None], record: ImageRecord, losses: Losses) -> str:
    left, top, width, height = rle.box(annotation.rle)
    counts = ", ".join(map(str, rle.row_runs(rle.decode_box(annotation.rle, (left, top, width, height))).tolist()))
    box = f'rle="{counts}" left="{left}" top="{top}" width="{width}" height="{height}"'
    texts = {key: _value(value) for key, value in annotation.attributes.items()}
    odd = sum(NOT_XML.search(f"{key}{text}") is not None for key, text in texts.items())
    losses.add("attributes with signs that XML can't hold, which become ?", first=record.file, count=odd)
    lost = sum(text is None for text in texts.values())
    losses.add("attributes that are lists or objects, which are not written", first=record.file, count=lost)
    held = {key: text for key, text in texts.items() if text is not None}
    flags = {key: text for key, text in held.items() if key in _FLAGS and re.fullmatch("-?[0-9]{1,9}", text)}
    about = " ".join(f"{key}={quoted(text)}" for key, text in ({"occluded": "0", "z_order": "0"} | flags).items())
    others = {key: text for key, text in held.items() if key not in flags}
    used.update(dict.fromkeys(others))
    inner = "".join(f"<attribute name={quoted(key)}>{text_of(text)}</attribute>" for key, text in others.items())
    return f'    <mask label={quoted(annotation.label)} source="file" {about} {box}>{inner}</mask>\n'


def _value(value: Any) -> str | None:
    """Return an attribute as CVAT writes it; None for what is no text, number or truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


CVAT = Format(
    name="cvat",
    sniff=sniff,
    read=read,
    write=write,
    loses="the classes' ids, and attributes that are lists or objects (CVAT's are text)",
    shown_turned=True,
)

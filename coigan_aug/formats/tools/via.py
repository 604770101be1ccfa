"""VGG Image Annotator (VIA 1 and 2): a JSON file of images with their regions, a project or an export.

Its classes are values of an attribute of the regions, which people name as they like. Coordinates are continuous.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.annotations.batches import of_records
from coigan_aug.annotations.corners import Outline, trace_corners_many
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write
from coigan_aug.formats.drawn import Place, attributes_from, with_pixels
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, open_images, resolve
from coigan_aug.formats.image_sizes import measure
from coigan_aug.formats.json_files import both_ends, load_object
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, Source
from coigan_aug.formats.tools.via_regions import KINDS, ONLY_CLASS, answers_of, class_attribute, mask_of

_IMAGES, _ATTRIBUTES = "_via_img_metadata", "_via_attributes"
_SIGNS = ((b'"_via_img_metadata"',), (b'"regions"', b'"filename"'))
_CLASS = "class"
_KIND = "a VIA file"
_Item = dict[str, Any]


@dataclass(frozen=True)
class _Image:
    """An image as the file has it: the key of its entry, its name, its regions and what is said of it."""

    key: str
    name: str
    regions: list[_Item]
    about: Mapping[str, Any]


def sniff(path: Path) -> str | None:
    """Describe the file if it looks like a JSON file of VIA, else return None."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return None
    start, end = both_ends(path)
    known = any(all(sign in start + end for sign in signs) for signs in _SIGNS)
    return "VIA JSON" if start.startswith(b"{") and known else None


def read(reading: Reading) -> Source:
    """Open a project or an export of VIA and its images. An image without regions is free of defects.

    Classes are values of the regions' only attribute, of one called class, label or the like, or of that which has the
    values of --classes; others are kept in the attributes, and those of an image in `record.source`. Regions
    without an area, or without a class, are dropped and counted; polylines have an area where the options say their width.

    Raises:
        DataError: it is not such a file, a region is malformed or does not fit its image, the class can't be told, an
            image is named twice, missing or broken, or VIA shows it turned.
    """
    top = load_object(reading.path, kind=_KIND)
    images = _images(top, reading.name)
    regions = [region for image in images for region in image.regions]
    answers = [answers_of(region) for region in regions if KINDS.become_masks(_kind(region), reading.options)]
    attribute = class_attribute(answers, reading.options.classes, file=reading.name)
    used = dict.fromkeys(
        values[attribute] if attribute else ONLY_CLASS for values in answers if not attribute or attribute in values
    )
    names = chosen_labels([*_listed(top, attribute), *used], reading.options.classes)
    rows: dict[str, int | None] = {image.name: None for image in images}
    folder, where = open_images(reading, rows)
    contents = f"{len(images):,} images, {len(answers):,} regions with an area"
    contents += f", classes by {attribute}" if attribute else ""
    return Source(
        format="via",
        description=f"VIA JSON ({contents}). Images: {where}",
        classes=classes_of(names, colours={}),
        image_root=folder.root,
        count=len(images),
        records=_records(reading, images, names, attribute, folder=folder, paths=resolve(reading, folder, rows)),
    )


# Reading the file


def _images(top: _Item, file: str) -> list[_Image]:
    entries = top.get(_IMAGES, top)
    if not isinstance(entries, dict):
        raise DataError(f"{file} is not {_KIND}: {_IMAGES} is not an object.")
    images: dict[str, _Image] = {}
    for key, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str) or not entry["filename"]:
            raise DataError(f"{file}: the entry {key} names no image (filename).")
        name, about = entry["filename"], entry.get("file_attributes")
        if name in images:
            raise DataError(f"{file}: the entries {images[name].key} and {key} are of one image, {name}.")
        regions = _regions(entry.get("regions", []), f"{file}: {name}")
        images[name] = _Image(key, name, regions, about if isinstance(about, dict) else {})
    return list(images.values())


def _regions(value: Any, at: str) -> list[_Item]:
    """Return the regions of an image, a list or, in VIA 1, numbers with regions."""
    regions = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(regions, list):
        raise DataError(f"{at} has no list of regions.")
    for k, region in enumerate(regions):
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict) or not isinstance(shape.get("name"), str):
            raise DataError(f"{at}: regions[{k}] has no shape with a name.")
        answers = region.get("region_attributes")
        region["region_attributes"] = answers if isinstance(answers, dict) else {}
    return regions


def _kind(region: _Item) -> str:
    return str(region["shape_attributes"]["name"])


def _listed(top: _Item, attribute: str) -> list[str]:
    """Return the values that a project lists for an attribute, in its order."""
    value: Any = top
    for key in (_ATTRIBUTES, "region", attribute, "options"):
        value = value.get(key) if isinstance(value, dict) else None
    return [str(option) for option in value if str(option).strip()] if isinstance(value, dict) else []


# Records


def _records(
    reading: Reading, images: Sequence[_Image], names: Mapping[str, str], attribute: str, *, folder: ImageFolder,
    paths: Mapping[str, str],
) -> Iterator[ImageRecord]:  # fmt: skip
    for image in images:
        path = paths.get(image.name)
        turned_by = "VIA" if image.regions else ""
        size = measure(reading, folder, path, at=reading.name, turned_by=turned_by) if path else None
        if path is None or size is None:
            continue
        place = Place(reading, reading.name, f"{reading.name}: {image.name}", image.name, *size)
        drawn = []
        for k, region in enumerate(image.regions):
            at = Place(reading, reading.name, f"{reading.name}: {image.name}: regions[{k}]", image.name, *size)
            with reading.problems.attempt(file=reading.name, done="region left out", lost=image.name):
                drawn.append(_annotation(region, names, attribute, at))
        values = {key: value for key, value in image.about.items() if isinstance(value, (str, int, float))}
        source = attributes_from(values | ({"name": image.name} if image.name != path else {}), place, but=())
        annotations = tuple(annotation for annotation in drawn if annotation is not None)
        yield ImageRecord(file=path, height=size[0], width=size[1], annotations=annotations, source=source)


def _annotation(region: _Item, names: Mapping[str, str], attribute: str, at: Place) -> Annotation | None:
    kind, answers = _kind(region), answers_of(region)
    if not KINDS.become_masks(kind, at.reading.options):
        KINDS.note_dropped(kind, at)
        return None
    label = answers.pop(attribute, "") if attribute else ONLY_CLASS
    if not label:
        at.count(f"regions have no {attribute}, which names the class of others", done=DROPPED)
        return None
    if kind == "rect":
        at.count("rectangles, which need not be outlines", done="taken as filled")
    name = class_of(label, names, at.text)
    drawn = mask_of(region["shape_attributes"], at)
    mask = None if drawn is None else with_pixels(drawn, at)
    return None if mask is None else Annotation(label=name, rle=mask, attributes=answers)


# Writing


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/via.json`, a project of VIA 2 that finds its images in images/; the attribute `class` names the class.

    Each part of a mask is a polygon along the edges of its pixels, a mask with holes cut into pieces without.
    """
    losses, order, path = losses or Losses(), list[str](), out / "via.json"
    note_class_ids(losses, classes)
    with atomic_write(path) as stream:
        stream.write(_head([c.name for c in classes]) + b'"_via_img_metadata": {')
        for record, traced in of_records(records, trace_corners_many):
            losses.add_attributes(record)
            name, regions = record.file.removeprefix("images/"), []
            for annotation, outlines in zip(record.annotations, traced, strict=True):
                losses.add("masks without pixels, which are left out", first=record.file, count=not outlines)
                what = "masks of several parts, each of which is an object of its own"
                losses.add(what, first=record.file, count=len(outlines) > 1)
                regions += [_region(points, annotation.label) for points in outlines]
            entry = {"filename": name, "size": -1, "regions": regions, "file_attributes": {}}
            stream.write((b",\n" if order else b"\n") + _json(f"{name}-1") + b": " + _json(entry))
            order.append(f"{name}-1")
        stream.write(b'\n},\n"_via_image_id_list": ' + _json(order) + b"}\n")
    return path


def _region(points: Outline, label: str) -> _Item:
    x, y = (points[:, axis].tolist() for axis in (0, 1))
    shape = {"name": "polygon", "all_points_x": x, "all_points_y": y}
    return {"shape_attributes": shape, "region_attributes": {_CLASS: label}}


def _head(names: Sequence[str]) -> bytes:
    """Return the beginning of a project: where its images lie, and its classes to choose from."""
    core = {"buffer_size": 18, "filepath": {}, "default_filepath": "images/"}
    kinds = {"type": "dropdown", "description": "", "options": dict.fromkeys(names, ""), "default_options": {}}
    top = {
        "_via_settings": {"core": core, "project": {"name": "defects"}},
        _ATTRIBUTES: {"region": {_CLASS: kinds}, "file": {}},
        "_via_data_format_version": "2.0.10",
    }
    return _json(top).removesuffix(b"}") + b",\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


VIA = Format(
    name="via",
    sniff=sniff,
    read=read,
    write=write,
    loses="which parts of a mask are one object (each is a region), and the classes' ids",
    polygon_reader="pycocotools",
    shown_turned=True,
)

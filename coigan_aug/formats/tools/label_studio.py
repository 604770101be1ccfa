"""Label Studio: a JSON export of tasks (full or JSON-MIN), with brush strokes, polygons, rectangles and ellipses.

Places are in percent of the image's size. Outlines are in continuous coordinates, a pixel belongs to them when its
centre lies inside: so the polygons of Label Studio's COCO export are read by pycocotools. Brush strokes are exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.filling import fill_coco
from coigan_aug.annotations.polygons import Points
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, write_bytes
from coigan_aug.formats.drawn import (
    Place,
    attributes_from,
    check_outlines,
    fill_ellipse,
    number_from,
    points_from,
    rectangle,
    turned,
    with_pixels,
)  # fmt: skip
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, first_there, open_images, resolve_files
from coigan_aug.formats.image_sizes import check_size, measure
from coigan_aug.formats.json_files import both_ends
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of, colour_text
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, STATE_UNKNOWN, Problems, Source
from coigan_aug.formats.tools.label_studio_brush import decode_brush, encode_brush
from coigan_aug.formats.tools.label_studio_tasks import Region, Task, read_tasks
from coigan_aug.formats.xml_elements import NOT_XML, SHORT, quoted, read_elements

CONFIG = "label_config.xml"
_AREAS = frozenset({"brush", "polygon", "rectangle", "ellipse"})
_SIZE = ("original_height", "original_width")
_LABELS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")


def sniff(path: Path) -> str | None:
    """Describe the file if it begins like a list of Label Studio's tasks, else return None."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return None
    start, end = both_ends(path)
    both = start + end
    if not start.startswith(b"["):
        return None
    full = b'"data"' in both and any(f'"{key}"'.encode() in both for key in ("annotations", "completions"))
    short = b'"annotation_id"' in both or any(f'"{key}"'.encode() in both for key in _LABELS)
    return "Label Studio JSON" if full else "Label Studio JSON-MIN" if short else None


def read(reading: Reading) -> Source:
    """Open an export and its images, which are looked for by the names in their URLs.

    Images of tasks without an annotation are of unknown state, or left out where they are not there; of several
    annotations the last that was not cancelled is taken, those of the ground truth before others. Both are noted, and so
    are rectangles (taken as filled) and regions without an area or a label (dropped). `label_config.xml` beside the file,
    if there is one, gives the classes' order and colours. `record.source` holds the ids of task, annotation and annotator.

    Raises:
        DataError: it is not such a file, a region does not fit its image or is of a picture that was turned, an image
            is named twice, missing, broken or of another size.
    """
    images: dict[str, list[str]] = {}
    skipped: dict[str, list[str]] = {}
    used: dict[str, None] = {}
    masks = 0
    for task in _tasks(replace(reading, problems=Problems())):
        (images if task.annotations else skipped)[task.text] = task.names
        drawn = [region.labels[0] for region in task.regions if region.kind in _AREAS and region.labels]
        used.update(dict.fromkeys(drawn))
        masks += len(drawn)
    listed = _listed(reading.path.with_name(CONFIG))
    names = chosen_labels([*listed, *used], reading.options.classes)
    folder, where = open_images(reading, [name for likely in images.values() for name in likely])
    chosen = {text: first_there(folder, likely) for text, likely in images.items()}
    paths = resolve_files(reading, folder, chosen)
    return Source(
        format="label-studio",
        description=f"{sniff(reading.path) or 'Label Studio JSON'} ({len(images):,} tasks, {masks:,} masks). Images: {where}",
        classes=classes_of(names, colours=listed),
        image_root=folder.root,
        count=len(images) + len(skipped),
        records=_records(reading, names, folder, _skipped(folder, skipped, paths) | paths),
    )


def _skipped(folder: ImageFolder, tasks: Mapping[str, list[str]], taken: Mapping[str, str]) -> dict[str, str]:
    """Return the images of tasks without an annotation, as far as they are there and no other task's."""
    known, skipped = set(taken.values()), dict[str, str]()
    for text, names in tasks.items():
        image = next((image for image in map(partial(_there, folder), names) if image is not None), None)
        if image is not None and image not in known:
            known.add(image)
            skipped[text] = image
    return skipped


def _there(folder: ImageFolder, name: str) -> str | None:
    try:
        return folder.find(name)
    except DataError:
        return None


def _tasks(reading: Reading) -> Iterator[Task]:
    problems, file = reading.problems, reading.name
    for task in read_tasks(reading.path):
        if task.annotations == 0:
            problems.count("tasks without an annotation", file=file, first=task.text, done=STATE_UNKNOWN)
        if task.annotations > 1:
            done = "ground truth or the last one taken"
            problems.count("tasks with several annotations", file=file, first=task.text, done=done)
        yield task


def _listed(path: Path) -> dict[str, str]:
    """Return the labels of a labeling configuration, with their colours."""
    if not path.is_file():
        return {}
    elements = read_elements(path, most=SHORT)
    labels = [element.attributes for element in elements if element.start and element.name == "Label"]
    return {label["value"]: label.get("background", "") for label in labels if label.get("value")}


# Records


def _records(
    reading: Reading, names: Mapping[str, str], folder: ImageFolder, paths: Mapping[str, str]
) -> Iterator[ImageRecord]:
    for task in _tasks(reading):
        image = paths.get(task.text)
        if image is None:
            continue
        if not task.annotations:
            reading.problems.lose(image)
        sizes = [region.about.get(key) for region in task.regions for key in _SIZE]
        sized = bool(sizes) and None not in sizes
        size = measure(reading, folder, image, at=task.text, sized=sized)
        if size is None:
            continue
        at = Place(reading, reading.name, task.text, image, *size)
        drawn = [_annotation(region, names, replace(at, text=region.text)) for region in task.regions]
        annotations = tuple(annotation for annotation in drawn if annotation is not None)
        source = attributes_from(task.about | ({"name": task.names[0]} if task.names[0] != image else {}), at, but=())
        yield ImageRecord(file=image, height=size[0], width=size[1], annotations=annotations, source=source)


def _annotation(region: Region, names: Mapping[str, str], at: Place) -> Annotation | None:
    if region.kind not in _AREAS or not region.labels:
        at.count(f"regions without {'a label' if region.kind in _AREAS else 'an area'}", done=DROPPED)
        return None
    if len(region.labels) > 1:
        at.count("regions of several labels", done="the first label taken")
    if region.kind == "rectangle":
        at.count("rectangles, which need not be outlines", done="taken as filled")
    label = class_of(region.labels[0], names, at.text)
    _check_picture(region, at)
    mask = _mask(region, at)
    if mask is None or with_pixels(mask, at) is None:
        return None
    meta = region.about.get("meta")
    kept = {key: region.about[key] for key in ("id", "score") if key in region.about}
    attributes = (meta if isinstance(meta, dict) else {}) | region.answers | kept
    return Annotation(label=label, rle=mask, attributes=attributes_from(attributes, at, but=()))


def _check_picture(region: Region, at: Place) -> None:
    """Refuse a region that was drawn on another picture than the image as it is stored."""
    if region.about.get("image_rotation", 0) not in (0, 360, None):
        what = f"{at.text}: {at.image} was turned by {region.about['image_rotation']} degrees in Label Studio."
        raise DataError(what, remedy="Turn it back there and export again; its regions can't be placed otherwise.")
    height, width = (region.about.get(key) for key in _SIZE)
    stated = (at.height if height is None else height, at.width if width is None else width)
    check_size((at.height, at.width), stated, image=at.image, file=at.text)


def _mask(region: Region, at: Place) -> rle.Rle | None:
    """Turn a region into a mask; None for a polygon that is no area, which is noted."""
    if region.kind == "brush":
        return _stroke(region.value, at)
    scale = np.array([at.width, at.height]) / 100
    if region.kind == "polygon":
        points = points_from(region.value["points"], at) * scale
        if len(points) < 3 or region.value.get("closed") is False:
            at.note(f"{at.text} of {at.image} is an open line", done=DROPPED)
            return None
        return _filled(points, at)
    x, y = (number_from(region.value.get(key), at, key) for key in ("x", "y"))
    degrees = number_from(region.value.get("rotation", 0) or 0, at, "rotation")
    left, top = x * scale[0], y * scale[1]
    keys = ("width", "height") if region.kind == "rectangle" else ("radiusX", "radiusY")
    across, down = (abs(number_from(region.value.get(key), at, key)) * scale[k] for k, key in enumerate(keys))
    if region.kind == "rectangle":
        return _filled(turned(rectangle(left, top, left + across, top + down), degrees, (left, top)), at)
    reach = max(across, down)
    check_outlines([rectangle(left - reach, top - reach, left + reach, top + reach)], at)
    return fill_ellipse((left, top), (across, down), degrees, at=at)


def _filled(points: Points, at: Place) -> rle.Rle:
    check_outlines([points], at)
    return fill_coco([points], height=at.height, width=at.width)


def _stroke(value: Mapping[str, Any], at: Place) -> rle.Rle:
    numbers = value["rle"]
    if not isinstance(numbers, list) or any(type(number) is not int or not 0 <= number < 256 for number in numbers):
        raise DataError(f"{at.text} of {at.image}: its brush stroke (rle) is not a list of bytes.")
    try:
        return rle.encode(decode_brush(bytes(numbers), height=at.height, width=at.width))
    except ValueError as error:
        raise DataError(f"{at.text} of {at.image}: its brush stroke (rle) {error}.") from error


# Writing


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/annotations.json`, tasks with brush strokes, and `out/label_config.xml`, the configuration they need.

    Tasks name their images as files of a local storage, relative to `out`: start Label Studio with
    LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<out>, make a project with
    the configuration and a storage of <out>/images, then import the file. Attributes are written as a region's meta.
    """
    losses = losses or Losses()
    note_class_ids(losses, classes)
    path = out / "annotations.json"
    write_bytes(out / CONFIG, _config(classes, losses))
    with atomic_write(path) as stream:
        stream.write(b"[")
        for number, record in enumerate(records):
            stream.write((b",\n" if number else b"\n") + json.dumps(_task(record, losses), allow_nan=False).encode())
        stream.write(b"\n]\n")
    return path


def _config(classes: Sequence[DefectClass], losses: Losses) -> bytes:
    """Return the labeling configuration; signs that XML can't hold become `?`."""
    odd = [c.name for c in classes if NOT_XML.search(c.name)]
    losses.add("class names with signs that XML can't hold, which become ?", first="".join(odd[:1]), count=len(odd))
    labels = "".join(
        f"    <Label value={quoted(c.name)} background={quoted(colour_text(c.colour))}/>\n" for c in classes
    )
    start = '<View>\n  <Image name="image" value="$image" zoom="true"/>\n  <BrushLabels name="label" toName="image">\n'
    return f"{start}{labels}  </BrushLabels>\n</View>\n".encode()


def _task(record: ImageRecord, losses: Losses) -> dict[str, Any]:
    filled = [annotation for annotation in record.annotations if rle.area(annotation.rle)]
    empty = len(record.annotations) - len(filled)
    losses.add("masks without pixels, which are left out", first=record.file, count=empty)
    ids: dict[str, None] = {}
    results = [_result(annotation, ids) for annotation in filled]
    image = f"/data/local-files/?d={quote(record.file)}"
    return {
        "data": {"image": image},
        "annotations": [{"result": results, "was_cancelled": False, "ground_truth": False}],
    }


def _result(annotation: Annotation, ids: dict[str, None]) -> dict[str, Any]:
    identity = annotation.attributes.get("id")
    name = identity if isinstance(identity, str) and identity not in ids else f"region-{len(ids)}"
    ids[name] = None
    stroke = list(encode_brush(rle.decode(annotation.rle)))
    meta = {key: value for key, value in annotation.attributes.items() if key != "id"}
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "origin": "manual",
        "original_width": annotation.rle.width,
        "original_height": annotation.rle.height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": stroke, "brushlabels": [annotation.label]},
    } | ({"meta": meta} if meta else {})


LABEL_STUDIO = Format(
    name="label-studio",
    sniff=sniff,
    read=read,
    write=write,
    loses="the classes' ids",
    shown_turned=True,
)

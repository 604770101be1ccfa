"""The thesis' line-json: image records with `polygons`, object records with `points` and `shape`.

Vertices are (x, y) pixel centres and outlines belong to the mask (cv2.fillPoly); polygons of one annotation are
filled each alone and joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.batches import of_records
from coigan_aug.annotations.polygons import Points, fill_centres, trace_centres_many
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.rle import Rle
from coigan_aug.errors import DataError
from coigan_aug.files import read_json, write_json
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import AbsentImages, ImageFolder, resolve
from coigan_aug.formats.image_sizes import about_turning, measure
from coigan_aug.formats.labels import label_id, label_order
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, ClassChoice, Problems, Source, make_classes, place
from coigan_aug.formats.tables.line_json_files import (
    RECORDS,
    Traced,
    Values,
    is_binary,
    packed_of,
    read_values,
    text_of,
    write_records,
)

PARAMETERS = "params.json"
_OBJECT_FOLDER = "object_dataset_"


@dataclass
class _Overview:
    """What a first pass over the records found: names and their lines, labels, and whether they are object records.

    `wrong` holds the numbers of records that are passed over.
    """

    rows: dict[str, int | None] = field(default_factory=dict)
    labels: dict[str, None] = field(default_factory=dict)
    objects: bool = False
    wrong: set[int] = field(default_factory=set)


@dataclass
class _Border:
    """Counts the polygons with points on the border line (x = width or y = height), to be noted once."""

    count: int = 0
    first: str = ""


@dataclass(frozen=True)
class _Place:
    """A record's place, and the image that it is of, with its size in pixels."""

    reading: Reading
    border: _Border
    number: int
    image: str
    height: int
    width: int

    @property
    def text(self) -> str:
        return place(self.reading.name, self.number)

    def note(self, what: str, *, done: str) -> None:
        """Note a problem of this record; a polygon that is dropped is lost to its image."""
        lost = self.image if done == DROPPED else ""
        self.reading.problems.add(what, file=self.reading.name, row=self.number, done=done, lost=lost)


def sniff(path: Path) -> str | None:
    """Describe the file, or the folder with a dataset.jsonl, if it is of this format, else return None."""
    file = _records_file(path)
    if not file.is_file() or file.suffix.lower() != ".jsonl":
        return None
    with file.open("rb") as stream:
        start = stream.read(4096)
    if not is_binary(file) and b'"img"' not in start:
        return None
    return f"line-json ({'packed binary JSON' if is_binary(file) else 'text'})"


def read(reading: Reading) -> Source:
    """Open a line-json file or folder; images lie in its data/ unless `options.images` says otherwise.

    Labels are taken as they are, or as `params.json` names them. Object records take their class from --classes or
    from their folder's name.

    Raises:
        DataError: a record is malformed, an image named twice, missing or broken, a point outside its image.
    """
    description, options = sniff(reading.path) or "line-json", reading.options
    reading = replace(reading, path=_records_file(reading.path))
    if not reading.path.is_file():
        raise DataError(f"{reading.path} does not exist.")
    folder = reading.path.resolve().parent
    overview = _overview(reading)
    root = options.images or (folder / "data" if (folder / "data").is_dir() else folder)
    if options.size is None:
        images, where = ImageFolder(root, problems=reading.problems), f"{root.name}/"
    else:
        images, where = AbsentImages(root, sizes={}, usual=options.size), "none looked at"
    paths = resolve(reading, images, overview.rows)
    names = _names(overview.labels, options.classes, _named(folder))
    kind = "object records" if overview.objects else "image records"
    return Source(
        format="line-json",
        description=f"{description}, {len(overview.rows):,} {kind}. Images: {where}",
        classes=make_classes(list(names.values()), source_ids=[label_id(label) for label in names]),
        image_root=images.root,
        count=len(paths),
        records=_records(reading, names, images, paths=paths, wrong=overview.wrong),
    )


def write(
    out: Path,
    records: Iterable[ImageRecord],
    *,
    classes: Sequence[DefectClass],
    losses: Losses | None = None,
    binary: bool = False,
) -> Path:
    """Write image records, the index and `params.json` (which names the labels) to a folder; return the records' file.

    Labels are the classes' positions from 0, as the thesis' program expects them. Images are named relative to
    data/, where it looks for them.
    """
    labels = {defect_class.name: str(k) for k, defect_class in enumerate(classes)}
    losses = losses or Losses()
    note_class_ids(losses, classes, least=0)
    traced = (
        _traced(record, outlines, labels, losses=losses) for record, outlines in of_records(records, trace_centres_many)
    )
    path = write_records(out, map(packed_of if binary else text_of, traced), binary=binary)
    write_json(out / PARAMETERS, {"classes": {label: name for name, label in labels.items()}, "binary": binary})
    return path


def _traced(
    record: ImageRecord, outlines: Sequence[Sequence[NDArray[np.int32]]], labels: Mapping[str, str], *, losses: Losses
) -> Traced:
    losses.add_attributes(record)
    pairs = zip(record.annotations, outlines, strict=True)
    polygons = [(labels[annotation.label], points) for annotation, points in pairs if points]
    return Traced(record.file.removeprefix("data/"), polygons)


# Names and labels


def _records_file(path: Path) -> Path:
    return path / RECORDS if path.is_dir() else path


def _folder_label(folder: Path) -> str:
    return folder.name.removeprefix(_OBJECT_FOLDER) or "defect"


def _overview(reading: Reading) -> _Overview:
    overview, folder_label = _Overview(), _folder_label(reading.path.resolve().parent)
    for number, value in read_values(reading):
        overview.wrong.add(number)
        with reading.problems.attempt(file=reading.name, row=number, done="record left out"):
            _look_over(overview, value, number, place(reading.name, number), folder_label)
            overview.wrong.discard(number)
    return overview


def _look_over(overview: _Overview, value: Values, number: int, at: str, folder_label: str) -> None:
    name = value.get("img")
    if not isinstance(name, str) or not name:
        raise DataError(f"{at}  names no image (img).")
    if name in overview.rows:
        raise DataError(f"{at}  the image {name} was in record {overview.rows[name]} already.")
    if "points" in value and "polygons" not in value:
        overview.objects = True
        overview.labels[folder_label] = None
    else:
        overview.labels.update([(_label(polygon, at), None) for polygon in _polygons(value, at)])
    overview.rows[name] = number


def _polygons(value: Values, at: str) -> list[Values]:
    polygons = value.get("polygons")
    if not isinstance(polygons, list) or not all(isinstance(polygon, dict) for polygon in polygons):
        raise DataError(f"{at}  has neither a list of polygons nor points.")
    return polygons


def _label(polygon: Values, at: str) -> str:
    label = polygon.get("label")
    if isinstance(label, bool) or not isinstance(label, (str, int)) or label == "":
        raise DataError(f"{at}  a polygon has no usable label ({label!r}).")
    return str(label)


def _named(folder: Path) -> dict[str, str]:
    """Return the class names that our own writer put into params.json; {} where there are none."""
    path = folder / PARAMETERS
    value = read_json(path) if path.is_file() else {}
    classes = value.get("classes") if isinstance(value, dict) else None
    return {str(label): str(name) for label, name in classes.items()} if isinstance(classes, dict) else {}


def _names(labels: Iterable[str], choices: Sequence[ClassChoice], named: dict[str, str]) -> dict[str, str]:
    """Return label -> class name, in the order of --classes, of params.json, or of the labels."""
    used = list(labels)
    if not choices:
        rest = sorted((label for label in used if label not in named), key=label_order)
        return named | {label: label for label in rest}
    if len(choices) == 1 and len(used) == 1 and not choices[0].value:
        return {used[0]: choices[0].name}
    labelled = {name: label for label, name in reversed(named.items())}
    chosen = {choice.value or labelled.get(choice.name, choice.name): choice.name for choice in choices}
    unknown = next((label for label in used if label not in chosen), None)
    if unknown is not None:
        given = ",".join(choice.name for choice in choices)
        example = ",".join(f"{choice.name}={label}" for choice, label in zip(choices, used, strict=False))
        what = f"label {unknown} is not among the classes {given} given with --classes."
        raise DataError(what, remedy=f"Say which label each stands for, such as --classes {example}")
    return chosen


# Records


def _records(
    reading: Reading, names: Mapping[str, str], folder: ImageFolder, *, paths: Mapping[str, str], wrong: set[int]
) -> Iterator[ImageRecord]:
    border, folder_label = _Border(), _folder_label(reading.path.resolve().parent)
    for number, value in read_values(replace(reading, problems=Problems())):
        path = None if number in wrong else paths.get(value["img"])
        here = place(reading.name, number)
        size = measure(reading, folder, path, at=here, sized="shape" in value) if path else None
        if path is None or size is None:
            continue
        at = _Place(reading, border, number, value["img"], *size)
        annotations = None
        with reading.problems.attempt(file=reading.name, row=number, done="record left out"):
            annotations = _annotations(value, at, names, folder_label)
        if annotations is not None:
            source = {"name": value["img"]} if value["img"] != path else {}
            yield ImageRecord(file=path, height=size[0], width=size[1], annotations=annotations, source=source)
    if border.count:
        what = f"{border.count:,} polygons have points on the line behind the last pixel (first: {border.first})"
        reading.problems.add(what, file=reading.name, done="moved onto the last pixel")


def _annotations(value: Values, at: _Place, names: Mapping[str, str], folder_label: str) -> tuple[Annotation, ...]:
    polygons = value.get("polygons")
    if "polygons" not in value:
        _check_shape(value, at)
        polygons = [{"label": folder_label, "points": value["points"]}]
    masks = ((names[_label(polygon, at.text)], _mask(polygon, at)) for polygon in polygons or [])
    return tuple(Annotation(label=label, rle=mask) for label, mask in masks if mask is not None)


def _check_shape(value: Values, at: _Place) -> None:
    shape = value.get("shape", [at.height, at.width])
    if shape != [at.height, at.width]:
        turned, remedy = about_turning((at.height, at.width), shape, image=at.image)
        what = f"{at.text}  the shape is {shape}, {at.image} is {at.height} x {at.width} (height x width).{turned}"
        raise DataError(what, remedy=remedy)


def _mask(polygon: Values, at: _Place) -> Rle | None:
    parts = _parts(polygon.get("points"), at)
    usable = [_inside(part, at) for part in parts if len(part) >= 3]
    if len(usable) < len(parts):
        done = "left off" if usable else DROPPED
        at.note(f"{len(parts) - len(usable)} polygons of {at.image} have fewer than 3 points", done=done)
    elif not parts:
        at.note(f"a polygon of {at.image} has no points", done=DROPPED)
    return fill_centres(usable, height=at.height, width=at.width) if usable else None


def _parts(value: Any, at: _Place) -> list[Points]:
    """Return the polygons of `points`, which is one polygon or a list of them."""
    try:
        parts = value if value and isinstance(value[0][0], list) else [value] if value else []
        arrays = [np.array(part, dtype=np.float64).reshape(len(part), -1) for part in parts]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise DataError(f"{at.text}  the points of {at.image} are not lists of [x, y].") from error
    if any(part.size and (part.shape[1] != 2 or not np.isfinite(part).all()) for part in arrays):
        raise DataError(f"{at.text}  the points of {at.image} are not lists of [x, y].")
    return arrays


def _inside(part: Points, at: _Place) -> Points:
    """Check a polygon against its image; points on the line behind the last pixel are moved onto it."""
    size, clipping = np.array([at.width, at.height]), at.reading.options.clip_rle
    if part.max() <= 1 and (part != np.rint(part)).any():
        raise DataError(f"{at.text}  the points of {at.image} lie between 0 and 1; pixels are expected.")
    far = float(max(-part.min(), (part - size).max()))
    if far > (max(size) if clipping else 0):
        x, y = next(point for point in part.tolist() if min(point) < 0 or point[0] > at.width or point[1] > at.height)
        what = f"{at.text}  the point ({x:g}, {y:g}) lies outside {at.image} ({at.height} x {at.width})."
        raise DataError(what, remedy="" if clipping else "--clip-rle cuts it")
    if far > 0:
        at.note(f"a polygon reaches {far:.0f} px out of {at.image}", done="cut")
        return part
    if (part > size - 1).any():
        at.border.count += 1
        at.border.first = at.border.first or at.text
    return np.asarray(np.minimum(part, size - 1), dtype=np.float64)


LINE_JSON = Format(
    name="line-json",
    sniff=sniff,
    read=read,
    write=write,
    loses="the classes' ids (labels are positions from 0); masks with holes stay exact, cut into several polygons",
    options=frozenset({"binary"}),
    polygon_reader="cv2.fillPoly",
    image_folder="data",
)

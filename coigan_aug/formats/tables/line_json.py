"""The thesis' line-json: image records with `polygons`, object records with `points` and `shape`.

Vertices are (x, y) pixel centres and outlines belong to the mask (cv2.fillPoly); polygons of one annotation are
filled each alone and joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from coigan_aug.formats.image_folder import ImageFolder, open_folder, resolve
from coigan_aug.formats.image_sizes import about_turning, measure
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, place, whole_number
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


@dataclass(frozen=True)
class _Place:
    """A record's place in words, and the image that it is of, with its size in pixels."""

    file: str
    number: int
    image: str
    height: int
    width: int

    @property
    def text(self) -> str:
        return place(self.file, self.number)


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


def read(path: Path, *, options: ReadOptions, problems: Problems) -> Source:
    """Open a line-json file or folder; images lie in its data/ unless `options.images` says otherwise.

    Labels are taken as they are, or as `params.json` names them. Object records take their class from --classes or
    from their folder's name.

    Raises:
        DataError: a record is malformed, an image named twice, missing or broken, a point outside its image.
    """
    file = _records_file(path)
    if not file.is_file():
        raise DataError(f"{file} does not exist.")
    folder = file.resolve().parent
    overview = _overview(file, problems, _folder_label(folder))
    root = options.images or (folder / "data" if (folder / "data").is_dir() else folder)
    images = open_folder(root, options=options, problems=problems)
    paths = resolve(images, overview.rows, file=file.name, options=options, problems=problems)
    names = _names(overview.labels, options, _named(folder))
    where = "none looked at" if options.size else f"{root.name}/"
    kind = "object records" if overview.objects else "image records"
    return Source(
        format="line-json",
        description=f"{sniff(path) or 'line-json'}, {len(overview.rows):,} {kind}. Images: {where}",
        classes=make_classes(list(names.values()), source_ids=[_source_id(label) for label in names]),
        image_root=images.root,
        count=len(paths),
        records=_records(file, names, images, paths=paths, wrong=overview.wrong, options=options, problems=problems),
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
        _traced(record, found, labels, losses=losses) for record, found in of_records(records, trace_centres_many)
    )
    path = write_records(out, map(packed_of if binary else text_of, traced), binary=binary)
    write_json(out / PARAMETERS, {"classes": {label: name for name, label in labels.items()}, "binary": binary})
    return path


def _traced(
    record: ImageRecord, found: Sequence[Sequence[NDArray[np.int32]]], labels: Mapping[str, str], *, losses: Losses
) -> Traced:
    losses.add_attributes(record)
    polygons = [(labels[own.label], points) for own, points in zip(record.annotations, found, strict=True) if points]
    return Traced(record.file.removeprefix("data/"), polygons)


# Names and labels


def _records_file(path: Path) -> Path:
    return path / RECORDS if path.is_dir() else path


def _folder_label(folder: Path) -> str:
    return folder.name.removeprefix(_OBJECT_FOLDER) or "defect"


def _overview(file: Path, problems: Problems, folder_label: str) -> _Overview:
    found = _Overview()
    for number, value in read_values(file, problems=problems):
        found.wrong.add(number)
        with problems.attempt(file=file.name, row=number, done="record left out"):
            _look_over(found, value, number, place(file.name, number), folder_label)
            found.wrong.discard(number)
    return found


def _look_over(found: _Overview, value: Values, number: int, at: str, folder_label: str) -> None:
    name = value.get("img")
    if not isinstance(name, str) or not name:
        raise DataError(f"{at}  names no image (img).")
    if name in found.rows:
        raise DataError(f"{at}  the image {name} was in record {found.rows[name]} already.")
    if "points" in value and "polygons" not in value:
        found.objects = True
        found.labels[folder_label] = None
    else:
        found.labels.update([(_label(polygon, at), None) for polygon in _polygons(value, at)])
    found.rows[name] = number


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


def _names(labels: Iterable[str], options: ReadOptions, named: Mapping[str, str]) -> dict[str, str]:
    """Return label -> class name, in the order of --classes, of params.json, or of the labels."""
    found = list(labels)
    if not options.classes:
        rest = sorted((label for label in found if label not in named), key=_in_order)
        return dict(named) | {label: label for label in rest}
    if len(options.classes) == 1 and len(found) == 1 and not options.classes[0].value:
        return {found[0]: options.classes[0].name}
    chosen = {choice.value or _label_named(choice.name, named): choice.name for choice in options.classes}
    unknown = next((label for label in found if label not in chosen), None)
    if unknown is not None:
        given = ",".join(choice.name for choice in options.classes)
        example = ",".join(f"{choice.name}={label}" for choice, label in zip(options.classes, found, strict=False))
        what = f"label {unknown} is not among the classes {given} given with --classes."
        raise DataError(what, remedy=f"Say which label each stands for, such as --classes {example}")
    return chosen


def _label_named(name: str, named: Mapping[str, str]) -> str:
    return next((label for label, own in named.items() if own == name), name)


def _in_order(label: str) -> tuple[bool, int, str]:
    number = whole_number(label)
    return number is None, number or 0, label


def _source_id(label: str) -> int | str:
    number = whole_number(label)
    return label if number is None else number


# Records


def _records(
    file: Path,
    names: Mapping[str, str],
    folder: ImageFolder,
    *,
    paths: Mapping[str, str],
    wrong: set[int],
    options: ReadOptions,
    problems: Problems,
) -> Iterator[ImageRecord]:
    border = _Border()
    only = _folder_label(file.resolve().parent)
    for number, value in read_values(file, problems=Problems()):
        path = None if number in wrong else paths.get(value["img"])
        said = place(file.name, number)
        sized = "shape" in value
        size = measure(folder, path, options=options, problems=problems, said=said, sized=sized) if path else None
        if path is None or size is None:
            continue
        at = _Place(file.name, number, value["img"], *size)
        annotations = None
        with problems.attempt(file=file.name, row=number, done="record left out"):
            annotations = _annotations(value, at, names, only, options=options, problems=problems, border=border)
        if annotations is not None:
            source = {"name": value["img"]} if value["img"] != path else {}
            yield ImageRecord(file=path, height=size[0], width=size[1], annotations=annotations, source=source)
    if border.count:
        what = f"{border.count:,} polygons have points on the line behind the last pixel (first: {border.first})"
        problems.add(what, file=file.name, done="moved onto the last pixel")


def _annotations(
    value: Values,
    at: _Place,
    names: Mapping[str, str],
    only: str,
    *,
    options: ReadOptions,
    problems: Problems,
    border: _Border,
) -> tuple[Annotation, ...]:
    objects = "polygons" not in value
    if objects:
        _check_shape(value, at)
    polygons = [{"label": only, "points": value["points"]}] if objects else value["polygons"]
    found = ((names[_label(p, at.text)], _mask(p, at, options, problems=problems, border=border)) for p in polygons)
    return tuple(Annotation(label=label, rle=mask) for label, mask in found if mask is not None)


def _check_shape(value: Values, at: _Place) -> None:
    shape = value.get("shape", [at.height, at.width])
    if shape != [at.height, at.width]:
        turned, remedy = about_turning((at.height, at.width), shape, image=at.image)
        what = f"{at.text}  the shape is {shape}, {at.image} is {at.height} x {at.width} (height x width).{turned}"
        raise DataError(what, remedy=remedy)


def _mask(polygon: Values, at: _Place, options: ReadOptions, *, problems: Problems, border: _Border) -> Rle | None:
    parts = _parts(polygon.get("points"), at)
    usable = [_inside(part, at, options, problems=problems, border=border) for part in parts if len(part) >= 3]
    if len(usable) < len(parts):
        what = f"{len(parts) - len(usable)} polygons of {at.image} have fewer than 3 points"
        problems.add(what, file=at.file, row=at.number, done="dropped")
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


def _inside(part: Points, at: _Place, options: ReadOptions, *, problems: Problems, border: _Border) -> Points:
    """Check a polygon against its image; points on the line behind the last pixel are moved onto it."""
    size = np.array([at.width, at.height])
    if part.max() <= 1 and (part != np.rint(part)).any():
        raise DataError(f"{at.text}  the points of {at.image} lie between 0 and 1; pixels are expected.")
    far = float(max(-part.min(), (part - size).max()))
    if far > (max(size) if options.clip_rle else 0):
        x, y = next(point for point in part.tolist() if min(point) < 0 or point[0] > at.width or point[1] > at.height)
        what = f"{at.text}  the point ({x:g}, {y:g}) lies outside {at.image} ({at.height} x {at.width})."
        raise DataError(what, remedy="" if options.clip_rle else "--clip-rle cuts it")
    if far > 0:
        problems.add(f"a polygon reaches {far:.0f} px out of {at.image}", file=at.file, row=at.number, done="cut")
        return part
    if (part > size - 1).any():
        border.count += 1
        border.first = border.first or at.text
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

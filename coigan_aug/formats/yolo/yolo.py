"""YOLO segmentation: a text file beside each image, a line for each object: class and polygon.

Vertices are pixel centres and readers draw with cv2.fillPoly, so that is how polygons are filled here; each line is
an object of its own. Shares are those of the image as EXIF turns it: so Ultralytics and supervision read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from coigan_aug.annotations.keyholes import trace_parts
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_sizes import measure
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import ClassChoice, Source, claim, make_classes
from coigan_aug.formats.yolo.files import (
    SETTINGS,
    Layout,
    class_names,
    label_of,
    labels_without_image,
    looks_like_labels,
    names_file,
    open_layout,
    read_settings,
    settings_file,
)
from coigan_aug.formats.yolo.lines import DONE, Line, fill_line, read_line, turned_rectangles, write_line
from coigan_aug.formats.yolo.turning import as_stored, size_shown

_POINTS = "kpt_shape"
_LOOKED_AT = 50
_WRITTEN = {"train": "train", "test": "val"}
_NO_SPLIT = b"# There is no share to validate with among these images: name yours as val.\n"


def sniff(path: Path) -> str | None:
    """Describe the data.yaml, or the folder with one or with label files, if it is of this format, else return None."""
    file = settings_file(path) if path.exists() else None
    if file is not None:
        try:
            known = {"names", "nc"} & set(read_settings(file))
        except DataError:
            return None
        return f"YOLO-seg ({file.name})" if known else None
    return "YOLO-seg (label files)" if path.is_dir() and looks_like_labels(path) else None


def read(reading: Reading) -> Source:
    """Open a data.yaml or its folder; an image's labels lie in labels/ where it lies in images/, or beside it.

    Images without a label file, or with an empty one, are defect-free: so Ultralytics defines it. Lines that hold a box
    are dropped and counted, and their image is of unknown state; so with key points (pose), which data.yaml or the numbers
    tell. Rotated boxes (OBB) are polygons.
    What a list or folder of data.yaml calls an image (train, val, test) is kept in `record.source["split"]`.

    Raises:
        DataError: data.yaml or a line is malformed, a class unknown, a polygon leaves its image, an image is missing or
            broken, or no image has a label file; the message names file and line.
    """
    if not reading.path.exists():
        raise DataError(f"{reading.path} does not exist.")
    layout, settings = open_layout(reading)
    labels = _label_files(layout)
    orphans = labels_without_image(layout)
    if orphans:
        reading.problems.add(f"{len(orphans):,} label files have no image", file=orphans[0], done="left out")
    names, where = _names(layout, settings, labels)
    classes = make_classes(list(names.values()), source_ids=list(names))
    pose = settings.get(_POINTS) is not None
    kind = "YOLO-pose" if pose else "YOLO-OBB" if _are_turned(layout, labels) else "YOLO-seg"
    return Source(
        format="yolo",
        description=f"{kind} ({where}), {len(labels):,} label files. Images: {layout.folder.root}/",
        classes=classes,
        image_root=layout.folder.root,
        count=len(layout.images),
        records=_records(layout, labels, names, pose=pose),
    )


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/labels/<image's path>.txt` for each image, and `out/data.yaml`; return that.

    Each part of a mask is a line, its holes joined to its outline; drawn by cv2.fillPoly with rounded (or cut off)
    corners the lines of a mask give exactly the mask. Classes are positions from 0. Images of the test share are val,
    by lists of images, where there are any.

    Raises:
        DataError: two images differ in their suffix only, so that their label files are one.
    """
    losses = losses or Losses()
    numbers = {defect_class.name: k for k, defect_class in enumerate(classes)}
    note_class_ids(losses, classes, least=0)
    shares: dict[str, list[str]] = {}
    taken: dict[str, str] = {}
    for record in records:
        image = _below_images(record.file)
        label = label_of(image)
        claim(label, record.file, taken)
        shares.setdefault(_WRITTEN.get(record.split, ""), []).append(image)
        write_bytes(out / label, "".join(_lines(record, numbers, losses)).encode())
    return _write_settings(out, shares, list(numbers))


def _below_images(file: str) -> str:
    """Return where an image lies: as named where that is in a folder `images`, else in that folder."""
    return file if "images" in file.lower().split("/")[:-1] else f"images/{file}"


def _lines(record: ImageRecord, numbers: Mapping[str, int], losses: Losses) -> Iterator[str]:
    losses.add_attributes(record)
    for annotation in record.annotations:
        parts = trace_parts(annotation.rle)
        losses.add("masks without pixels, which are left out", first=record.file, count=not parts)
        what = "masks of several parts, each of which is an object of its own"
        losses.add(what, first=record.file, count=len(parts) > 1)
        for points in parts:
            line = write_line(numbers[annotation.label], points, height=record.height, width=record.width)
            yield f"{line}\n"


def _write_settings(out: Path, shares: Mapping[str, Sequence[str]], names: Sequence[str]) -> Path:
    """Write data.yaml, and lists of images where some are for training and some to validate with."""
    path, note = out / SETTINGS, b""
    value: dict[str, Any] = {"train": "images", "val": "images"}
    if shares.get("val"):
        value = {"train": "train.txt", "val": "val.txt"}
        images = {"train": [*shares.get("train", []), *shares.get("", [])], "val": shares["val"]}
        for share, paths in images.items():
            write_bytes(out / value[share], "".join(f"./{image}\n" for image in paths).encode())
    else:
        note = _NO_SPLIT
    value["names"] = dict(enumerate(names))
    write_bytes(path, note + yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode())
    return path


# Label files and classes


def _label_files(layout: Layout) -> dict[str, Path]:
    """Return image -> label file, for those that have one.

    Raises:
        DataError: none has, or two images share one.
    """
    files: dict[str, Path] = {}
    owner: dict[Path, str] = {}
    for image in layout.images:
        file = layout.label(image)
        if file is None:
            continue
        if file in owner:
            raise DataError(f"the images {owner[file]} and {image} have one label file, {layout.name(file)}.")
        files[image], owner[file] = file, image
    if not files:
        first = next(iter(layout.images), None)
        looked = f"of {len(layout.images):,} images (looked for {label_of(first)})" if first else "and no image"
        raise DataError(
            f"{layout.folder.root} holds no label file {looked}.", remedy="Say where the images are: --images DIR"
        )
    return files


def _names(layout: Layout, settings: Mapping[Any, Any], labels: Mapping[str, Path]) -> tuple[dict[int, str], str]:
    """Return class number -> name, and where they are from: data.yaml, classes.txt, --classes, or the numbers used."""
    file, choices = settings_file(layout.reading.path), layout.reading.options.classes
    declared = class_names(settings, file.name) if file is not None else None
    listed = names_file(layout.home) if declared is None else None
    names, where = listed if listed is not None else (declared, file.name if file is not None and declared else "")
    if choices:
        return _chosen(names, choices, where), where or "classes from --classes"
    if names is not None:
        return names, where
    used = sorted({line.label for file in labels.values() for line in _read_lines(layout, file)})
    return {number: str(number) for number in used}, "classes by number"


def _chosen(names: Mapping[int, str] | None, choices: Sequence[ClassChoice], file: str) -> dict[int, str]:
    """Return class number -> name for --classes: by number, by the name in the source, else in order from 0."""
    chosen: dict[int, str] = {}
    for k, choice in enumerate(choices):
        number = next((key for key, name in (names or {}).items() if name == choice.name), None)
        if choice.value:
            number = int(choice.value) if choice.value.isascii() and choice.value.isdigit() else None
        elif names is None:
            number = k
        if number is None or (names is not None and number not in names):
            have = ", ".join(f"{name} ({key})" for key, name in (names or {}).items())
            what = f"{file or '--classes'} has no class {choice.value or choice.name} as --classes says; it has {have}."
            raise DataError(what, remedy="Name them by number: --classes NAME=0,NAME=1")
        chosen[number] = choice.name
    return chosen


# Records


def _records(
    layout: Layout, labels: Mapping[str, Path], names: Mapping[int, str], *, pose: bool
) -> Iterator[ImageRecord]:
    reading = layout.reading
    for image, split in layout.images.items():
        size = measure(reading, layout.folder, image, turned_back=image in labels)
        if size is None:
            continue
        height, width = size
        orientation = layout.folder.header(image, deep=reading.options.value_range is not None).orientation
        shown = size_shown(size, orientation)
        annotations = []
        for line in _read_lines(layout, labels[image], pose=pose) if image in labels else ():
            _check_class(line, names)
            if line.points is None:
                reading.problems.count(line.lack, file=line.file, row=line.number, done=DONE[line.lack], lost=image)
            mask = fill_line(reading, line, height=shown[0], width=shown[1], image=image)
            if mask is not None:
                annotations.append(Annotation(label=names[line.label], rle=as_stored(mask, orientation)))
        source = {"split": split} if split else {}
        yield ImageRecord(file=image, height=height, width=width, annotations=tuple(annotations), source=source)


def _are_turned(layout: Layout, labels: Mapping[str, Path]) -> bool:
    """Tell whether the first label files hold rotated boxes; a file that can't be read is told of when its turn comes."""
    lines: list[Line] = []
    for path in list(labels.values())[:_LOOKED_AT]:
        with suppress(DataError):
            lines += _read_lines(layout, path)
    return turned_rectangles(lines)


def _read_lines(layout: Layout, path: Path, *, pose: bool = False) -> Iterator[Line]:
    file = layout.name(path)
    try:
        with path.open("rb") as stream:
            for number, text in enumerate(stream, start=1):
                line = read_line(
                    text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text, file=file, number=number, pose=pose
                )
                if line is not None:
                    yield line
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}.") from error


def _check_class(line: Line, names: Mapping[int, str]) -> None:
    if line.label not in names:
        known = ", ".join(f"{number} ({name})" for number, name in list(names.items())[:8])
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise DataError(f"{line.place}  class {line.label} is not among the classes {known or '(none)'}{more}.")


YOLO = Format(
    name="yolo",
    sniff=sniff,
    read=read,
    write=write,
    loses="which parts of a mask are one object (each is a line), and the classes' ids (positions from 0)",
    keeps=frozenset({"split"}),
    polygon_reader="cv2.fillPoly",
    shown_turned=True,
)

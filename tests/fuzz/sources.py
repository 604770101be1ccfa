"""Small valid sources of every format, made by the formats' own writers, and what reading a damaged one may do."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.config import load_settings, settings_from_dict, settings_to_dict, settings_to_yaml
from coigan_aug.errors import CoiganError
from coigan_aug.formats.detect import detect, format_named, open_source
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes
from coigan_aug.formats.tables.line_json_files import write_records
from coigan_aug.imaging import write_image
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset

CLASSES = make_classes(["pit", "long scratch"], source_ids=[3, 7])
SIZES = ((20, 30), (24, 16), (12, 12))
OPTIONS = (
    ReadOptions(),
    ReadOptions(clip_rle=True, skip_missing=True, skip_broken=True),
)
_LONGEST_MESSAGE = 6_000


def _records(folder: str) -> list[ImageRecord]:
    """Make records of three images: parts, a hole, a single pixel, two of one class, and none."""
    made = []
    for k, (height, width) in enumerate(SIZES):
        ring, line, dot = (np.zeros((height, width), np.uint8) for _ in range(3))
        cv2.circle(ring, (7, 7), 4, 1, 2)
        line[2:4, 1:9] = line[9:11, 2:6] = 1
        dot[height - 1, width - 1] = 1
        found = [("pit", ring), ("long scratch", line), ("pit", dot)][: 3 - k - (k == 2)]
        annotations = tuple(
            Annotation(label=label, rle=rle.encode(mask), attributes={"id": 5}) for label, mask in found
        )
        file = f"{folder}/{'abü'[k]} {k}.png"
        made.append(ImageRecord(file=file, height=height, width=width, annotations=annotations))
    return made


def _write(name: str, out: Path, **options: object) -> Path:
    records = _records(format_named(name).image_folder)
    for record in records:
        write_image(out / record.file, np.full((record.height, record.width), 90, np.uint8))
    written = format_named(name).write(out, records, classes=CLASSES, **options)
    return next(path for path in (written, out, written.parent) if _is(path, name))


def _is(path: Path, name: str) -> bool:
    """Tell whether a path is what one opens to read a format: with masks, in it."""
    try:
        source = open_source(path, options=ReadOptions(), problems=Problems(), name=name)
        return any(record.annotations for record in source.records)
    except CoiganError:
        return False


def _coco_polygons(out: Path) -> Path:
    path = _write("coco", out)
    top = json.loads(path.read_text())
    outlines = [[[3.5, 3, 9, 3, 9.25, 8, 3, 8]], {"size": list(SIZES[0]), "counts": [25, 5, 10, 2, 558]}]
    for item, value in zip(top["annotations"], outlines, strict=False):
        item |= {"segmentation": value, "iscrowd": 1, "score": 0.5, "seen by": {"who": ["x"]}}
    path.write_text(json.dumps(top))
    return path


def _objects(out: Path) -> Path:
    _write("line-json", out)
    lines = out / "object_dataset_pit"
    lines.mkdir()
    rows = [
        {"img": "a 0.png", "points": [[2, 3], [8, 3], [8, 9]], "shape": [20, 30]},
        {"img": "b 1.png", "points": [[[1, 1], [4, 1], [4, 4]]]},
    ]
    write_records(lines, [json.dumps(row).encode() + b"\n" for row in rows], binary=False)
    (out / "data").rename(lines / "data")
    return lines


def _joined(out: Path) -> Path:
    path = _write("severstal", out)
    rows = "a 0.png_1,1 5 41 2\na 0.png_2,\nb 1.png_2,24 1\n"
    path.write_text("ImageId_ClassId,EncodedPixels\n" + rows)
    return path


def _by_rows(out: Path) -> Path:
    path = _write("severstal", out)
    rows = "a 0,pit,1 5 41 2\na 0,pit,60 1\nb 1,long scratch,24 1\nü 2,pit,\n"
    path.write_bytes(f"id\tclass\tsegmentation\n{rows}".replace(",", "\t").encode("utf-16"))
    return path


def _via_export(out: Path) -> Path:
    path = _write("via", out)
    images = json.loads(path.read_text())["_via_img_metadata"]
    shapes = [{"name": "rect", "x": 1, "y": 1, "width": 3, "height": 2}, {"name": "circle", "cx": 5, "cy": 5, "r": 3}]
    for entry in images.values():
        entry["regions"] += [{"shape_attributes": shape, "region_attributes": {"class": "pit"}} for shape in shapes]
    path.write_text(json.dumps(images))
    return path


def _panoptic(out: Path) -> Path:
    path = _write("coco", out)
    top = json.loads(path.read_text())
    for image in top["images"]:
        own = [item for item in top["annotations"] if item.get("image_id") == image["id"]]
        numbers = np.zeros((image["height"], image["width"], 3), np.uint8)
        numbers[2:5, 2:9, 0], numbers[6:9, 1:4, 1] = 7, 2
        segments = [{"id": number, "category_id": 3} for number in (7, 512)]
        write_image(out / path.stem / f"{image['id']}.png", numbers)
        picture = {"image_id": image["id"], "file_name": f"{image['id']}.png", "segments_info": segments}
        top["annotations"] = [picture, *(item for item in top["annotations"] if item not in own)]
    path.write_text(json.dumps(top))
    return path


def _voc_polygons(out: Path) -> Path:
    path = _write("voc", out)
    polygon = "<polygon><x1>2</x1><y1>3</y1><x2>9</x2><y2>3.5</y2><x3>5</x3><y3>11</y3></polygon>"
    for file in (path / "Annotations").iterdir():
        file.write_text(file.read_text().replace("</bndbox>", f"</bndbox>{polygon}"))
    for folder in ("SegmentationClass", "SegmentationObject"):
        shutil.rmtree(path / folder)
    return path


SOURCES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    **{name: (name, lambda out, name=name: _write(name, out)) for name in NAMES},  # type: ignore[misc]
    "coco, polygons": ("coco", _coco_polygons),
    "coco, panoptic": ("coco", _panoptic),
    "via, export": ("via", _via_export),
    "severstal, by rows": ("severstal", _by_rows),
    "line-json, packed": ("line-json", lambda out: _write("line-json", out, binary=True)),
    "line-json, objects": ("line-json", _objects),
    "severstal, joined": ("severstal", _joined),
    "voc, polygons": ("voc", _voc_polygons),
}
"""A source's name -> its format, and what writes it to a folder and returns what to open."""


def _store(out: Path, *, binary: bool) -> Path:
    records = _records("images")
    for record in records:
        write_image(out / record.file, np.full((record.height, record.width), 90, np.uint8))
    store = out / "coigan" / "dataset"
    write_dataset(store, records, classes=CLASSES, image_root=out, provenance={"format": "coco"}, binary=binary)
    return store


def _settings(out: Path) -> Path:
    out.mkdir(parents=True)
    (out / "coigan.yaml").write_text(settings_to_yaml(Settings()))
    return out / "coigan.yaml"


OWN: dict[str, Callable[[Path], Path]] = {
    "store": lambda out: _store(out, binary=False),
    "store, packed": lambda out: _store(out, binary=True),
    "settings": _settings,
}
"""The program's own files, which a person may damage too."""
EVERYTHING = (*SOURCES, *OWN)


@dataclass(frozen=True)
class Sample:
    """A written source that can be damaged and mended: its folder, what to open, and the bytes of its own files."""

    format: str
    folder: Path
    path: Path
    files: dict[Path, bytes]

    def mend(self) -> None:
        """Put every file back."""
        for path, data in self.files.items():
            if path.is_dir():
                shutil.rmtree(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def write_sample(name: str, folder: Path) -> Sample:
    """Write a source; its own files are all but the images: what is annotated, masks among it, and the index."""
    kind, make = SOURCES[name] if name in SOURCES else (name, OWN[name])
    path = make(folder)
    files = sorted(found for found in folder.rglob("*") if found.is_file())
    images = {folder / "images" / record.file for record in _records(".")}
    if name in SOURCES:
        source = open_source(path, options=ReadOptions(), problems=Problems(), name=kind)
        images = {source.image_root / record.file for record in source.records}
    own = [file for file in files if file not in images]
    return Sample(kind, folder, path, {file: file.read_bytes() for file in own})


Read = tuple[Source, list[ImageRecord]]


def read(sample: Sample, options: ReadOptions) -> Read | CoiganError:
    """Read a source wholly; what comes out are sound records, or an error for people that is no novel."""
    problems = Problems()
    try:
        detect(sample.path)
        source = open_source(sample.path, options=options, problems=problems, name=sample.format)
        records = list(source.records)
    except CoiganError as error:
        assert 0 < len(str(error)) < _LONGEST_MESSAGE, str(error)[:200]
        return error
    names = {known.name for known in source.classes}
    assert len(records) <= source.count
    assert all(len(str(problem)) < _LONGEST_MESSAGE for problem in problems.all)
    for record in records:
        _check(record, names, source.image_root)
    return source, records


def _check(record: ImageRecord, names: set[str], root: Path) -> None:
    assert (root / record.file).resolve().is_relative_to(root.resolve())
    assert (root / record.file).is_file()
    for annotation in record.annotations:
        assert annotation.label in names
        assert (annotation.rle.height, annotation.rle.width) == (record.height, record.width)
        assert rle.canonical(annotation.rle) == annotation.rle


def damaged_reads(sample: Sample) -> Iterator[object]:
    """Read a source with each set of options, or a file of the program's own."""
    if sample.format in OWN:
        yield _read_own(sample)
        return
    for options in OPTIONS:
        yield read(sample, options)


def _read_own(sample: Sample) -> object:
    try:
        if sample.format == "settings":
            settings = load_settings(file=sample.path)
            assert settings_from_dict(settings_to_dict(settings), where="test") == settings
            return settings
        dataset = Dataset(sample.path)
        for k, record in enumerate(dataset):
            assert ".." not in record.file.split("/")
            assert all(mask.shape == (record.height, record.width) for mask in dataset.masks(k).values())
            dataset.image(k)
        return list(dataset)
    except CoiganError as error:
        assert 0 < len(str(error)) < _LONGEST_MESSAGE, str(error)[:200]
        return error


def carry_on(found: Read, folder: Path) -> None:
    """Store what was read, and write it in every format: it comes back equal, or ends in an error for people.

    Raises:
        AssertionError: it does not, or something was written outside of the folders given.
    """
    source, records = found
    for binary in (False, True):
        with contextlib.suppress(CoiganError):
            dataset = write_dataset(
                folder / "out" / "store",
                records,
                classes=source.classes,
                image_root=source.image_root,
                provenance={},
                binary=binary,
            )
            assert dataset.classes == source.classes
            if not binary:  # pbjson keeps 16 digits of a float
                assert list(dataset) == records
    for name in NAMES:
        with contextlib.suppress(CoiganError):
            format_named(name).write(folder / "out" / name, records, classes=source.classes)
    assert {path.name for path in folder.iterdir()} <= {"data", "out"}
    shutil.rmtree(folder / "out", ignore_errors=True)

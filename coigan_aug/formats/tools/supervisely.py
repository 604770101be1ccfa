"""Supervisely: a project folder with meta.json and, in each dataset, `img/` and `ann/<image's name>.json`.

Outlines are drawn as Supervisely's own SDK draws them: vertices are pixel centres and the outline belongs to the object
(cv2.fillPoly), holes are cut out with their outlines. Bitmaps are exact.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import write_json
from coigan_aug.formats.drawn import Place, attributes_from, with_pixels
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, first_there, resolve_files
from coigan_aug.formats.image_sizes import check_size, clean_records, images_without, measure
from coigan_aug.formats.json_files import load_object
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of, colour_text
from coigan_aug.formats.losses import Losses, add_class_ids
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Source
from coigan_aug.formats.tools.supervisely_objects import (
    KINDS,
    kind_of,
    mask_of,
    tags_of,
    written_object,
    written_tags,
)

META = "meta.json"
_DATASET, _NESTED = "ds0", "datasets"
_Item = dict[str, Any]


def sniff(path: Path) -> str | None:
    """Describe the folder if it is a project: meta.json that lists classes, and a dataset with ann/; else return None."""
    folder = _project(path)
    if not (folder / META).is_file() or not any(_annotation_folders(folder)):
        return None
    with (folder / META).open("rb") as stream:
        return "Supervisely project" if b'"classes"' in stream.read(1 << 20) else None


def _project(path: Path) -> Path:
    """Return the folder of a project that is named by it or by its meta.json."""
    return path.parent if path.name == META and path.is_file() else path


def _annotation_folders(root: Path) -> Iterator[str]:
    """Yield the datasets, relative to the project: the folders that hold a folder ann ("" for the project itself)."""
    for folder, folders, _ in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "ann" in folders:
            yield "" if Path(folder) == root else Path(folder).relative_to(root).as_posix()
        folders[:] = [name for name in folders if name not in ("ann", "img")]


def read(reading: Reading) -> Source:
    """Open a project (its folder, or its meta.json). Its classes are those of meta.json, with their colours and ids.

    Rectangles are taken as filled; objects without an area are dropped; images without a file in ann/ are taken as
    defect-free. All three are noted. Tags are the attributes of objects, and of images in `record.source["tags"]`.

    Raises:
        DataError: a file is damaged, an object is of an unknown class or does not fit its image, an image is missing,
            broken or of another size.
    """
    root = _project(reading.path)
    reading, options = replace(reading, path=root), reading.options
    listed = _classes_of(load_object(root / META, kind="a project's meta.json"))
    names = chosen_labels(listed, options.classes)
    files = {file: image for dataset in _annotation_folders(root) for file, image in _files(root, dataset)}
    if not files:
        raise DataError(f"{root} holds no annotations of Supervisely (a dataset's folder with ann/ and img/).")
    folder = ImageFolder(options.images or root, problems=reading.problems)
    images = {file: first_there(folder, _names(image)) for file, image in files.items()}
    paths = resolve_files(reading, folder, images)
    others = []
    if options.images is None:
        others = images_without(reading, folder, set(paths.values()), lack="file in ann/")
    return Source(
        format="supervisely",
        description=f"Supervisely project ({len(files):,} images, {len(listed)} classes). Images: {folder.root}/",
        classes=classes_of(names, colours=_values(listed, "color", str), source_ids=_values(listed, "id", int)),
        image_root=folder.root,
        count=len(paths) + len(others),
        records=_records(reading, names, folder, paths=paths, others=others),
    )


# The project


def _classes_of(meta: _Item) -> dict[str, _Item]:
    """Return name -> entry of the classes of meta.json.

    Raises:
        DataError: they are malformed.
    """
    classes = meta.get("classes")
    if not isinstance(classes, list):
        raise DataError(f"{META} is not a project's: it has no list 'classes'.")
    entries: dict[str, _Item] = {}
    for k, item in enumerate(classes):
        title = item.get("title") if isinstance(item, dict) else None
        if not isinstance(title, str) or not title:
            raise DataError(f"{META}: classes[{k}] has no title.")
        if title in entries:
            raise DataError(f"{META}: two classes are named {title}.")
        entries[title] = item
    return entries


def _values(listed: Mapping[str, _Item], key: str, kind: type) -> dict[str, Any]:
    """Return what meta.json says of its classes under a key, where it is of a kind."""
    return {title: item[key] for title, item in listed.items() if type(item.get(key)) is kind}


def _files(root: Path, dataset: str) -> Iterator[tuple[str, str]]:
    """Yield a dataset's annotation files with the images they are of, both relative to the project.

    An older export names a file without the image's suffix: it is of the image of the same stem.
    """
    before = f"{dataset}/" if dataset else ""
    images = root / dataset / "img"
    there = sorted(entry.name for entry in images.iterdir()) if images.is_dir() else []
    stems = {name.rpartition(".")[0]: name for name in there}
    known = set(there)
    for entry in sorted((root / dataset / "ann").iterdir()):
        if entry.suffix.lower() == ".json" and entry.is_file():
            name = entry.name[: -len(".json")]
            yield f"{before}ann/{entry.name}", f"{before}img/{name if name in known else stems.get(name, name)}"


def _names(image: str) -> list[str]:
    """Return the names by which an image is looked for: with its img/, without it, and alone."""
    dataset, _, name = image.rpartition("/img/")
    alone = name.removeprefix("img/")
    return [image, f"{dataset}/{alone}" if dataset else alone, alone]


# Records


def _records(
    reading: Reading, names: Mapping[str, str], folder: ImageFolder, *, paths: Mapping[str, str], others: Sequence[str]
) -> Iterator[ImageRecord]:
    for file, image in paths.items():
        item = load_object(reading.path / file, kind="an annotation of Supervisely")
        stated = item.get("size", {})
        if not isinstance(stated, dict):
            raise DataError(f"{file} has no usable size.")
        size = measure(reading, folder, image, at=file, sized={"height", "width"} <= stated.keys())
        if size is None:
            continue
        check_size(size, (stated.get("height", size[0]), stated.get("width", size[1])), image=image, file=file)
        at = Place(reading, file, file, image, *size)
        drawn = [_annotation(value, names, here) for value, here in _objects(item, at)]
        source = attributes_from({"tags": tags_of(item, at)}, at, but=())
        annotations = tuple(annotation for annotation in drawn if annotation is not None)
        yield ImageRecord(file=image, height=size[0], width=size[1], annotations=annotations, source=source)
    yield from clean_records(reading, folder, others)


def _objects(item: _Item, at: Place) -> list[tuple[_Item, Place]]:
    objects = item.get("objects")
    if not isinstance(objects, list) or not all(isinstance(value, dict) for value in objects):
        raise DataError(f"{at.file} is not an annotation of Supervisely: it has no list of objects.")
    return [(value, replace(at, text=f"{at.file}: objects[{k}]")) for k, value in enumerate(objects)]


def _annotation(value: _Item, names: Mapping[str, str], at: Place) -> Annotation | None:
    title, kind, project = value.get("classTitle"), kind_of(value, at), f"{at.reading.name}/"
    if not KINDS.become_masks(kind, at.reading.options):
        KINDS.note_dropped(kind, at, file=project)
        return None
    if not isinstance(title, str) or not title:
        raise DataError(f"{at.text} has no classTitle.")
    if kind == "rectangle":
        at.count("rectangles, which need not be outlines", file=project, done="taken as filled")
    label = class_of(title, names, at.text)
    drawn = mask_of(value, kind, at)
    mask = None if drawn is None else with_pixels(drawn, at)
    if mask is None:
        return None
    about: _Item = {key: value[key] for key in ("id", "description") if key in value}
    return Annotation(label=label, rle=mask, attributes=attributes_from(about, at, but=()) | tags_of(value, at))


# Writing


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write a project to `out`: each image's objects as bitmaps to `<dataset>/ann/<image>.json`, and meta.json; return it.

    An image in `<dataset>/img/` keeps its dataset; of any other, the folder below images/ names the dataset (ds0 where
    there is none), and its image belongs into the dataset's img/. Attributes are written as tags.
    """
    losses = losses or Losses()
    kinds: dict[str, str] = {}
    places: dict[str, str] = {}
    for record in records:
        place = _place(record.file)
        if place in places:
            raise DataError(f"{record.file} and {places[place]} would both be described by {place}.")
        places[place] = record.file
        write_json(out / place, _written(record, kinds, losses))
    write_json(out / META, _meta(classes, kinds, losses))
    return out


def image_place(name: str) -> str:
    """Return where an image belongs: in img/ of the dataset that its folder names, ds0 where there is none.

    A dataset within another lies in its folder datasets/: Supervisely passes over others.

    >>> image_place("a.png"), image_place("line 1/a.png"), image_place("line 1/img/a.png")
    ('ds0/img/a.png', 'line 1/img/a.png', 'line 1/img/a.png')
    >>> image_place("mill/line 1/a.png")
    'mill/datasets/line 1/img/a.png'
    """
    *folders, file = name.split("/")
    return f"{_dataset(folders)}/img/{file}"


def _dataset(folders: Sequence[str]) -> str:
    parts = folders[:-1] if folders[-1:] == ["img"] else folders
    nested = len(parts) % 2 == 1 and set(parts[1::2]) <= {_NESTED}
    return "/".join(parts) if nested else f"/{_NESTED}/".join(parts or [_DATASET])


def _place(file: str) -> str:
    *folders, name = file.split("/")
    return f"{_dataset(folders[1:] if folders[:1] == ['images'] else folders)}/ann/{name}.json"


def _written(record: ImageRecord, kinds: dict[str, str], losses: Losses) -> _Item:
    filled = [annotation for annotation in record.annotations if rle.area(annotation.rle)]
    empty = len(record.annotations) - len(filled)
    losses.add("masks without pixels, which are left out", first=record.file, count=empty)
    values = record.source.get("tags")
    tags, lost = written_tags(values if isinstance(values, dict) else {}, kinds)
    losses.add("tags of images that are no tags of Supervisely, which are not written", first=record.file, count=lost)
    size = {"height": record.height, "width": record.width}
    objects = [written_object(annotation, kinds, record, losses) for annotation in filled]
    return {"description": "", "tags": tags, "size": size, "objects": objects}


def _meta(classes: Sequence[DefectClass], kinds: Mapping[str, str], losses: Losses) -> _Item:
    written = [c.source_id if isinstance(c.source_id, int) else None for c in classes]
    add_class_ids(losses, classes, written)
    listed = [
        {"title": c.name, "shape": "bitmap", "color": colour_text(c.colour).upper(), "geometry_config": {}}
        | ({} if number is None else {"id": number})
        for c, number in zip(classes, written, strict=True)
    ]
    tags = [{"name": name, "value_type": kind, "color": "#808080"} for name, kind in kinds.items()]
    return {"classes": listed, "tags": tags, "projectType": "images"}


SUPERVISELY = Format(
    name="supervisely",
    sniff=sniff,
    read=read,
    write=write,
    loses="attributes that are no text, number or `true` (Supervisely's tags are those)",
    keeps=frozenset({"tags"}),
    image_folder="ds0/img",
    image_place=image_place,
)

"""labelme: a JSON file beside each image, with polygons, rectangles, circles and masks.

Outlines are drawn as labelme's own exports draw them (`shape_to_mask`, by Pillow), pixel for pixel: a vertex stands for
the pixel that it lies in, and the outline belongs to the shape. Masks are PNG pictures of a box whose last row and column
belong to it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes, write_json
from coigan_aug.formats.drawn import Place, attributes_from, with_pixels
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, open_images, resolve_files
from coigan_aug.formats.image_sizes import check_size, clean_records, images_without, measure
from coigan_aug.formats.json_files import both_ends, load_json
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.names import CARD
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Source
from coigan_aug.formats.tools.labelme_shapes import KINDS, mask_of, shapes_of, written_shapes

LABELS = "labels.txt"
_SPECIAL = frozenset({"__ignore__", "_background_"})
_SHAPE_KEYS = frozenset({"label", "points", "shape_type", "mask"})
_LOOKED_AT = 20
_Item = dict[str, Any]


@dataclass
class _Overview:
    """What a first pass found: JSON file -> the image it names, the labels of shapes with an area, files left out.

    `embedded` names the files that hold their image's pixels too.
    """

    images: dict[str, str] = field(default_factory=dict)
    labels: dict[str, None] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    shapes: int = 0


def sniff(path: Path) -> str | None:
    """Describe the file, or the folder with such files, if it is of labelme, else return None."""
    if path.is_file():
        return "labelme JSON" if path.suffix.lower() == ".json" and _looks_so(path) else None
    if not path.is_dir():
        return None
    files = _files(path)
    return (
        f"labelme JSON ({len(files):,} files)" if any(_looks_so(path / name) for name in files[:_LOOKED_AT]) else None
    )


def _looks_so(path: Path) -> bool:
    try:
        start, end = both_ends(path)
    except OSError:
        return False
    known = b'"shapes"' in start + end and any(f'"{key}"'.encode() in start + end for key in ("imagePath", "imageData"))
    return start.startswith(b"{") and known


def _files(path: Path) -> list[str]:
    """Return the JSON files of a source, relative to its folder; of one that is a file, its name."""
    if not path.is_dir():
        return [path.name]
    paths = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(folder).relative_to(path).as_posix()
        paths += [posixpath.normpath(f"{below}/{name}") for name in names if name.lower().endswith(".json")]
    return sorted(paths)


def read(reading: Reading) -> Source:
    """Open a folder of labelme's JSON files (or one file) and their images. Pixels in the files (imageData) are not used.

    Shapes of one label and group_id are parts of one object. Shapes without an area are dropped, which is noted with
    their number; lines have one where the options say their width. Images in the same folders without a file are taken as
    defect-free, which is noted too. Flags, descriptions and group_ids are kept in the attributes; `labels.txt`, if there
    is one, gives the order of the classes.

    Raises:
        DataError: there is no such file, one is damaged, a shape does not fit its image, an image is named twice,
            missing, broken or of another size, or lies outside the folder of the images.
    """
    path = reading.path
    root = path if path.is_dir() else path.parent
    overview = _overview(reading, root)
    if not overview.images:
        raise DataError(f"{path} holds no JSON file of labelme.")
    names = chosen_labels([*_listed(root / LABELS), *overview.labels], reading.options.classes)
    folder, where = _open(reading, root, overview)
    paths = resolve_files(reading, folder, overview.images)
    others = []
    if path.is_dir():
        others = images_without(reading, folder, set(paths.values()), lack="JSON file")
    count = f"{len(overview.images):,} files, {overview.shapes:,} shapes with an area"
    return Source(
        format="labelme",
        description=f"labelme JSON ({count}). Images: {where}",
        classes=classes_of(names, colours={}),
        image_root=folder.root,
        count=len(paths) + len(others),
        records=_records(replace(reading, path=root), names, folder, paths=paths, others=others),
    )


def _open(reading: Reading, root: Path, overview: _Overview) -> tuple[ImageFolder, str]:
    first = posixpath.basename(next(iter(overview.images)))
    try:
        return open_images(replace(reading, path=root / first), overview.images.values())
    except DataError as error:
        if not overview.embedded:
            raise
        what = f"{error.message} {overview.embedded[0]} holds the pixels itself (imageData), which are not used."
        raise DataError(what, remedy="Save the images beside the files, or say where they are: --images DIR") from error


# The first pass


def _overview(reading: Reading, root: Path) -> _Overview:
    overview = _Overview()
    for name in _files(reading.path):
        item = load_json(root / name)
        if not isinstance(item, dict) or "shapes" not in item:
            if root != reading.path:
                raise DataError(f"{name} is not a labelme file: it has no list 'shapes'.")
            overview.others += [name] if name != CARD else []
            continue
        overview.images[name] = _image_named(item, name)
        shapes = shapes_of(item, name)
        areas = [str(shape["label"]) for shape in shapes if KINDS.become_masks(shape["shape_type"], reading.options)]
        overview.labels.update(dict.fromkeys(areas))
        overview.shapes += len(areas)
        overview.embedded += [name] if item.get("imageData") else []
    if overview.others:
        what = f"{len(overview.others):,} JSON files are not labelme's (first: {overview.others[0]})"
        reading.problems.add(what, file=f"{root.name}/", done="left out")
    return overview


def _image_named(item: _Item, file: str) -> str:
    """Return the image that a file names, relative to the source's folder; steps out of it (`../`) are left off.

    An absolute name stays as it is, and will be refused.
    """
    name = item.get("imagePath")
    if not isinstance(name, str) or not name:
        raise DataError(f"{file} names no image (imagePath).")
    plain = name.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":":
        return name
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(file), plain))
    while joined.startswith("../"):
        joined = joined.removeprefix("../")
    return joined


def _listed(path: Path) -> list[str]:
    """Return the labels of labelme's labels.txt, in its order; none where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} can't be read as UTF-8 text.") from error
    return [line.strip() for line in lines if line.strip() and line.strip() not in _SPECIAL]


# Records


def _records(
    reading: Reading, names: Mapping[str, str], folder: ImageFolder, *, paths: Mapping[str, str], others: Sequence[str]
) -> Iterator[ImageRecord]:
    for file, image in paths.items():
        item = load_json(reading.path / file)
        size = measure(
            reading, folder, image, at=file,
            sized=None not in (item.get("imageHeight"), item.get("imageWidth")),
            turned_by="labelme" if item["shapes"] else "",
        )  # fmt: skip
        if size is None:
            continue
        stated = (size[0] if item.get("imageHeight") is None else item["imageHeight"],
                  size[1] if item.get("imageWidth") is None else item["imageWidth"])  # fmt: skip
        check_size(size, stated, image=image, file=file)
        at = Place(reading, file, f"{file}: the file", image, *size)
        annotations = _annotations(item, names, at)
        name = "" if item["imagePath"] == posixpath.basename(image) else item["imagePath"]
        source = attributes_from({"flags": item.get("flags"), "name": name}, at, but=())
        yield ImageRecord(file=image, height=size[0], width=size[1], annotations=annotations, source=source)
    yield from clean_records(reading, folder, others)


def _annotations(item: _Item, names: Mapping[str, str], at: Place) -> tuple[Annotation, ...]:
    """Return an image's objects: its shapes, those of one label and group_id joined."""
    folder = f"{at.reading.name}/"
    parts: dict[tuple[str, object], list[rle.Rle]] = {}
    about: dict[tuple[str, object], _Item] = {}
    for k, shape in enumerate(shapes_of(item, at.file)):
        here = replace(at, text=f"{at.file}: shapes[{k}]")
        kind = shape["shape_type"]
        if not KINDS.become_masks(kind, at.reading.options):
            KINDS.note_dropped(kind, here, file=folder)
            continue
        if kind in ("rectangle", "rotation"):
            here.count("rectangles, which need not be outlines", file=folder, done="taken as filled")
        label = class_of(str(shape["label"]), names, here.text)
        drawn = mask_of(shape, here)
        mask = None if drawn is None else with_pixels(drawn, here)
        if mask is not None:
            group = shape.get("group_id")
            key = (label, (k,) if group is None else group)
            parts.setdefault(key, []).append(mask)
            about.setdefault(key, attributes_from(shape, here, but=_SHAPE_KEYS))
    return tuple(
        Annotation(label=key[0], rle=masks[0] if len(masks) == 1 else rle.union(masks), attributes=about[key])
        for key, masks in parts.items()
    )


# Writing


def write(
    out: Path,
    records: Iterable[ImageRecord],
    *,
    classes: Sequence[DefectClass],
    losses: Losses | None = None,
    polygons: bool = False,
) -> Path:
    """Write `<image's path>.json` for each image, where labelme looks for it, and `labels.txt`; return `out`.

    Args:
        polygons: draw outlines, which labelme can edit, instead of masks; a mask of several pieces, or with holes
            (cut open), becomes several polygons of one group_id. Both are read again as the same pixels.
    """
    losses = losses or Losses()
    note_class_ids(losses, classes)
    listed = [c.name for c in classes if c.name.strip() == c.name and len(c.name.splitlines()) == 1]
    write_bytes(out / LABELS, "".join(f"{name}\n" for name in listed).encode())
    written: set[str] = set()
    for record in records:
        name = _json_name(record.file, written)
        shapes = list(written_shapes(record, losses, polygons=polygons))
        flags = record.source.get("flags")
        about: _Item = {"version": "5.5.0", "flags": flags if isinstance(flags, dict) else {}, "shapes": shapes}
        image = posixpath.basename(record.file)
        about |= {"imagePath": image, "imageData": None, "imageHeight": record.height, "imageWidth": record.width}
        write_json(out / name, about)
    return out


def _json_name(file: str, written: set[str]) -> str:
    """Return where an image's JSON file goes; the second of two images of one name keeps its suffix."""
    stem = file.rpartition(".")[0]
    name = f"{file}.json" if f"{stem}.json" in written else f"{stem}.json"
    written.add(name)
    return name


LABELME = Format(
    name="labelme",
    sniff=sniff,
    read=read,
    write=write,
    loses="the classes' ids",
    keeps=frozenset({"flags"}),
    shown_turned=True,
)

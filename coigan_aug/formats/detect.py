"""Telling the formats apart by what is in a file or folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType

from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.coco import coco
from coigan_aug.formats.masks import folder as mask_folder
from coigan_aug.formats.masks import index as mask_index
from coigan_aug.formats.masks import instances as mask_instances
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.several import read_several
from coigan_aug.formats.source import Problems, ReadOptions, Source, check_class_names
from coigan_aug.formats.tables import line_json, rle_csv
from coigan_aug.formats.tools import cvat, label_studio, labelme, supervisely
from coigan_aug.formats.voc import voc
from coigan_aug.formats.yolo import yolo

FORMATS: dict[str, ModuleType] = {  # in the order in which they are tried
    "coco": coco,
    "severstal": rle_csv,
    "line-json": line_json,
    "labelme": labelme,
    "cvat": cvat,
    "label-studio": label_studio,
    "supervisely": supervisely,
    "yolo": yolo,
    "voc": voc,
    "mask-index": mask_index,
    "mask-folder": mask_folder,
    "mask-instances": mask_instances,
}


IMAGE_FOLDERS = {"line-json": "data", "supervisely": "ds0/img", "voc": "JPEGImages"}
"""Where a format's readers expect the images, below the annotation file; "images" where nothing is said."""
_SUFFIXES = (".csv", ".json", ".jsonl", ".xml")
_IN_PARTS = {"coco"}
"""Formats of which all files in a folder are read: each side of a split has its own."""
_MOST_FILES = 1_000  # of a folder: annotation files are few
NAMELESS = frozenset({"severstal", "mask-folder", "mask-instances"})
"""Formats that do not name images without masks: only the image files tell of them."""
SHOWN_TURNED = frozenset({"labelme", "cvat", "label-studio"})
"""Formats whose programs turn images as EXIF says before they put masks on them."""


def image_place(name: str, to: str) -> str:
    """Return where an image belongs below the folder of a format's files; `image_place` of its module may say."""
    own: Callable[[str], str] | None = getattr(FORMATS[to], "image_place", None)
    return own(name) if own is not None else f"{IMAGE_FOLDERS.get(to, 'images')}/{name}"


def detect(path: Path) -> tuple[str, str]:
    """Return the name of the format of a file or folder, and a description of what was seen.

    Raises:
        DataError: it does not exist, or is of no format known here; the message says what was seen.
    """
    return _found(path)[1:]


def _found(path: Path) -> tuple[list[Path], str, str]:
    """Return what a path means with its format and a description: itself, or the annotation files of a folder."""
    _check_there(path)
    own = _sniffed(path)
    if own is not None:
        return [path], *own
    inside = _annotation_files(path) if path.is_dir() else []
    files, kinds = [file for file, _, _ in inside], {name for _, name, _ in inside}
    if len(files) == 1 or kinds == _IN_PARTS:
        return files, *inside[0][1:]
    if files:
        names = ", ".join(file.relative_to(path).as_posix() for file in files[:4])
        what = f"{path} is a folder that holds {len(files)} annotation files: {names}{' ...' if files[4:] else ''}."
        raise DataError(what, remedy=f"Name one: {files[0]}")
    what = f"{path} is of no format known here: {_seen(path)}."
    raise DataError(what, remedy=f"Formats: {', '.join(FORMATS)}.")


def _sniffed(path: Path) -> tuple[str, str] | None:
    described = ((name, module.sniff(path)) for name, module in FORMATS.items())
    return next(((name, words) for name, words in described if words), None)


def open_source(path: Path, *, options: ReadOptions, problems: Problems, name: str | None = None) -> Source:
    """Open a source in the named format, or in the one that it looks like.

    Raises:
        UsageError: there is no format of that name.
        DataError: as `detect` and the format's `read`.
    """
    if name is not None and name not in FORMATS:
        raise _no_format(name)
    _check_there(path)
    places, chosen = ([path], name) if name else _found(path)[:2]
    read: Callable[..., Source] = FORMATS[chosen].read
    if len(places) == 1:
        source = read(places[0], options=options, problems=problems)
    else:
        source = read_several(places, path, read=read, options=options, problems=problems)
    check_class_names([known.name for known in source.classes])
    return source


def _check_there(path: Path) -> None:
    remedy = "Name the annotation file, or the folder of images and masks."
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise DataError(f"{path} can't be opened ({error}).", remedy=remedy) from error
    if not there:
        raise DataError(f"{path} does not exist.", remedy=remedy)
    if not path.is_file() and not path.is_dir():  # a device never ends, a pipe may never begin
        raise DataError(f"{path} is neither a file nor a folder.", remedy=remedy)


def writer(name: str) -> Callable[..., Path]:
    """Return the `write` function of a format.

    Raises:
        UsageError: there is no format of that name.
    """
    if name not in FORMATS:
        raise _no_format(name)
    write: Callable[..., Path] = FORMATS[name].write
    return write


def _no_format(name: str) -> UsageError:
    near = difflib.get_close_matches(name, NAMES, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"There is no format {name!r}.{meant}", remedy=f"Formats: {', '.join(NAMES)}.")


def _annotation_files(folder: Path) -> list[tuple[Path, str, str]]:
    """Return the annotation files in a folder and in its folder annotations/, where COCO has them, or else one level down.

    Beside COCO's instances_*.json lie files of the same form for other tasks, which are left out.
    """
    below = [found for found in _entries(folder) if found.is_dir() and not found.name.startswith(".")]
    known = _known([folder, *(found for found in below if found.name.lower() == "annotations")]) or _known(below)
    instances = [found for found in known if found[0].name.startswith("instances_")]
    return instances if {name for _, name, _ in known} == {"coco"} and instances else known


def _known(folders: Sequence[Path]) -> list[tuple[Path, str, str]]:
    files = [file for folder in folders for file in islice(_entries(folder), _MOST_FILES)]
    known = [(file, _sniffed(file)) for file in files if file.suffix.lower() in _SUFFIXES and file.is_file()]
    return [(file, *own) for file, own in known if own is not None]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # nothing that this person may read
        return []


def _seen(path: Path) -> str:
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        return f"a folder with {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}" if names else "an empty folder"
    with path.open("rb") as stream:
        data = stream.read(60)
    if b"\0" in data:
        return "a binary file"
    start = data.decode("utf-8", errors="replace").splitlines()
    return f"a file that begins with {start[0]!r}" if start else "an empty file"

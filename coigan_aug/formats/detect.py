"""Telling the formats apart by what is in a file or folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError, UsageError, meant
from coigan_aug.formats.coco.coco import COCO
from coigan_aug.formats.format import Format
from coigan_aug.formats.masks.folder import MASK_FOLDER
from coigan_aug.formats.masks.index import MASK_INDEX
from coigan_aug.formats.masks.instances import MASK_INSTANCES
from coigan_aug.formats.masks.refusal import TWO_FOLDERS, refusal
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.reading import Reading, with_states
from coigan_aug.formats.several import read_several
from coigan_aug.formats.source import Problems, ReadOptions, Source, check_class_names
from coigan_aug.formats.tables.line_json import LINE_JSON
from coigan_aug.formats.tables.rle_csv import SEVERSTAL
from coigan_aug.formats.tools.cvat import CVAT
from coigan_aug.formats.tools.label_studio import LABEL_STUDIO
from coigan_aug.formats.tools.labelme import LABELME
from coigan_aug.formats.tools.supervisely import SUPERVISELY
from coigan_aug.formats.tools.via import VIA
from coigan_aug.formats.voc.voc import VOC
from coigan_aug.formats.yolo.yolo import YOLO

FORMATS = (
    COCO, SEVERSTAL, LINE_JSON, LABELME, CVAT, LABEL_STUDIO, SUPERVISELY, VIA, YOLO, VOC, MASK_INDEX, MASK_FOLDER,
    MASK_INSTANCES,
)  # fmt: skip
"""All formats, in the order in which they are tried."""
_SUFFIXES = (".csv", ".json", ".jsonl", ".xml")
_MOST_FILES = 1_000  # of a folder: annotation files are few


def format_named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: there is none.
    """
    known = next((known for known in FORMATS if known.name == name), None)
    if known is not None:
        return known
    raise UsageError(f"There is no format {name!r}.{meant(name, NAMES)}", remedy=f"Formats: {', '.join(NAMES)}.")


def detect(path: Path, *, options: ReadOptions | None = None) -> tuple[str, str]:
    """Return the name of the format of a file or folder, and a description of what was seen.

    Args:
        options: how it would be read: masks are told with their images.

    Raises:
        DataError: it does not exist, or is of no format known here; the message says what was seen.
    """
    _, known, description = _look(path, options or ReadOptions())
    return known.name, description


def _look(path: Path, options: ReadOptions) -> tuple[list[Path], Format, str]:
    """Return what a path means with its format and a description: itself, or the annotation files of a folder."""
    check_there(path)
    seen = _sniffed(path, options)
    if seen is not None:
        return [path], *seen
    inside = _annotation_files(path) if path.is_dir() else []
    files, kinds = [file for file, _, _ in inside], {known.name for _, known, _ in inside}
    if len(files) == 1 or (len(kinds) == 1 and inside[0][1].in_parts):
        return files, *inside[0][1:]
    if files:
        names = ", ".join(file.relative_to(path).as_posix() for file in files[:4])
        what = f"{path} is a folder that holds {len(files)} annotation files: {names}{' ...' if files[4:] else ''}."
        raise DataError(what, remedy=f"Name one: {files[0]}")
    what, near = f"{path} is of no format known here: {_seen(path)}.", refusal(path, options)
    if near:
        raise DataError(f"{what} As masks: {near}", remedy=f"{TWO_FOLDERS}; or name the annotation file.")
    raise DataError(what, remedy=f"Formats: {', '.join(NAMES)}.")


def _sniffed(path: Path, options: ReadOptions) -> tuple[Format, str] | None:
    described = ((known, known.describe(path, options)) for known in FORMATS)
    return next(((known, words) for known, words in described if words), None)


def open_source(path: Path, *, options: ReadOptions, problems: Problems, name: str | None = None) -> Source:
    """Open a source in the named format, or in the one that it looks like.

    Records whose image lost an annotation are of unknown state, unless the options take them as they are.

    Raises:
        UsageError: there is no format of that name.
        DataError: as `detect` and the format's `read`.
    """
    named = format_named(name) if name is not None else None
    check_there(path)
    files, chosen = ([path], named) if named else _look(path, options)[:2]
    if len(files) == 1:
        reading = Reading(files[0], options=options, problems=problems)
        try:
            source = with_states(chosen.read(reading), reading)
        except DataError as error:
            raise (_misnamed(path, chosen, options) if named else None) or error from error
    else:
        source = read_several(Reading(path, options=options, problems=problems), files, read=chosen.read)
    check_class_names([known.name for known in source.classes])
    return replace(source, records=_whole(source.records, problems))


def _misnamed(path: Path, named: Format, options: ReadOptions) -> DataError | None:
    """Return that a source is of another format than was said; None where it may be that one, or is of none known."""
    if named.describe(path, options):
        return None
    try:
        _, known, description = _look(path, options)
    except DataError:
        return None
    what = f"{path} can't be read as {named.name}; it looks like {known.name} ({description})."
    return DataError(what, remedy=f"Leave the format out, or give {known.name}.")


def _whole(records: Iterator[ImageRecord], problems: Problems) -> Iterator[ImageRecord]:
    """Yield records; after the last one broken images are an error, all at once."""
    yield from records
    problems.check_broken()


def check_there(path: Path) -> None:
    """Refuse a source that does not exist, or is neither a file nor a folder.

    Raises:
        DataError: it is so.
    """
    remedy = "Name the annotation file, or the folder of images and masks."
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise DataError(f"{path} can't be opened ({error}).", remedy=remedy) from error
    if not there:
        raise DataError(f"{path} does not exist.", remedy=remedy)
    if not path.is_file() and not path.is_dir():  # a device never ends, a pipe may never begin
        raise DataError(f"{path} is neither a file nor a folder.", remedy=remedy)


def _annotation_files(folder: Path) -> list[tuple[Path, Format, str]]:
    """Return the annotation files in a folder and in its folder annotations/, where COCO has them, or else one level down.

    Beside COCO's instances_*.json lie files of the same form for other tasks, which are left out.
    """
    below = [path for path in _entries(folder) if path.is_dir() and not path.name.startswith(".")]
    known = _known([folder, *(path for path in below if path.name.lower() == "annotations")]) or _known(below)
    instances = [entry for entry in known if entry[0].name.startswith("instances_")]
    return instances if instances and all(entry[1] is COCO for entry in known) else known


def _known(folders: Sequence[Path]) -> list[tuple[Path, Format, str]]:
    files = [file for folder in folders for file in islice(_entries(folder), _MOST_FILES)]
    seen = [
        (file, _sniffed(file, ReadOptions())) for file in files if file.suffix.lower() in _SUFFIXES and file.is_file()
    ]
    return [(file, *known) for file, known in seen if known is not None]


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

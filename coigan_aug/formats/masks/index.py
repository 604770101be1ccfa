"""Index masks: one picture an image, a pixel's value is its class; 0 is none. A palette shows the classes in colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import read_json, write_bytes, write_json
from coigan_aug.formats.format import Format
from coigan_aug.formats.losses import Losses, add_class_ids
from coigan_aug.formats.masks import folder as mask_folder
from coigan_aug.formats.masks.folder import mask_stem
from coigan_aug.formats.masks.layout import Layout, find_layout
from coigan_aug.formats.masks.values import IGNORED, Meaning, NoMaskError, naming, read_masks
from coigan_aug.formats.masks.words import SINGLE
from coigan_aug.formats.painting import VOID_VALUE, paint_classes, with_void
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import ClassChoice, Problems, ReadOptions, Source, claim, output_ids
from coigan_aug.imaging import encode_indexed
from coigan_aug.mask_image import read_mask_values

CLASSES = "classes.json"
NNUNET = "dataset.json"
_LARGEST = VOID_VALUE
_SAMPLED = 50


def sniff(path: Path, options: ReadOptions | None = None) -> str | None:
    """Describe the folder if it names values, or has masks whose values mean classes, else return None."""
    layout = find_layout(path, Problems(), options=options) if path.is_dir() else None
    known = layout is not None and (_named_values(path) or _values(layout))
    return f"index masks, {layout.words}" if layout is not None and known else None


def read(reading: Reading) -> Source:
    """Open a folder of images and index masks, laid out as mask folders are.

    Values are named by --classes, in order from 1 or as `name=3`, or by classes.json, or by nnU-Net's dataset.json. A value
    named `ignore`, such as `ignore=255`, is void, and so is 255 beside small values. With one name for several values these
    number objects.

    Raises:
        DataError: as `mask_folder.read`; or nothing names the values.
    """
    layout = find_layout(reading.path, Problems(), options=reading.options)
    values = _values(layout) if layout is not None else []
    numbered = _number_objects(reading, values)
    options = reading.options if numbered else replace(reading.options, classes=_choices(reading, values))
    source = mask_folder.read(replace(reading, options=options), numbered=numbered)
    return replace(source, format="mask-index", description=source.description.replace("Mask", "Index mask", 1))


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/masks/<image's path>.png` with the classes' colours as palette, and `out/classes.json`; return `out/masks`.

    Values are the ids of the source where those are whole numbers from 1 to 254, else 1, 2, ...; void is 255.

    Raises:
        DataError: there are more than 254 classes, or two images differ in their suffix only.
    """
    losses, ids = losses or Losses(), output_ids(classes)
    if max(ids.values(), default=1) >= _LARGEST:
        ids = {defect_class.name: k for k, defect_class in enumerate(classes, start=1)}
    if len(ids) >= _LARGEST:
        raise DataError(f"an index mask has values for {_LARGEST - 1} classes; there are {len(ids)}.")
    add_class_ids(losses, classes, ids.values())
    colours = [(0, 0, 0)] * (_LARGEST + 1)
    for defect_class in classes:
        colours[ids[defect_class.name]] = defect_class.colour
    taken: dict[str, str] = {}
    void: dict[str, int] = {}
    for record in records:
        stem = mask_stem(record.file)
        claim(f"{stem}.png", record.file, taken)
        losses.add_attributes(record)
        numbers = with_void(paint_classes(record, ids, losses), record)
        void |= {"void": VOID_VALUE} if record.void is not None else {}
        write_bytes(out / "masks" / f"{stem}.png", encode_indexed(numbers, colours))
    spelled = {name: "#{:02x}{:02x}{:02x}".format(*colours[value]) for name, value in ids.items()}
    named = [{"value": ids[n], "name": n, "colour": c} for n, c in spelled.items()]
    write_json(out / CLASSES, {"classes": named, **void})
    return out / "masks"


def _number_objects(reading: Reading, values: Sequence[int]) -> bool:
    """Tell whether values number objects: there are several, of one class by --classes, and nothing names them."""
    choices, several = reading.options.classes, len(set(values) - {_LARGEST}) > 1
    return several and len(choices) == 1 and not choices[0].value and not _named_values(reading.path)


def _choices(reading: Reading, values: Sequence[int]) -> tuple[ClassChoice, ...]:
    """Return the classes with their values.

    Raises:
        DataError: classes.json is malformed or lacks a class of --classes, or nothing names the values.
    """
    path, options = reading.path, reading.options
    if any(choice.value for choice in options.classes):
        return options.classes
    file = _named_values(path)
    if file is not None:
        by_name = {choice.name: choice for choice in _read_classes(file)}
        unknown = next((choice.name for choice in options.classes if choice.name not in by_name), None)
        if unknown is not None:
            raise DataError(f"{file.name} has no class {unknown} as --classes says; it has {', '.join(by_name)}.")
        chosen = tuple(by_name[choice.name] for choice in options.classes) or tuple(by_name.values())
        return chosen + _void_of(file)
    if options.classes:
        return tuple(ClassChoice(choice.name, str(k)) for k, choice in enumerate(options.classes, start=1))
    seen = f"; the first that have some have {', '.join(map(str, values[:8]))}" if values else ""
    raise DataError(f"nothing names the values of the masks in {path.name}/{seen}.", remedy=naming(values))


def _named_values(path: Path) -> Path | None:
    """Return the file that names values: our classes.json, or nnU-Net's dataset.json."""
    files = (path / CLASSES, path / NNUNET)
    return next(
        (file for file in files if file.is_file() and (file.name == CLASSES or (path / "imagesTr").is_dir())), None
    )


def _read_classes(path: Path) -> list[ClassChoice]:
    value = read_json(path)
    if path.name == NNUNET and isinstance(value, dict):
        value = {"classes": _nnunet_classes(value.get("labels"))}
    entries = value.get("classes") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path.name} holds no list of classes.")
    names: dict[int, str] = {}
    for k, entry in enumerate(entries):
        number, name = entry.get("value"), entry.get("name")
        usable = type(number) is int and 0 < number <= _LARGEST and isinstance(name, str) and name.strip()
        if not usable or number in names or name in names.values():
            what = f"{path.name}: classes[{k}] needs a value from 1 to {_LARGEST} and a name that no other has."
            raise DataError(what)
        names[number] = name
    return [ClassChoice(name, str(number)) for number, name in names.items()]


def _void_of(path: Path) -> tuple[ClassChoice, ...]:
    """Return what stands for void, as our own file says."""
    value = read_json(path)
    void = isinstance(value, dict) and path.name == CLASSES and value.get("void") == VOID_VALUE
    return (ClassChoice(IGNORED, str(VOID_VALUE)),) if void else ()


def _nnunet_classes(labels: object) -> list[dict[str, object]]:
    """Turn nnU-Net's labels, name -> value or (version 1) "value" -> name, into entries of our own file."""
    pairs = labels.items() if isinstance(labels, dict) else ()
    named = (
        (name, value) if isinstance(value, int) else (value, int(name) if name.isdigit() else 0)
        for name, value in pairs
    )
    return [{"name": name, "value": value} for name, value in named if value != 0]


def _values(layout: Layout) -> list[int]:
    """Return the values of the first sampled mask that can't be a binary one: with a palette, or of small numbers.

    Where folders or names say the class, there must be several, since one value may mean another class in each.
    """
    if layout.coding:
        return []
    masks = layout.masks()
    least = 1 if all(mask.label == SINGLE for mask in masks) else 2
    for mask in masks[:: max(len(masks) // _SAMPLED, 1)]:
        try:
            read_masks(layout.mask_path(mask), meaning=Meaning(), problems=Problems())
        except NoMaskError:
            continue
        except DataError:
            values = _numbers(layout.mask_path(mask))
            if len(set(values) - {_LARGEST}) >= least:
                return values
    return []


def _numbers(path: Path) -> list[int]:
    """Return the values that a mask uses but 0; none where it is not one of numbers, or broken."""
    try:
        pixels = read_mask_values(path, by_number=True)
    except DataError:
        return []
    return [int(value) for value in np.unique(pixels) if value] if pixels.ndim == 2 else []


MASK_INDEX = Format(
    name="mask-index",
    sniff=sniff,
    sniff_with=sniff,
    read=read,
    write=write,
    loses="which masks of one class in an image are objects of their own, and pixels that several classes share",
    void=True,
)

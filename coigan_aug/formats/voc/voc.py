"""Pascal VOC segmentation: palette pictures of classes and of objects, lists of images, an XML file for each image.

Where there are no such pictures, the polygons of the XML files are read (`voc_polygons`).
Void pixels (255), which VOC puts round its objects, are an image's void. Writing puts those that it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_sizes import measure, same_size
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.masks.values import IGNORED, class_values
from coigan_aug.formats.painting import VOID_VALUE, masks_of, paint, paint_objects, used_columns, with_void
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, ClassChoice, Problems, Source, claim, make_classes
from coigan_aug.formats.voc import polygons as voc_polygons
from coigan_aug.formats.voc.classes import (
    BACKGROUND,
    CLASS_NAMES,
    LABELMAP,
    NAMES,
    VOC_COLOURS,
    VOID,
    Colour,
    Meaning,
    Numbers,
    read_class_names,
    read_classes,
    read_labelmap,
    read_objects,
    unnamed,
    used_numbers,
    write_labelmap,
)
from coigan_aug.formats.voc.files import (
    ANNOTATIONS,
    CLASSES,
    IMAGES,
    LISTS,
    OBJECTS,
    Item,
    Layout,
    find_folder,
    open_layout,
)
from coigan_aug.formats.voc.xml import KEPT, Listed, read_annotation, write_objects
from coigan_aug.formats.voc.xml import read_objects as read_listed
from coigan_aug.imaging import encode_indexed, read_header

_MOST = VOID_VALUE - 1
_RANGE = 1 << 16


_DONE = {
    "images have pixels of an object without a class": "those pixels dropped",
    "images have pixels of a class without an object": "one mask for each class",
    "objects have pixels of several classes": "one mask for each class",
    "objects of XML files have a box and no mask": DROPPED,
}
_NO_CLASS, _NO_OBJECT, _MIXED, _BOXES = _DONE


def sniff(path: Path) -> str | None:
    """Describe the folder if it holds SegmentationClass/ with masks, or XML files with polygons, else return None."""
    return _masks_in(path) or voc_polygons.sniff(path)


def _masks_in(path: Path) -> str | None:
    folder = find_folder(path, CLASSES) if path.is_dir() else None
    if folder is None or not any(file.suffix.lower() == ".png" for file in folder.rglob("*")):
        return None
    objects = find_folder(path, OBJECTS)
    return f"Pascal VOC ({CLASSES}/{f' and {OBJECTS}/' if objects is not None else ', no objects'})"


def read(reading: Reading) -> Source:
    """Open the folder of a data set. Each object is a mask; without SegmentationObject/ each class of an image.

    Classes are named by --classes, labelmap.txt, a list of names (class_names.txt, labels.txt), or the XML files: as VOC's
    own 20 where these name no others.
    What an XML file says of the object of the same number and class is kept in its attributes.

    Raises:
        DataError: a mask has pixels without a class or another size than its image; a file is missing or broken; there
            are neither masks nor XML files with polygons, which are read where there are no masks.
    """
    what = _masks_in(reading.path)
    if what is None and voc_polygons.sniff(reading.path) is not None:
        return voc_polygons.read(reading)
    if what is None:
        lack = f"{reading.path} holds no {CLASSES}/ with .png files, and no .xml files with polygons."
        raise DataError(lack, remedy="Name the folder that they lie in.")
    layout = open_layout(reading)
    names, meaning, where = _classes(layout)
    return Source(
        format="voc",
        description=f"{what}. Classes: {where}. Images: {layout.folder.root}/",
        classes=make_classes(list(names), source_ids=list(names.values())),
        image_root=layout.folder.root,
        count=len(layout.items),
        records=_records(layout, list(names), meaning),
    )


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write SegmentationClass/, SegmentationObject/, Annotations/, ImageSets/Segmentation/ and labelmap.txt; return `out`.

    Class numbers are positions from 1, colours VOC's. The test share is val.

    Raises:
        DataError: there are more classes than numbers, or two images differ in their suffix only.
    """
    losses = losses or Losses()
    numbers = {defect_class.name: k for k, defect_class in enumerate(classes, start=1)}
    if len(numbers) > _MOST:
        raise DataError(f"Pascal VOC has numbers for {_MOST} classes; there are {len(numbers)}.")
    note_class_ids(losses, classes, least=1)
    shares: dict[str, list[str]] = {"train": [], "val": [], "trainval": []}
    taken: dict[str, str] = {}
    for record in records:
        stem = record.file.rpartition(".")[0].removeprefix(f"{IMAGES}/").removeprefix("images/")
        claim(f"{CLASSES}/{stem}.png", record.file, taken)
        for share in ("val" if record.split == "test" else "train", "trainval"):
            shares[share].append(stem)
        _write_record(out, stem, record, numbers, losses)
    for share, stems in shares.items():
        write_bytes(out.joinpath(*LISTS) / f"{share}.txt", "".join(f"{stem}\n" for stem in stems).encode())
    write_bytes(out / LABELMAP, write_labelmap(list(numbers)).encode())
    return out


def _write_record(out: Path, stem: str, record: ImageRecord, numbers: Mapping[str, int], losses: Losses) -> None:
    losses.add_attributes(record, kept=KEPT)
    objects = paint_objects(record, losses)
    classes = paint(record, [numbers[annotation.label] for annotation in record.annotations])
    more = "objects after the 254th of their image, which only their class is kept of"
    losses.add(more, first=record.file, count=max(len(record.annotations) - _MOST, 0))
    shown = np.where(objects <= _MOST, objects, 0)
    write_bytes(out / CLASSES / f"{stem}.png", encode_indexed(with_void(classes, record), VOC_COLOURS))
    write_bytes(out / OBJECTS / f"{stem}.png", encode_indexed(with_void(shown, record), VOC_COLOURS))
    write_bytes(out / ANNOTATIONS / f"{stem}.xml", write_objects(record).encode())


# Classes


def _classes(layout: Layout) -> tuple[dict[str, int], Meaning, str]:
    """Return class name -> number in the source, what stands for them in masks, and where the names are from."""
    choices = layout.reading.options.classes
    if any(choice.value for choice in choices):
        return *_valued(choices), "as --classes says"
    names, colours, where = _own_classes(layout)
    if choices and where:
        chosen = [choice.name for choice in choices]
        unknown = next((name for name in chosen if name not in names), None)
        if unknown is not None:
            raise DataError(f"{where} has no class {unknown} as --classes says; it has {', '.join(names)}.")
        names = {name: names[name] for name in chosen}
    elif choices:
        names, where = {choice.name: k for k, choice in enumerate(choices, start=1)}, "as --classes says"
    position = {name: k for k, name in enumerate(names, start=1)} | {BACKGROUND: 0}
    by_number = {number: position[name] for name, number in names.items()}
    by_colour = {colour: position[name] for colour, name in colours.items() if name in position}
    return names, Meaning(numbers=by_number, colours=by_colour), where


def _valued(choices: Sequence[ClassChoice]) -> tuple[dict[str, int], Meaning]:
    """Return class name -> number, and what stands for the classes, where --classes gives values or colours."""
    values = {value: name for value, name in class_values(choices).items() if name != IGNORED}
    ignored = {value: VOID for value in class_values(choices) if value not in values}
    positions = {value: k for k, value in enumerate(values, start=1)} | ignored
    numbers = {value: k for value, k in positions.items() if isinstance(value, int)}
    colours = {value: k for value, k in positions.items() if isinstance(value, tuple)}
    ids = {name: value if isinstance(value, int) else k for k, (value, name) in enumerate(values.items(), start=1)}
    return ids, Meaning(numbers=numbers, colours=colours)


def _own_classes(layout: Layout) -> tuple[dict[str, int], dict[Colour, str], str]:
    """Return the source's own class name -> number, colour -> name, and the file that says so."""
    home, options = layout.reading.path, layout.reading.options
    if (home / LABELMAP).is_file():
        labels = read_labelmap(home / LABELMAP)
        names = [name for name in labels if name != BACKGROUND]
        colours = {colour: name for name, colour in labels.items() if colour is not None}
        if not colours:  # datumaro's masks have VOC's own then, in the order of the list
            colours = dict(zip(VOC_COLOURS[1:], names, strict=False))
        return {name: k for k, name in enumerate(names, start=1)}, colours, LABELMAP
    listed = next((name for name in CLASS_NAMES if (home / name).is_file()), None)
    if listed is not None:
        return read_class_names(home / listed), {}, listed
    if options.classes:
        return {}, {}, ""
    return _meaning_of_xml(layout)


def _meaning_of_xml(layout: Layout) -> tuple[dict[str, int], dict[Colour, str], str]:
    """Return class name -> number, colour -> name and a word, as the names in XML files let the masks be understood.

    They are Pascal VOC's own where these name its 20 and nothing else. Numbers alone mean no class.

    Raises:
        DataError: the names can't be known.
    """
    options = layout.reading.options
    masks = [item.classes for item in layout.items.values() if item.classes is not None]
    used = sorted(set().union(*(used_numbers(mask) for mask in masks if not options.skip_broken or _is_whole(mask))))
    files = [item.about for item in layout.items.values() if item.about is not None]
    names = {listed.label for file in files for listed in read_annotation(file)[1]}
    if len(used) == len(names) == 1:
        return dict.fromkeys(names, used[0]), {}, "as the XML files say"
    if used and not (names and names <= set(NAMES)):
        raise unnamed(used, layout.reading.path / CLASSES)
    return {NAMES[k - 1]: k for k in used}, {VOC_COLOURS[k]: NAMES[k - 1] for k in used}, "those of Pascal VOC"


# Records


def _records(layout: Layout, names: Sequence[str], meaning: Meaning) -> Iterator[ImageRecord]:
    for item in layout.items.values():
        size = measure(layout.reading, layout.folder, item.image, sized=item.classes is not None)
        if size is None or not _whole_masks(layout.reading, item):
            continue
        height, width = size
        annotations, void = _annotations(item, names, meaning, size=size, problems=layout.reading.problems)
        source = {"split": item.split} if item.split else {}
        yield ImageRecord(
            file=item.image, height=height, width=width, annotations=annotations, source=source, void=void
        )


def _whole_masks(reading: Reading, item: Item) -> bool:
    """Tell whether an image's masks are whole files; broken ones that may be skipped are noted, others left to raise."""
    if not reading.options.skip_broken:
        return True
    broken = [mask for mask in (item.classes, item.objects) if mask is not None and not _is_whole(mask)]
    if broken:
        what = f"the mask {broken[0].parent.name}/{broken[0].name} is broken"
        reading.problems.add(what, file=item.image, done="image left out")
    return not broken


def _is_whole(mask: Path) -> bool:
    try:
        read_header(mask)
    except DataError:
        return False
    return True


def _annotations(
    item: Item, names: Sequence[str], meaning: Meaning, *, size: tuple[int, int], problems: Problems
) -> tuple[tuple[Annotation, ...], rle.Rle | None]:
    """Return the masks of an image, and its void."""
    listed = read_listed(item.about, image=item.image, size=size) if item.about is not None else []
    if item.classes is None:
        problems.count(_BOXES, file=item.image, done=_DONE[_BOXES], count=len(listed), lost=item.image)
        return (), None
    labels = read_classes(item.classes, meaning)
    objects = read_objects(item.objects) if item.objects is not None else np.zeros_like(labels)
    for mask, numbers in ((item.classes, labels), (item.objects or item.classes, objects)):
        same_size([item.image, f"{mask.parent.name}/{mask.name}"], [size, (numbers.shape[0], numbers.shape[1])])
    masks, void = _masks(labels, objects, item, problems)
    if item.objects is not None:
        missing = set(range(1, len(listed) + 1)) - {number for number, _ in masks}
        problems.count(_BOXES, file=item.image, done=_DONE[_BOXES], count=len(missing), lost=item.image)
    annotations = (
        Annotation(label=names[label - 1], rle=mask, attributes=_attributes(listed, number, names[label - 1]))
        for (number, label), mask in masks.items()
    )
    return tuple(annotations), void


def _masks(
    labels: Numbers, objects: Numbers, item: Item, problems: Problems
) -> tuple[dict[tuple[int, int], rle.Rle], rle.Rle | None]:
    """Return (object's number, class) -> mask, 0 being the number of what no object has; and the void."""
    width, columns = labels.shape[1], used_columns(labels, objects)
    label, number = labels[:, columns], objects[:, columns].astype(np.int64)
    codes = np.where((label == VOID) | (number == VOID), VOID, number * _RANGE + label)
    parts = masks_of(codes, left=columns.start, width=width)
    void = parts.pop(VOID, None)
    masks = {divmod(code, _RANGE): mask for code, mask in parts.items()}
    several = Counter(object_ for object_, class_ in masks if object_ and class_)
    counts = {
        _NO_CLASS: int(any(not class_ for _, class_ in masks)),
        _NO_OBJECT: int(item.objects is not None and any(not object_ for object_, _ in masks)),
        _MIXED: sum(count > 1 for count in several.values()),
    }
    for what, count in counts.items():
        lost = item.image if what == _NO_CLASS else ""
        problems.count(what, file=item.image, done=_DONE[what], count=count, lost=lost)
    return {pair: mask for pair, mask in masks.items() if pair[1]}, void


def _attributes(listed: Sequence[Listed], number: int, label: str) -> Mapping[str, object]:
    """Return what the XML says of an object, if the object of that number there is of the same class."""
    known = 0 < number <= len(listed) and listed[number - 1].label == label
    return listed[number - 1].attributes if known else {}


VOC = Format(
    name="voc",
    sniff=sniff,
    read=read,
    write=write,
    loses="pixels that several masks share (the later one has them), objects after an image's 254th, the classes' ids",
    keeps=frozenset({"split"}),
    image_folder=IMAGES,
    void=True,
)

"""Mask images: beside their images, in a folder parallel to theirs, or one folder a class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.void import without
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_sizes import measure, same_size
from coigan_aug.formats.losses import Losses, class_masks, note_class_ids
from coigan_aug.formats.masks.class_folders import make_folders, noted_names
from coigan_aug.formats.masks.judging import check_background, why_no_masks
from coigan_aug.formats.masks.layout import Layout, find_layout
from coigan_aug.formats.masks.missing import images_without_mask
from coigan_aug.formats.masks.pairing import MaskFile
from coigan_aug.formats.masks.refusal import TWO_FOLDERS, refusal
from coigan_aug.formats.masks.values import IGNORED, Masks, Meaning, class_values, read_masks
from coigan_aug.formats.masks.words import SINGLE
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import (
    STATE_UNKNOWN,
    ClassChoice,
    Problems,
    ReadOptions,
    Source,
    claim,
    make_classes,
)  # fmt: skip
from coigan_aug.imaging import encode_image


def sniff(path: Path, options: ReadOptions | None = None) -> str | None:
    """Describe the folder if it holds images and masks in one of the layouts, else return None."""
    if not path.is_dir():
        return None
    layout = find_layout(path, Problems(), options=options)
    return layout.words if layout is not None and not why_no_masks(layout) else None


def read(reading: Reading, *, numbered: bool = False) -> Source:
    """Open a folder of images and masks. A mask's pixels are those above 127, or the values and colours of --classes.

    Where --classes names values, 255 is void if it is none of them (`values.read_masks`).

    A class is a folder's name, without what all class folders begin with, in lower case; where our own writer has left
    masks/classes.json, it is what that says. A class folder whose masks are all empty is the defect-free one and no
    class. Images without a mask are defect-free, unless theirs is missing (`images_without_mask`).

    An empty mask is a statement: somebody made a file that says that nothing is there. KolektorSDD has such a mask for
    each defect-free image, and where each class has a file, so has the class that is not there. So it is taken at its
    word, which is noted: the image is without this defect, not of unknown state.

    Args:
        numbered: each value of a mask is the number of an object.

    Raises:
        DataError: no layout fits, a mask has values or colours without a class, or another size than its image; masks that
            seem inverted; a missing or broken file.
    """
    layout = find_layout(reading.path, reading.problems, options=reading.options)
    why = why_no_masks(layout) if layout is not None else ""
    if layout is None or why:
        reason = (why or refusal(reading.path, reading.options)).rstrip(".")
        what = f"{reading.path} holds no images with masks{': ' if reason else ''}{reason}."
        raise DataError(what, remedy=TWO_FOLDERS)
    meaning = Meaning(
        class_values(reading.options.classes), "numbered" if numbered else layout.coding,
        bool(reading.options.invert_masks),
    )  # fmt: skip
    check_background(layout, reading, meaning)
    _note_left(reading, layout)
    _note_missing(reading, layout)
    names, classes = _classes(reading, layout, meaning)
    return Source(
        format="mask-folder",
        description=f"Mask images ({layout.words}). Images: {layout.root}/",
        classes=classes,
        image_root=layout.root,
        count=len(layout.images),
        records=_records(reading, layout, names=names, classes=classes, meaning=meaning),
    )


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/masks/<class>/<image's path>.png`, 0 and 255, a file for each class in an image; return `out/masks`.

    Of the image's path a first folder named images/ is left off. `masks/classes.json` says which folder is which class,
    since folders can't have every name.
    """
    losses = losses or Losses()
    note_class_ids(losses, classes)
    folders = make_folders(out / "masks", [defect_class.name for defect_class in classes])
    taken: dict[str, str] = {}
    for record in records:
        stem = mask_stem(record.file)
        claim(f"{stem}.png", record.file, taken)
        losses.add_attributes(record)
        for label, mask in class_masks(record, losses):
            pixels = encode_image(rle.decode(mask) * 255, suffix=".png")
            write_bytes(out / "masks" / folders[label] / f"{stem}.png", pixels)
    return out / "masks"


def mask_stem(file: str) -> str:
    """Return how an image's masks are named below masks/: as the image below images/, without its suffix."""
    return file.rpartition(".")[0].removeprefix("images/")


# Classes and records


def _note_left(reading: Reading, layout: Layout) -> None:
    for orphan in layout.orphans:
        reading.problems.add(f"the mask {orphan} has no image", file=f"{reading.name}/", done="left out", error=True)
    folders = Counter(path.rpartition("/")[0] for path in layout.unread)
    for folder, count in sorted(folders.items()):
        first = next(path for path in layout.unread if path.rpartition("/")[0] == folder)
        what = f"{count:,} images of {folder or reading.name}/ have no place in this layout (first: {first})"
        reading.problems.add(what, file=f"{reading.name}/", done="not read")


def _note_missing(reading: Reading, layout: Layout) -> None:
    noted = bool(noted_names(layout.root / "masks"))
    missing = images_without_mask(layout, noted=noted)
    for image in missing:
        reading.problems.lose(image)
    if missing:
        kind = "though the layout has one for each" if layout.bare == "unknown" else "where others like them have one"
        what = f"{len(missing):,} images have no mask, {kind} (first: {missing[0]})"
        reading.problems.add(what, file=f"{layout.root.name}/", done=STATE_UNKNOWN)


def _classes(reading: Reading, layout: Layout, meaning: Meaning) -> tuple[dict[str, str], tuple[DefectClass, ...]]:
    """Return the word for a class -> its name ("" for a defect-free one) and the classes."""
    labels, choices = sorted({mask.label for mask in layout.masks()}), reading.options.classes
    if meaning.values:
        values = {value: name for value, name in meaning.values.items() if name != IGNORED}
        source_ids = [value if isinstance(value, int) else None for value in values]
        return {}, make_classes(list(values.values()), source_ids=source_ids)
    names = noted_names(layout.root / "masks")
    if not set(labels) <= set(names):
        filled = [label for label in labels if _has_defects(reading, layout, label, meaning)]
        names = dict(zip(filled, _plain_names(labels, filled), strict=True))
    if choices:
        names = _chosen(names, choices)
    classes = list(dict.fromkeys(names.values()))
    return dict.fromkeys(labels, "") | names, make_classes(classes, source_ids=[None] * len(classes))


def _has_defects(reading: Reading, layout: Layout, label: str, meaning: Meaning) -> bool:
    quiet = replace(reading, problems=Problems())
    masks = (mask for mask in layout.masks() if mask.label == label)
    whole = (mask for mask in masks if measure(quiet, layout.mask_folder, mask.path, mask=True) is not None)
    return any(read_masks(layout.mask_path(mask), meaning=meaning, problems=Problems()).parts for mask in whole)


def _plain_names(folders: Sequence[str], filled: Sequence[str]) -> list[str]:
    """Name the class folders: without their common beginning (up to a separator), in lower case.

    >>> _plain_names(["MT_Break", "MT_Crack"], ["MT_Crack"])
    ['crack']
    """
    words = re.match(r".*[_\-. ]", folders[0]) if len(folders) > 1 else None
    cut = len(words[0]) if words else 0
    while not all(label.startswith(folders[0][:cut]) for label in folders):
        cut = max(folders[0].rfind(sign, 0, cut - 1) + 1 for sign in "_-. ")
    names = [label[cut:].lower() or label.lower() for label in filled]
    return names if len(set(names)) == len(names) else list(filled)


def _chosen(names: Mapping[str, str], choices: Sequence[ClassChoice]) -> dict[str, str]:
    """Return the classes under their chosen names; one name that is no folder's merges them all."""
    given = [choice.name for choice in choices]
    if len(given) == 1 and (len(names) == 1 or given[0] == SINGLE or given[0] not in names.values()):
        return dict.fromkeys(names, given[0])
    unknown = [name for name in names.values() if name not in given]
    if unknown:
        raise DataError(
            f"The folder of class {unknown[0]} is not among the classes {','.join(given)} given with --classes.",
            remedy=f"Name them all, or merge them: --classes {SINGLE}",
        )
    return {label: name for name in given for label, class_name in names.items() if class_name == name}


_Object = tuple[str, str, int, int]
"""The class of a mask, the word for it in the source, the number that its file's name and its value say."""


def _records(
    reading: Reading,
    layout: Layout,
    *,
    names: Mapping[str, str],
    classes: Sequence[DefectClass],
    meaning: Meaning,
) -> Iterator[ImageRecord]:
    for image, masks in sorted(layout.images.items()):
        size = measure(reading, layout.folder, image, at=image, sized=True)
        paths = [mask.path for mask in masks]
        sizes = [measure(reading, layout.mask_folder, path, at=image, sized=True, mask=True) for path in paths]
        if size is None or any(known is None for known in sizes):
            continue
        record: ImageRecord | None = None
        with reading.problems.attempt(file=image, done="image left out"):
            height, width = _size(reading, image, size, paths, [known for known in sizes if known is not None])
            parts: dict[_Object, list[rle.Rle]] = {}
            voids: list[rle.Rle] = []
            for mask in masks:
                read = read_masks(layout.mask_path(mask), meaning=meaning, problems=reading.problems)
                read = read.resized(height=height, width=width)
                for key, part in _parts(reading, read, mask, names=names):
                    parts.setdefault(key, []).append(part)
                voids += [read.void] if read.void is not None else []
            void = without(rle.union(voids), [part for group in parts.values() for part in group]) if voids else None
            record = ImageRecord(
                file=image, height=height, width=width, annotations=_annotations(parts, classes), void=void
            )
        if record is not None:
            yield record


def _size(
    reading: Reading, image: str, size: tuple[int, int], paths: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Return an image's size (height, width), which its masks have, or are brought to.

    Raises:
        DataError: a mask has another size, and `options.resize_masks` is off or its proportions are others.
    """
    others = [path for path, known in zip(paths, sizes, strict=True) if known != size]
    copies = bool(others) and all(_alike(size, known) for known in sizes)
    if copies and reading.options.resize_masks:
        reading.problems.count("masks have another size than their images", file=others[0], done="brought to it")
        return size
    remedy = "Was it drawn on a smaller or larger copy? Add --resize-masks." if copies else ""
    return same_size([image, *paths], [size, *sizes], remedy=remedy)


def _alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two sizes (height, width) are one, or have the same proportions, as far as whole pixels can."""
    (height, width), (h, w) = size, other
    if height == h or width == w:  # one side was cut off or padded
        return size == other
    return abs(height * w - width * h) <= (height + width) / 2


def _parts(
    reading: Reading, masks: Masks, mask: MaskFile, *, names: Mapping[str, str]
) -> Iterator[tuple[_Object, rle.Rle]]:
    if not masks.parts and masks.void is None and names.get(mask.label):
        reading.problems.add("the mask is empty", file=mask.path, done="image kept, without this defect")
    for part in masks.parts:
        yield (part.name or names[mask.label], mask.label, int(mask.instance or 0), part.number), part.mask


def _annotations(parts: Mapping[_Object, Sequence[rle.Rle]], classes: Sequence[DefectClass]) -> tuple[Annotation, ...]:
    """Make a mask of each class and object: in the classes' order, objects by their numbers."""
    return tuple(
        Annotation(label=known.name, rle=rle.union(parts[key]))
        for known in classes
        for key in sorted(parts)
        if key[0] == known.name
    )


MASK_FOLDER = Format(
    name="mask-folder",
    sniff=sniff,
    sniff_with=sniff,
    read=read,
    write=write,
    loses="which masks of one class in an image are objects of their own, and the classes' ids",
    nameless=True,
)

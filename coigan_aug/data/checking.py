"""Checks of masks and images beyond those that a reader makes: what is odd although it can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.data.counting import ClassCount
from coigan_aug.data.findings import Finding
from coigan_aug.data.looks import Look
from coigan_aug.errors import DataError

FULL = 0.99
SAME = 0.95
"""Intersection over union from which two masks are taken for one."""
OVERLAP = 0.1
"""Share of the smaller of two masks of different classes that may lie in the other: outlines touch by a pixel or two."""
FEW = 20
USUAL = 0.9
"""Share of the images that must have one size, or one kind of file, for the others to be odd."""
STRAY = 6.0
_LEAST_BRIGHTNESS, _LEAST_COLOUR, _LEAST_SIZE, _BLANK = 60.0, 25.0, float(np.log(2.5)), 1.0


# Masks


def sound_masks(record: ImageRecord, names: Sequence[str]) -> tuple[list[Annotation], list[Finding]]:
    """Return a record's annotations that can be read and are of a known class, and what is wrong with the others."""
    kept, wrong = [], []
    for annotation in record.annotations:
        what = "" if annotation.label in names else f"a mask is of class {annotation.label}, which is not known"
        try:
            rle.runs(annotation.rle)
        except ValueError as error:
            what = f"a mask of {annotation.label} is damaged: {error}"
        if what:
            wrong.append(Finding(kind="mask damaged", what=what, error=True, file=record.file, label=annotation.label))
        else:
            kept.append(annotation)
    return kept, wrong


def check_state(record: ImageRecord) -> Iterator[Finding]:
    """Say so of an image of which nobody knows whether its masks are all there are."""
    if record.unknown:
        left = f"{len(record.annotations)} of its masks could be used" if record.annotations else "it has no mask"
        what = f"an annotation could not be used or a mask is missing: {left}, which need not be all its defects"
        yield Finding(kind="unknown", what=what, error=True, file=record.file)


def check_masks(record: ImageRecord) -> Iterator[Finding]:
    """Look for masks that are empty, full, there twice, in two classes, or over those of another class."""
    areas = [rle.area(annotation.rle) for annotation in record.annotations]
    pixels = record.height * record.width
    for annotation, area in zip(record.annotations, areas, strict=True):
        if not area:
            yield _about(record, "mask empty", annotation, "has no pixels")
        elif area >= FULL * pixels:
            yield _about(record, "mask full", annotation, f"covers {area / pixels:.1%} of the image")
    boxes = np.array([rle.box(annotation.rle) for annotation in record.annotations], np.int64).reshape(-1, 4)
    for a, b in combinations([k for k, area in enumerate(areas) if area], 2):
        if _boxes_meet(boxes[a], boxes[b]):
            one, other = record.annotations[a], record.annotations[b]
            together = rle.area(rle.union([one.rle, other.rle]))
            yield from _compared(record, one, other, areas=(areas[a], areas[b]), union=together)


def _boxes_meet(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    return bool((a[:2] < b[:2] + b[2:]).all() and (b[:2] < a[:2] + a[2:]).all())


def _compared(
    record: ImageRecord, one: Annotation, other: Annotation, *, areas: tuple[int, int], union: int
) -> Iterator[Finding]:
    common = sum(areas) - union
    if common >= SAME * union:
        same = "the same pixels" if common == union else f"{common / union:.0%} of their pixels"
        if one.label == other.label:
            yield _about(record, "mask twice", one, f"shares {same} with another one of its class")
        else:
            yield _about(record, "mask in two classes", one, f"shares {same} with one of {other.label}")
    elif one.label != other.label and common > OVERLAP * min(areas):
        share = f"{common:,} px, {common / min(areas):.0%} of the smaller one"
        yield _about(record, "classes overlap", one, f"overlaps one of {other.label} by {share}")


def _about(record: ImageRecord, kind: str, annotation: Annotation, what: str) -> Finding:
    known = f" (id {annotation.attributes['id']})" if "id" in annotation.attributes else ""
    return Finding(
        kind=kind, what=f"a mask of {annotation.label}{known} {what}", file=record.file, label=annotation.label
    )


def check_tiny(
    file: str, areas: Sequence[NDArray[np.int64]], classes: Sequence[DefectClass], *, least: int
) -> Iterator[Finding]:
    """Look for objects under `least` px; `areas` are those of the objects of each class in one image."""
    for item, of_class in zip(classes, areas, strict=True):
        small = of_class[of_class < least]
        if len(small):
            few = f"{len(small):,} objects" if len(small) > 1 else "an object"
            smallest = f", the smallest {small.min()} px" if len(small) > 1 else f" ({small.min()} px)"
            what = f"{few} of {item.name} under {least} px{smallest}"
            yield Finding(kind="object tiny", what=what, file=file, label=item.name)


def check_classes(classes: Sequence[ClassCount], *, split: bool) -> Iterator[Finding]:
    """Look for classes with few objects, on one side of the split only, or with names that hardly differ."""
    for item in classes:
        if item.objects < FEW:
            how_many = f"{item.objects:,} objects" if item.objects != 1 else "1 object"
            what = f"{item.name} has {how_many}; with fewer than {FEW} expect copies of them"
            yield Finding(kind="class", what=what, label=item.name)
        if split and item.images > 1 and 0 in (item.train, item.test):
            what = f"{item.name} is in {'test' if item.test else 'train'} only"
            yield Finding(kind="class", what=what, label=item.name)
    plain = Counter("".join(sign for sign in item.name.lower() if sign.isalnum()) for item in classes)
    for key in [key for key, count in plain.items() if count > 1 and key]:
        alike = [item.name for item in classes if "".join(s for s in item.name.lower() if s.isalnum()) == key]
        yield Finding(kind="class", what=f"{' and '.join(alike)} differ in spelling only; are they one class?")


# Images


def check_images(records: Sequence[ImageRecord], looks: Sequence[Look | DataError]) -> Iterator[Finding]:
    """Look for images that can't be read, are not of their record's size, or stray from the others in size or colour."""
    fine: list[tuple[str, Look]] = []
    for record, look in zip(records, looks, strict=True):
        if isinstance(look, DataError):
            yield Finding(kind="image missing", what=look.message.rstrip("."), error=True, file=record.file)
        elif (look.height, look.width) != (record.height, record.width):
            sizes = f"{look.height} x {look.width} pixels, its record says {record.height} x {record.width}"
            yield Finding(kind="image missing", what=f"the image is {sizes}", error=True, file=record.file)
        else:
            fine.append((record.file, look))
    if fine:
        yield from _check_sizes(fine)
        yield from _check_colours(fine)


def check_changed(records: Sequence[ImageRecord], change_of: Callable[[int], str]) -> Iterator[Finding]:
    """Look for images that are not those that were imported; `change_of` says how one (by position) differs, or ""."""
    for position, record in enumerate(records):
        if change := change_of(position):
            yield Finding(
                kind="image missing", what=f"the image is not the one that was imported: {change}", error=True,
                file=record.file,
            )  # fmt: skip


def _check_sizes(fine: Sequence[tuple[str, Look]]) -> Iterator[Finding]:
    sizes = [(look.height, look.width) for _, look in fine]
    usual, count = Counter(sizes).most_common(1)[0]
    if count >= USUAL * len(fine):
        odd = [size != usual for size in sizes]
        others = f"{usual[0]} x {usual[1]}"
    else:
        sides = np.log(np.array(sizes, np.float64))
        middle = np.exp(np.median(sides, axis=0)).round().astype(int).tolist()
        odd = [bool(stray.any()) for stray in _strays(sides, least=_LEAST_SIZE)]
        others = f"about {middle[0]} x {middle[1]}"
    for (file, _), size, stray in zip(fine, sizes, odd, strict=True):
        if stray:
            what = f"the image is {size[0]} x {size[1]} px (height x width), most are {others}"
            yield Finding(kind="image size", what=what, file=file)


def _check_colours(fine: Sequence[tuple[str, Look]]) -> Iterator[Finding]:
    values = np.array([(look.brightness, look.colour) for _, look in fine])
    bright = _strays(values[:, 0], least=_LEAST_BRIGHTNESS)
    coloured = _strays(values[:, 1], least=_LEAST_COLOUR)
    grey = np.array([look.channels < 3 for _, look in fine])
    mostly_grey = bool(grey.mean() > 0.5)
    mixed = (grey == mostly_grey).mean() >= USUAL
    middle = np.median(values, axis=0)
    for k, (file, look) in enumerate(fine):
        if look.contrast < _BLANK:
            yield Finding(kind="image colour", what="the image has no contrast at all", file=file)
        elif bright[k]:
            what = f"the image's mean brightness is {look.brightness:.0f}, the median is {middle[0]:.0f} (0-255)"
            yield Finding(kind="image colour", what=what, file=file)
        if coloured[k]:
            more = "coloured" if look.colour > middle[1] else "grey"
            yield Finding(kind="image colour", what=f"the image is {more}, unlike the others", file=file)
        elif mixed and grey[k] != mostly_grey:
            kind = "grey" if grey[k] else "colour"
            yield Finding(kind="image colour", what=f"the file is stored in {kind}, unlike the others", file=file)


def _strays(values: NDArray[np.float64], *, least: float) -> NDArray[np.bool_]:
    """Mark values [N] or [N, D] far from the median: by more than `least`, and than 6 standard deviations of the bulk."""
    off = np.abs(values - np.median(values, axis=0))
    return np.asarray(off > np.maximum(least, STRAY * 1.4826 * np.median(off, axis=0)))


def check_twins(records: Sequence[ImageRecord], twins: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Tell of files that are there twice, and whether they are annotated alike; `twins` are positions."""
    for same in twins:
        first = records[same[0]]
        for k in same[1:]:
            alike = sorted(map(_mask, records[k].annotations)) == sorted(map(_mask, first.annotations))
            but = "" if alike else ", but with other masks: which are right?"
            yield Finding(kind="image twice", what=f"the same file as {first.file}{but}", file=records[k].file)


def _mask(annotation: Annotation) -> tuple[str, str]:
    return annotation.label, annotation.rle.counts

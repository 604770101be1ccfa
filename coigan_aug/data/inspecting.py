"""Inspecting: what a data set holds, what is wrong or odd in it, and whether its split can be trusted.

The groups are looked for anew, in the pixels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.data import checking
from coigan_aug.data.counting import (
    ClassCount,
    Counts,
    VoidCount,
    count_classes,
    count_void,
    object_areas,
    object_counts,
)
from coigan_aug.data.findings import Finding, findings_of
from coigan_aug.data.folds import FoldCount, count_folds, fold_deviation, numbers_of, read_folds
from coigan_aug.data.groups import find_groups
from coigan_aug.data.looks import Look, read_looks, same_files
from coigan_aug.data.opening import Subject, subject_of
from coigan_aug.data.split import clean_images, largest_deviation, share_of_clean, siblings_across
from coigan_aug.data.statistics import ClassStatistics, ImageStatistics, class_statistics, image_statistics
from coigan_aug.errors import DataError
from coigan_aug.prepare.objects import DefectObject, objects_of_all
from coigan_aug.progress import Report, silently
from coigan_aug.store.dataset import Dataset

LEAST_AREA = 16
"""What training leaves out by default (data.min_area)."""


@dataclass(frozen=True, kw_only=True)
class SplitState:
    """How a Dataset is split.

    `wanted` is the share of everything that train was to get (None where that isn't known), `deviation` how far a
    class' share of objects is from it at most, `clean_share` the share of the defect-free images in train (None without
    any). `torn` is the number of the Dataset's own groups that are on both sides. `folds` are those of a cross
    validation, `fold_leakage` the share of images that have a photograph of the same piece in another fold, by the
    pixels.
    """

    wanted: float | None
    deviation: float | None
    clean_share: float | None
    torn: int
    folds: tuple[FoldCount, ...]
    fold_deviation: float
    fold_leakage: float


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a data set holds.

    `near_duplicates` are the groups of more than one image that show one piece, by the pixels, largest first. Images
    that can't be read count in everything but what their pixels say; `unknown` ones, which lost a mask, as images only.
    `void` counts what is neither defect nor clean surface.
    `stopped` says what ended the reading ("": nothing did).

    `leakage` is the share of test images that have a photograph of the same piece in train, by near-duplicates found in
    the pixels, whatever groups the split was made with; `defective_leakage` the same of test images with a defect.
    `pairs` names them: a test image and one like it in train. Without a split there are none, and `split` is None.
    """

    path: Path
    description: str
    stopped: str
    images: int
    objects: int
    defect_free: int
    unknown: tuple[str, ...]
    void: VoidCount
    train: int
    test: int
    classes: tuple[ClassCount, ...]
    statistics: tuple[ClassStatistics, ...]
    looks: ImageStatistics
    near_duplicates: tuple[tuple[str, ...], ...]
    leakage: float
    defective_leakage: float
    pairs: tuple[tuple[str, str], ...]
    split: SplitState | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """The number of findings that are errors."""
        return sum(finding.error for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"path": str(self.path), "errors": self.errors}


def inspect_dataset(dataset: Dataset) -> Inspection:
    """Inspect a Dataset as `inspect_subject` does."""
    return inspect_subject(subject_of(dataset))


def inspect_subject(
    subject: Subject, *, least_area: int = LEAST_AREA, cache: Path | None = None,
    progress: Callable[[str], Report] | None = None,
) -> Inspection:  # fmt: skip
    """Count what a data set holds, check it, and look for near-duplicates on both sides of its split.

    Args:
        least_area: objects of fewer px are called tiny.
        cache: where near-duplicates that were found are kept; None keeps nothing.
        progress: called with the title of each long step; returns what reports it.

    Raises:
        DataError: it is empty, or a record or the list of folds is damaged.
    """
    dataset, report = subject.dataset, progress or silently
    if not len(dataset):
        raise DataError(f"{subject.path} holds no images.", remedy="Import some: coigan-aug import YOUR.csv")
    checked = [checking.sound_masks(record, dataset.names) for record in dataset]
    keep_unknown = not subject.unknown_as_clean
    records = [
        replace(record, annotations=tuple(kept), unknown=bool(wrong) or (keep_unknown and record.unknown))
        for record, (kept, wrong) in zip(dataset, checked, strict=True)
    ]
    unknown = [record.unknown for record in records]
    areas = object_areas(records, dataset.classes)
    counts, splits = object_counts(areas), [record.split for record in records]
    paths = [dataset.image_root / record.file for record in records]
    looks = read_looks(paths, progress=report("looking at the images"))
    groups = _groups(records, paths, looks, cache, report)
    classes = count_classes(dataset.classes, areas, splits)
    state = _split_state(dataset, records, counts, groups) if subject.split else None
    look = report("looking at the objects")
    objects: list[DefectObject] = []
    for k, own in enumerate(objects_of_all(enumerate(records), names=dataset.names, scale=1)):
        look(k, len(records))
        objects += () if unknown[k] else own
    report("counting up")
    names = [record.file for record in records]
    # of the test images only the defective ones; in train a piece counts whichever way it is photographed
    seen = [k for k, split in enumerate(splits) if split == "train" or counts[k].any()]
    pairs = tuple(_pairs(names, groups, splits))
    damaged = [finding for _, wrong in checked for finding in wrong]
    findings: list[Finding] = []
    if subject.stopped:
        what = f"{subject.stopped} Reading stopped there; what follows was not seen"
        findings.append(Finding(kind="source", what=what, error=True, file=subject.path.name))
    findings += [*findings_of(subject.problems), *damaged, *checking.check_images(records, looks)]
    findings += checking.check_changed(records, dataset.change_of)
    sound = (record for record, (_, wrong) in zip(records, checked, strict=True) if not wrong)
    findings += (finding for record in sound for finding in checking.check_state(record))
    findings += checking.check_twins(records, same_files(paths, looks))
    findings += (finding for record in records for finding in checking.check_masks(record))
    rows = zip(records, areas, strict=True)
    findings += (f for r, areas in rows for f in checking.check_tiny(r.file, areas, dataset.classes, least=least_area))
    findings += checking.check_classes(classes, split=state is not None and "test" in splits)
    clean = clean_images(counts, unknown)
    if not clean.any():
        what = "no image is free of defects: training needs clean surface to draw on"
        findings.append(Finding(kind="clean", what=what))
    findings += _leaks(state, pairs)
    return Inspection(
        path=subject.path,
        description=subject.description,
        stopped=subject.stopped,
        images=len(records),
        objects=int(counts.sum()),
        defect_free=int(clean.sum()),
        unknown=tuple(record.file for record in records if record.unknown),
        void=count_void(records),
        train=splits.count("train"),
        test=splits.count("test"),
        classes=classes,
        statistics=class_statistics([r for r in records if not r.unknown], dataset.classes, objects),
        looks=image_statistics([look for look in looks if isinstance(look, Look)]),
        near_duplicates=_together(names, groups),
        leakage=siblings_across(groups, splits),
        defective_leakage=siblings_across([groups[k] for k in seen], [splits[k] for k in seen]),
        pairs=pairs,
        split=state,
        findings=tuple(findings),
    )


def _groups(
    records: Sequence[ImageRecord],
    paths: Sequence[Path],
    looks: Sequence[Look | DataError],
    cache: Path | None,
    progress: Callable[[str], Report],
) -> list[str]:
    """Return a group for each image; those that can't be read are alone."""
    names = [record.file for record in records]
    fine = [k for k, look in enumerate(looks) if isinstance(look, Look)]
    groups = find_groups([paths[k] for k in fine], [names[k] for k in fine], root=cache, progress=progress)
    known = dict(zip(fine, groups, strict=True))
    return [known.get(k, name) for k, name in enumerate(names)]


def _together(names: Sequence[str], groups: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    members: dict[str, list[str]] = defaultdict(list)
    for name, group in zip(names, groups, strict=True):
        members[group].append(name)
    several = (tuple(sorted(files)) for files in members.values() if len(files) > 1)
    return tuple(sorted(several, key=lambda files: (-len(files), files)))


# The split


def _split_state(dataset: Dataset, records: Sequence[ImageRecord], counts: Counts, groups: Sequence[str]) -> SplitState:
    splits, names = [record.split for record in records], [record.file for record in records]
    share = dataset.manifest["provenance"].get("split")
    kept = read_folds(dataset.folder)
    numbers = numbers_of(kept, names) if kept else []
    unknown = [record.unknown for record in records]
    folds = count_folds(counts, numbers, unknown=unknown)
    return SplitState(
        wanted=share,
        deviation=None if share is None else largest_deviation(counts, splits, share=share),
        clean_share=share_of_clean(counts, splits, unknown=unknown),
        torn=_torn([record.group for record in records], splits),
        folds=folds,
        fold_deviation=fold_deviation(folds),
        fold_leakage=_across(groups, numbers),
    )


def _torn(groups: Sequence[str], sides: Sequence[object]) -> int:
    both = {(group, side) for group, side in zip(groups, sides, strict=True) if group}
    return sum(count > 1 for count in Counter(group for group, _ in both).values())


def _across(groups: Sequence[str], folds: Sequence[int]) -> float:
    """Return the share of images of which another of their group is in another fold; 0 without folds."""
    if not folds:
        return 0.0
    sides: dict[str, set[int]] = defaultdict(set)
    for group, fold in zip(groups, folds, strict=True):
        sides[group].add(fold)
    return float(np.mean([len(sides[group]) > 1 for group in groups]))


def _pairs(names: Sequence[str], groups: Sequence[str], splits: Sequence[str]) -> list[tuple[str, str]]:
    """Pair every test image that has a sibling in train with the first of them."""
    in_train: dict[str, list[str]] = defaultdict(list)
    for name, group, split in zip(names, groups, splits, strict=True):
        if split == "train":
            in_train[group].append(name)
    images = zip(names, groups, splits, strict=True)
    return [(name, min(in_train[group])) for name, group, split in images if split == "test" and in_train[group]]


def _leaks(state: SplitState | None, pairs: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for test, train in pairs:
        yield Finding(kind="leak", what=f"resembles {train}, which is in train", error=True, file=test)
    if state is not None and state.torn:
        yield Finding(kind="leak", what=f"{state.torn:,} groups of images are on both sides of the split", error=True)
    if state is not None and state.fold_leakage:
        what = f"{state.fold_leakage:.1%} of the images show a piece that is in another fold too"
        yield Finding(kind="leak", what=what, error=True)

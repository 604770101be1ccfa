"""Importing: a team's files become a Dataset with groups and a split; every oddity is noted in import.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coigan_aug import rng
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.data.counting import ClassCount, Counts, count_classes, object_areas, object_counts
from coigan_aug.data.eight_bits import write_copies
from coigan_aug.data.folds import FoldCount, count_folds, fold_deviation, gather_folds, write_folds
from coigan_aug.data.grouping import NEAR_DUPLICATES, group_images
from coigan_aug.data.sides import Sides, check_split, deal, own_sides
from coigan_aug.data.split import largest_deviation, share_of_clean, siblings_across
from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import folder_lock, write_json
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.reading import drain
from coigan_aug.formats.source import Problem, Problems, ReadOptions, Source
from coigan_aug.progress import Report, silent
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.writer import write_dataset

REPORT = "import.json"


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import made.

    `groups` counts the groups of more than one image, `grouped` the images in them, `grouping` says how they were found
    ("near-duplicates", "none", the column, or the pattern). `leakage` is the share of test images with an image of their
    group in train (0 unless the source's own split tears groups), `random_leakage` what a split by single images would
    have had. `sides` says how many images the source has on each side, where its sides were taken. `wanted` is the share
    of everything that train was to get (of the objects, where the source's sides were taken), `deviation` how far a
    class' share of objects is from it at most (0..1), `clean_share` the share of the defect-free images in train (None
    without any). `folds` are those of a cross validation, of which `fold` is the test set; `fold_deviation` as
    `deviation`, for the folds.
    """

    folder: Path
    format: str
    description: str
    images: int
    defect_free: int
    train: int
    test: int
    objects: int
    classes: tuple[ClassCount, ...]
    groups: int
    grouped: int
    grouping: str
    leakage: float
    random_leakage: float
    wanted: float
    sides: Mapping[str, int]
    deviation: float
    clean_share: float | None
    folds: tuple[FoldCount, ...]
    fold: int | None
    fold_deviation: float
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}


def import_dataset(
    source: Path,
    out: Path,
    *,
    options: ReadOptions | None = None,
    format: str | None = None,
    group_by: str | None = None,
    split: float | None = 0.8,
    folds: int = 0,
    fold: int = 1,
    seed: int = 0,
    strict: bool = False,
    overwrite: bool = False,
    binary: bool = False,
    command: str = "",
    progress: Callable[[str], Report] | None = None,
    say: Callable[[str], None] | None = None,
) -> ImportReport:
    """Read annotations in a team's format and write them to `out` as a Dataset, with `import.json` beside it.

    Args:
        source: the annotation file, or the folder.
        format: one of `formats.detect.FORMATS`; None looks.
        group_by: "none" (each image alone), a column of the source, a regular expression over file names whose first
            group (or whole match) names the group, or None: near-duplicate images are found and kept together.
        split: share of the training images, above 0, at most 1; folds need none. None takes the sides that the source
            names, though they tear groups.
        folds: deal the images out to so many folds for a cross validation, kept in `folds.json`; 0: none.
        fold: which of them is the test set, from 1; the others are for training.
        strict: the first problem is an error.
        overwrite: replace the Dataset that is there.
        binary: store packed binary JSON.
        command: the command line, for `import.json`.
        progress: called with the title of each long step; returns what reports it.
        say: called with the description of the source once that is known.

    Raises:
        UsageError: `out` holds a Dataset and `overwrite` is off; an option is out of range.
        DataError: the source can't be read, holds no image, or has a problem that no option allows.
    """
    check_split(split, folds=folds, fold=fold)
    _check(out, overwrite=overwrite)
    report = progress or (lambda title: silent)
    problems = Problems(strict=strict)
    opened = open_source(source, options=options or ReadOptions(), problems=problems, name=format)
    if say is not None:
        say(opened.description)
    records = list(drain(opened.records, count=opened.count, report=report("reading images")))
    if not records:
        raise DataError(f"{source} holds no images.", remedy="Say where they are: --images DIR")
    if options is not None and options.value_range is not None:
        opened = replace(opened, image_root=_copies(records, opened.image_root, out, options.value_range, report))
    areas = object_areas(records, opened.classes)
    groups = group_images(opened.image_root, records, group_by=group_by, problems=problems, progress=report)
    counts = object_counts(areas)
    if split is None:
        sides = own_sides(records, counts, problems)
    else:
        sides = deal(groups, counts, split=split, folds=folds, fold=fold, seed=seed)
    result = _report(
        out, opened, records, areas=areas, groups=groups, sides=sides, grouping=group_by or NEAR_DUPLICATES,
        problems=problems.found, seed=seed,
    )  # fmt: skip
    kept = gather_folds([record.file for record in records], sides.folds, test=fold, seed=seed) if folds else None
    provenance: dict[str, Any] = {"source": str(source.resolve()), "format": opened.format, "command": command}
    provenance |= {"seed": seed, "split": sides.wanted} | ({"folds": folds, "fold": fold} if folds else {})
    provenance |= {"sides": sides.named} if sides.named else {}
    if options is not None and options.value_range is not None:
        provenance["value_range"] = options.value_range
    final = (replace(record, group=g, split=s) for record, g, s in zip(records, groups, sides.split, strict=True))
    with folder_lock(out):
        (out / MANIFEST).unlink(missing_ok=True)
        write_json(out / REPORT, result.to_dict() | {"provenance": provenance})
        write_folds(out, kept)
        write_dataset(
            out, final, classes=opened.classes, image_root=opened.image_root, provenance=provenance, binary=binary
        )
    return result


def _check(out: Path, *, overwrite: bool) -> None:
    if (out / MANIFEST).exists() and not overwrite:
        what = f"{out}/ already holds {len(Dataset(out)):,} images."
        raise UsageError(what, remedy="--overwrite, or another --workspace")


def _copies(
    records: Sequence[ImageRecord],
    root: Path,
    out: Path,
    value_range: tuple[float, float],
    report: Callable[[str], Report],
) -> Path:
    with folder_lock(out):
        (out / MANIFEST).unlink(missing_ok=True)
        return write_copies(records, root, out, value_range=value_range, report=report("scaling images to 8 bits"))


def _report(
    out: Path,
    source: Source,
    records: Sequence[ImageRecord],
    *,
    areas: Sequence[Sequence[Counts]],
    groups: Sequence[str],
    sides: Sides,
    grouping: str,
    problems: Sequence[Problem],
    seed: int,
) -> ImportReport:
    counts = object_counts(areas)
    train = np.array([part == "train" for part in sides.split])
    folds = count_folds(counts, sides.folds)
    sizes = Counter(groups)
    several = [size for size in sizes.values() if size > 1]
    return ImportReport(
        folder=out,
        format=source.format,
        description=source.description,
        images=len(records),
        defect_free=int((counts.sum(axis=1) == 0).sum()),
        train=int(train.sum()),
        test=int((~train).sum()),
        objects=int(counts.sum()),
        classes=count_classes(source.classes, areas, sides.split),
        groups=len(several),
        grouped=sum(several),
        grouping=grouping,
        leakage=siblings_across(groups, sides.split),
        random_leakage=siblings_across(groups, _shuffled(sides.split, seed)),
        wanted=sides.wanted,
        sides=sides.named,
        deviation=largest_deviation(counts, sides.split, share=sides.wanted),
        clean_share=share_of_clean(counts, sides.split),
        folds=folds,
        fold=sides.fold,
        fold_deviation=fold_deviation(folds),
        problems=tuple(problems),
    )


def _shuffled(splits: Sequence[str], seed: int) -> list[str]:
    order = rng.generator(seed, "import.random-split").permutation(len(splits))
    return [splits[k] for k in order]

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
from coigan_aug.data.counting import (
    ClassCount,
    Counts,
    VoidCount,
    count_classes,
    count_void,
    object_areas,
    object_counts,
)
from coigan_aug.data.eight_bits import write_copies
from coigan_aug.data.folds import FoldCount, count_folds, fold_deviation, gather_folds, write_folds
from coigan_aug.data.grouping import NEAR_DUPLICATES, group_images
from coigan_aug.data.sides import Sides, check_split, deal, own_sides
from coigan_aug.data.split import clean_images, largest_deviation, share_of_clean, siblings_across
from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import folder_lock
from coigan_aug.formats.detect import check_there, open_source
from coigan_aug.formats.reading import check_masks, drain
from coigan_aug.formats.source import Problem, Problems, ReadOptions, Source
from coigan_aug.log import detail
from coigan_aug.progress import SILENT, Report, Talk
from coigan_aug.sealed import write_sealed
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.noted import note_images
from coigan_aug.store.writer import write_dataset

REPORT = "import.json"


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How images are dealt out to train and test.

    `split` is the share of the training images, above 0, at most 1 (folds need none); None takes the sides that the source
    names, though they tear groups. `folds` deals them out to so many folds for a cross validation, kept in `folds.json`
    (0: none), of which `fold`, from 1, is the test set.
    """

    split: float | None = 0.8
    folds: int = 0
    fold: int = 1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import made.

    `unknown` are the images that lost an annotation or whose mask is missing: they count as images and in their groups,
    in no class and not as defect-free. `void` counts what is neither defect nor clean surface.
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
    unknown: tuple[str, ...]
    void: VoidCount
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
    sharing: Sharing = Sharing(),
    strict: bool = False,
    overwrite: bool = False,
    binary: bool = False,
    command: str = "",
    cache: Path | None = None,
    talk: Talk = SILENT,
) -> ImportReport:
    """Read annotations in a team's format and write them to `out` as a Dataset, with `import.json` beside it.

    Args:
        source: the annotation file, or the folder.
        format: the name of a format; None looks.
        group_by: "none" (each image alone), a column of the source, a regular expression over file names whose first
            group (or whole match) names the group, or None: near-duplicate images are found and kept together.
        sharing: how the images are dealt out to train and test.
        strict: the first problem is an error.
        overwrite: replace the Dataset that is there.
        binary: store packed binary JSON.
        command: the command line, for `import.json`.
        cache: where near-duplicates that were found are kept; None keeps nothing.

    Raises:
        UsageError: `out` holds a Dataset and `overwrite` is off, or another import is writing one; an option is out of range.
        DataError: the source can't be read, holds no image, or has a problem that no option allows.
    """
    check_split(sharing.split, folds=sharing.folds, fold=sharing.fold)
    options, problems = options or ReadOptions(), Problems(strict=strict)
    check_there(source)
    _check_free(out, overwrite=overwrite)
    opened = open_source(source, options=options, problems=problems, name=format)
    with folder_lock(out), talk.steps() as report:
        _check_free(out, overwrite=overwrite)  # another import may have ended meanwhile; now none can
        talk.say(f"Format: {opened.description}")
        detail(f"annotations: {source}; images: {opened.image_root}; data set: {out}")
        return _import(
            source, opened, out, report, options=options, group_by=group_by, sharing=sharing, problems=problems,
            binary=binary, command=command, cache=cache,
        )  # fmt: skip


def _check_free(out: Path, *, overwrite: bool) -> None:
    if (out / MANIFEST).exists() and not overwrite:
        try:
            images = f"{len(Dataset(out)):,} images"
        except DataError:  # it is there, whatever is wrong with it
            images = "a data set, which is damaged"
        raise UsageError(f"{out}/ already holds {images}.", remedy="--overwrite, or another --workspace")


def _import(
    source: Path, opened: Source, out: Path, report: Callable[[str], Report], *, options: ReadOptions,
    group_by: str | None, sharing: Sharing, problems: Problems, binary: bool, command: str, cache: Path | None,
) -> ImportReport:  # fmt: skip
    """Do what `import_dataset` says, showing each long step."""
    split, folds, fold, seed = sharing.split, sharing.folds, sharing.fold, sharing.seed
    records = list(drain(opened.records, count=opened.count, report=report("reading images")))
    if not records:
        raise DataError(f"{source} holds no images.", remedy="Say where they are: --images DIR")
    masks = sum(len(record.annotations) for record in records)
    check_masks(source, masks=masks, unknown=sum(record.unknown for record in records), problems=problems)
    if options.value_range is not None:
        opened = replace(opened, image_root=_copies(records, opened.image_root, out, options.value_range, report))
    areas = object_areas(records, opened.classes)
    unknown = [record.unknown for record in records]
    groups = group_images(opened.image_root, records, group_by=group_by, problems=problems, progress=report, root=cache)
    counts = object_counts(areas)
    if split is None:
        sides = own_sides(records, counts, problems)
    else:
        sides = deal(groups, counts, split=split, folds=folds, fold=fold, seed=seed, unknown=unknown)
    result = _report(
        out, opened, records, areas=areas, groups=groups, sides=sides, grouping=group_by or NEAR_DUPLICATES,
        problems=problems.all, seed=seed,
    )  # fmt: skip
    kept = gather_folds([record.file for record in records], sides.folds, test=fold, seed=seed) if folds else None
    provenance: dict[str, Any] = {"source": str(source.resolve()), "format": opened.format, "command": command}
    provenance |= {"seed": seed, "split": sides.share} | ({"folds": folds, "fold": fold} if folds else {})
    provenance |= {"sides": sides.named} if sides.named else {}
    if options.value_range is not None:
        provenance["value_range"] = options.value_range
    final = (replace(record, group=g, split=s) for record, g, s in zip(records, groups, sides.split, strict=True))
    noted = note_images(opened.image_root / record.file for record in records)
    (out / MANIFEST).unlink(missing_ok=True)
    write_sealed(out / REPORT, result.to_dict() | {"provenance": provenance})
    write_folds(out, kept)
    write_dataset(
        out, final, classes=opened.classes, image_root=opened.image_root, provenance=provenance, binary=binary,
        noted=noted,
    )  # fmt: skip
    return result


def _copies(
    records: Sequence[ImageRecord],
    root: Path,
    out: Path,
    value_range: tuple[float, float],
    report: Callable[[str], Report],
) -> Path:
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
    unknown = [record.unknown for record in records]
    folds = count_folds(counts, sides.folds, unknown=unknown)
    order = rng.generator(seed, "import.random-split").permutation(len(sides.split))
    sizes = Counter(groups)
    several = [size for size in sizes.values() if size > 1]
    return ImportReport(
        folder=out,
        format=source.format,
        description=source.description,
        images=len(records),
        defect_free=int(clean_images(counts, unknown).sum()),
        unknown=tuple(record.file for record in records if record.unknown),
        void=count_void(records),
        train=int(train.sum()),
        test=int((~train).sum()),
        objects=int(counts.sum()),
        classes=count_classes(source.classes, areas, sides.split),
        groups=len(several),
        grouped=sum(several),
        grouping=grouping,
        leakage=siblings_across(groups, sides.split),
        random_leakage=siblings_across(groups, [sides.split[k] for k in order]),
        wanted=sides.share,
        sides=sides.named,
        deviation=largest_deviation(counts, sides.split, share=sides.share),
        clean_share=share_of_clean(counts, sides.split, unknown=unknown),
        folds=folds,
        fold=sides.fold,
        fold_deviation=fold_deviation(folds),
        problems=tuple(problems),
    )

"""The folds of a cross validation, in a file beside the Dataset: which images each one holds, which one is held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from coigan_aug.data.counting import Counts
from coigan_aug.data.split import clean_images
from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import folder_lock, sha256
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.noted import IMAGES
from coigan_aug.store.writer import write_dataset

FOLDS = "folds.json"


@dataclass(frozen=True, kw_only=True)
class Folds:
    """The images of each fold, as the records name them; `test` is the number, from 1, of the one held out."""

    test: int
    seed: int
    files: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class FoldCount:
    """What a fold holds: images, those free of defects, objects of each class; `number` counts from 1."""

    number: int
    images: int
    defect_free: int
    objects: tuple[int, ...]


def check_folds(folds: int, test: int) -> None:
    """Refuse numbers of folds that make no sense; 0 folds means none.

    Raises:
        UsageError: one fold, a negative number, or a fold that there is not.
    """
    if folds == 1 or folds < 0:
        raise UsageError(f"--folds {folds}: a cross validation has 2 folds or more.")
    if not 1 <= test <= max(folds, 1):
        what = f"the folds are 1 to {folds}" if folds else "there are no folds"
        raise UsageError(f"--fold {test}: {what}.", remedy="" if folds else "Say how many: --folds 5")


def gather_folds(files: Sequence[str], numbers: Sequence[int], *, test: int, seed: int) -> Folds:
    """Sort images into their folds, 1, 2, ..., each in order of their names."""
    sorted_files = sorted(zip(files, numbers, strict=True))
    numbered = (tuple(file for file, number in sorted_files if number == k) for k in range(1, max(numbers) + 1))
    return Folds(test=test, seed=seed, files=tuple(numbered))


def write_folds(folder: Path, folds: Folds | None) -> None:
    """Write `folds.json` into a Dataset's folder, or remove an old one where there are no folds."""
    if folds is None:
        (folder / FOLDS).unlink(missing_ok=True)
    else:
        write_sealed(folder / FOLDS, asdict(folds))


def read_folds(folder: Path) -> Folds | None:
    """Read the folds of a Dataset; None where it has none.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / FOLDS
    if not path.exists():
        return None
    value = read_sealed(path, remedy="Import again with --folds K.")
    try:
        files = tuple(tuple(str(file) for file in fold) for fold in value["files"])
        return Folds(test=int(value["test"]), seed=int(value["seed"]), files=files)
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not a list of folds.", remedy="Import again with --folds K.") from error


def hold_out(dataset: Dataset, number: int, folder: Path) -> Dataset:
    """Return the Dataset in a folder that holds out a fold, from 1, of another one; written where it is not there or stale.

    Records and images are the same; only the sides differ.

    Raises:
        DataError: the data set has no folds, or not so many.
    """
    folds = read_folds(dataset.folder)
    if folds is None or not 1 <= number <= len(folds.files):
        raise DataError(
            f"{dataset.folder} has no fold {number}: it was imported without --folds {max(number, 2)}.",
            remedy="Import it again with: coigan-aug import ... --folds 2 --overwrite",
        )
    with folder_lock(folder, wait=True):
        return _held_out(dataset, folds, number, folder)


def _held_out(dataset: Dataset, folds: Folds, number: int, folder: Path) -> Dataset:
    made_of = {"fold": number, "of": dataset.manifest["sha256"], "folds": sha256(dataset.folder / FOLDS)}
    if (folder / MANIFEST).exists():
        kept = Dataset(folder)
        if kept.manifest["provenance"].get("made_of") == made_of:
            return kept
    noted = dataset.folder / IMAGES
    held_out = set(folds.files[number - 1])
    records = (dataclasses.replace(record, split="test" if record.file in held_out else "train") for record in dataset)
    made = write_dataset(
        folder,
        records,
        classes=dataset.classes,
        image_root=dataset.image_root,
        provenance=dict(dataset.manifest["provenance"]) | {"made_of": made_of},
        binary=dataset.binary,
        noted=noted.read_bytes() if noted.is_file() else b"",
    )
    write_folds(folder, dataclasses.replace(folds, test=number))
    return made


def numbers_of(folds: Folds, files: Sequence[str]) -> list[int]:
    """Return the fold, from 1, of each file.

    Raises:
        DataError: the folds are of other files than these.
    """
    known = {file: k for k, members in enumerate(folds.files, start=1) for file in members}
    if known.keys() != set(files) or len(known) != sum(map(len, folds.files)):
        raise DataError(f"{FOLDS} lists other images than the data set.", remedy="Import again with --folds K.")
    return [known[file] for file in files]


def count_folds(counts: Counts, numbers: Sequence[int], *, unknown: Sequence[bool] = ()) -> tuple[FoldCount, ...]:
    """Count what is in each fold.

    Args:
        counts: objects of each class in each image, [N, K].
        numbers: the fold of each image, from 1.
        unknown: which images are of unknown state; () for none.
    """
    fold_of, clean = np.array(numbers), clean_images(counts, unknown)
    return tuple(
        FoldCount(
            number=k,
            images=int((fold_of == k).sum()),
            defect_free=int(clean[fold_of == k].sum()),
            objects=tuple(counts[fold_of == k].sum(axis=0).tolist()),
        )
        for k in range(1, max(numbers, default=0) + 1)
    )


def fold_deviation(folds: Sequence[FoldCount]) -> float:
    """Return how far a fold's share of a class' objects is at most from an even one, 0..1."""
    by_class = [np.array(counts, np.float64) for counts in zip(*(fold.objects for fold in folds), strict=True)]
    off = (np.abs(counts / counts.sum() - 1 / len(folds)) for counts in by_class if counts.any())
    return max((float(deviations.max()) for deviations in off), default=0.0)

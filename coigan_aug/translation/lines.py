"""The line whose look is taken: a Dataset, a workspace, or a folder of images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.imaging import SUFFIXES
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Line:
    """Images of one line below `root`; `dataset` where they are those of one. `folder` is what a person named."""

    folder: Path
    root: Path
    paths: tuple[Path, ...]
    dataset: Dataset | None = None


def find_line(folder: Path) -> Line:
    """Open the images whose look may be taken: of a data set all but its test images, else all below a folder.

    Raises:
        DataError: there are none, or nobody can tell images and masks apart.
    """
    known = find_dataset(folder)
    if known is not None:
        return line_of(Dataset(known), folder=folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder.", remedy="--to takes a workspace, a data set, or a folder of images.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    _check(folder, paths)
    return Line(folder=folder, root=folder, paths=tuple(paths))


def line_of(dataset: Dataset, *, folder: Path) -> Line:
    """Return a data set's images but for its test images: those serve to measure."""
    kept = [dataset.image_path(k) for k, record in enumerate(dataset) if record.split != "test"]
    if not kept:
        what = f"All images of {dataset.folder} are test images; none is left whose look could be taken."
        raise DataError(what, remedy="Import it again with a split: coigan-aug import ... --split 0.5 --overwrite")
    return Line(folder=folder, root=dataset.image_root, paths=tuple(kept), dataset=dataset)


def _check(folder: Path, paths: Iterable[Path]) -> None:
    stems: dict[Path, Path] = {}
    for path in paths:
        other = stems.setdefault(path.with_suffix(""), path)
        if other is not path:
            what = f"{other} and {path.name}: one of them may be a mask."
            raise DataError(what, remedy="Import the folder (coigan-aug import) and name its workspace instead.")
    if not stems:
        raise DataError(
            f"{folder} holds no images.", remedy="--to takes a workspace, a data set, or a folder of images."
        )

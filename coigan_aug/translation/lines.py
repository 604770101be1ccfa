"""The line whose look is taken: a Dataset, a workspace, or a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.source import Problems
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Line:
    """Images of one line below `root`; `dataset` where they are those of one. `folder` is what a person named."""

    folder: Path
    root: Path
    paths: tuple[Path, ...]
    dataset: Dataset | None = None


def find_line(folder: Path) -> Line:
    """Open the images whose look may be taken: of a data set all but its test images, else all below a folder but for masks.

    Raises:
        DataError: there are none.
    """
    known = find_dataset(folder)
    if known is not None:
        return line_of(Dataset(known), folder=folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder.", remedy="--to takes a workspace, a data set, or a folder of images.")
    images = ImageFolder(folder, problems=Problems(lenient=True)).images()
    if not images:
        raise DataError(
            f"{folder} holds no images.", remedy="--to takes a workspace, a data set, or a folder of images."
        )
    return Line(folder=folder, root=folder, paths=tuple(folder / file for file in images))


def line_of(dataset: Dataset, *, folder: Path) -> Line:
    """Return a data set's images but for its test images: those serve to measure."""
    kept = [dataset.image_path(k) for k, record in enumerate(dataset) if record.split != "test"]
    if not kept:
        what = f"All images of {dataset.folder} are test images; none is left whose look could be taken."
        raise DataError(what, remedy="Import it again with a split: coigan-aug import ... --split 0.5 --overwrite")
    return Line(folder=folder, root=dataset.image_root, paths=tuple(kept), dataset=dataset)

"""The region of interest: where in each image defects may go, as a person has drawn it. Mask images; not 0 is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import marked
from coigan_aug.errors import DataError
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.source import Problems
from coigan_aug.imaging import SUFFIXES, read_mask
from coigan_aug.store.dataset import Dataset

_ENDINGS = ("_roi", "-roi", "_mask", "-mask")
_LOSSY = (".jpg", ".jpeg", ".webp")  # their black is not quite 0


@dataclass(frozen=True, kw_only=True)
class Roi:
    """Where defects may go: one mask for all images, or `files` by record position; images without one are no bases.

    `path` is what the person gave, a file or a folder.
    """

    path: Path
    single: bool
    files: Mapping[int, Path]

    def has(self, position: int) -> bool:
        """Tell whether a record's image has a mask."""
        return self.single or position in self.files

    def count(self, positions: Sequence[int]) -> int:
        """Return how many of these records have a mask."""
        return sum(self.has(position) for position in positions)

    def mask(self, position: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Read where defects may go in a record's image: bool [height, width]; None where it has no mask.

        Raises:
            DataError: the mask is empty, of another size than the image, or can't be read.
        """
        if not self.has(position):
            return None
        file = self.path if self.single else self.files[position]
        pixels = read_mask(file)
        if pixels.shape[:2] != (height, width):
            size = f"{pixels.shape[0]} x {pixels.shape[1]}"
            raise DataError(
                f"The region of interest {file} is {size} pixels, its image is {height} x {width} (height x width).",
                remedy="Give a folder with a mask for each image, each of its image's size."
                if self.single
                else "Draw it on the image itself, at the same size.",
            )
        level = 127 if file.suffix.lower() in _LOSSY else 0
        allowed = marked(pixels, level=level)
        if not allowed.any():
            raise DataError(
                f"The region of interest {file} is empty: no pixel of it is set.",
                remedy="Paint white where defects may go, or remove the file to leave its image out.",
            )
        return allowed


def open_roi(path: Path, dataset: Dataset) -> Roi:
    """Find the masks of a Dataset's images: `path` is one mask image for all, or a folder of them.

    In a folder a mask has the image's path or name, with any image suffix, and may end in _roi or _mask. No mask is read.

    Raises:
        DataError: `path` is not there or no image, no image has a mask in the folder, or one name fits several images.
    """
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return Roi(path=path, single=True, files={})
    if not path.is_dir():
        what = "is no image and no folder" if path.exists() else "is not there"
        raise DataError(
            f"The region of interest {path} {what}.",
            remedy="Give one mask image, or a folder with one for each image, of its name: images/a.jpg, roi/a.png.",
        )
    masks = _by_stem(ImageFolder(path, problems=Problems()))
    stems = [record.file.rpartition(".")[0] for record in dataset]
    files = {position: mask for position, stem in enumerate(stems) if (mask := _find(masks, stem, path)) is not None}
    if not files:
        raise DataError(
            f"{path} holds no mask for any of the {len(stems):,} images (looked for {stems[0]}.png)."
            if stems
            else f"{dataset.folder} holds no images.",
            remedy="A mask has its image's name: images/a.jpg, roi/a.png.",
        )
    _refuse_shared(files, stems)
    return Roi(path=path, single=False, files=files)


def _by_stem(folder: ImageFolder) -> dict[str, list[str]]:
    """Return the paths of the mask files by each name that they may be asked for by: with folders and without."""
    paths: dict[str, list[str]] = {}
    for path in folder.paths:
        for name in dict.fromkeys(_names(path.rpartition(".")[0])):
            paths.setdefault(name, []).append(path)
    return paths


def _names(stem: str) -> Iterator[str]:
    for name in (stem, stem.rpartition("/")[2]):
        yield name
        yield from (name.removesuffix(end) for end in _ENDINGS if name.endswith(end))


def _find(masks: Mapping[str, Sequence[str]], stem: str, root: Path) -> Path | None:
    """Return the mask of an image: of the same path, else of the same name."""
    for name in (stem, stem.removeprefix("images/"), stem.rpartition("/")[2]):
        paths = masks.get(name, ())
        if len(paths) > 1:
            raise DataError(
                f"The image {stem} has two regions of interest in {root}: {paths[0]} and {paths[1]}.",
                remedy="Keep one, or put the masks into folders like the images'.",
            )
        if paths:
            return root / paths[0]
    return None


def _refuse_shared(files: Mapping[int, Path], stems: Sequence[str]) -> None:
    """Refuse a mask that was found for two images: names repeat in folders, and the masks are not in folders."""
    first: dict[Path, int] = {}
    for position, file in files.items():
        other = first.setdefault(file, position)
        if other != position:
            raise DataError(
                f"The region of interest {file} fits two images: {stems[other]} and {stems[position]}.",
                remedy="Put the masks into folders like the images'.",
            )

"""Sets of pictures as rows in feature spaces; the rows lie in files, so that memory does not grow with the sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coigan_aug.evaluation.crops import Crop, Instance, group_of, in_blocks, object_crops
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.features import Extractor, Lite0, Rows, write_rows
from coigan_aug.progress import Report
from coigan_aug.store.dataset import Dataset

BATCH = 16
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """One side of a comparison: the images of a Dataset at `positions`, and the objects in them, class by class."""

    name: str
    dataset: Dataset
    positions: Sequence[int]
    instances: Sequence[Instance]

    def members(self, label: int) -> slice:
        """Return where the objects of a class lie in `instances`, and their rows in the files."""
        labels = [item.label for item in self.instances]
        first, last = np.searchsorted(labels, [label, label + 1])
        return slice(int(first), int(last))

    def object_groups(self) -> NDArray[np.int64]:
        """Return the group of images that each object comes from, as numbers."""
        return _numbered([item.group for item in self.instances])

    def image_groups(self) -> NDArray[np.int64]:
        """Return the group of each image, as numbers."""
        return _numbered([group_of(self.dataset[position]) for position in self.positions])


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The rows of a set: of its images and of its objects in each feature space, and of what is inside the masks."""

    images: Mapping[str, Rows]
    objects: Mapping[str, Rows]
    inside: Rows


def counted(report: Report, total: int) -> Advance:
    """Return what adds to a count of done work and reports it."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    return advance


def embed(
    pictures: PictureSet, extractors: Mapping[str, Extractor], lite0: Lite0, *, factor: float, folder: Path, advance: Advance
) -> Embedded:  # fmt: skip
    """Write a set's rows to files in a folder.

    Args:
        extractors: the feature spaces by name; `lite0` serves for the insides, and for its own space where it is asked.
        factor: side of an object's crop, in sides of its box.
        advance: called with the number of pictures just done.
    """
    images = {
        name: embed_images(
            map(pictures.dataset.image, pictures.positions), extractor, count=len(pictures.positions),
            path=folder / f"{pictures.name}-{name}-images.npy", advance=advance,
        )
        for name, extractor in extractors.items()
    }  # fmt: skip
    objects = {
        name: embed_crops(
            object_crops(pictures.dataset, pictures.instances, factor=factor), extractor, count=len(pictures.instances),
            path=folder / f"{pictures.name}-{name}-objects.npy", advance=advance,
        )
        for name, extractor in extractors.items() if name != lite0.name
    }  # fmt: skip
    pooled, inside = embed_insides(
        object_crops(pictures.dataset, pictures.instances, factor=factor), lite0, count=len(pictures.instances),
        folder=folder, name=pictures.name, advance=advance,
    )  # fmt: skip
    return Embedded(images=images, objects=objects | {lite0.name: pooled}, inside=inside)


def embed_images(images: Iterable[Pixels], extractor: Extractor, *, count: int, path: Path, advance: Advance) -> Rows:
    """Write the rows of `count` pictures to a file, in their order."""

    def blocks() -> Iterator[tuple[NDArray[np.int64], Rows]]:
        done = 0
        for block in in_blocks(iter(images), BATCH):
            yield np.arange(done, done + len(block)), extractor(block).cpu().numpy()
            done += len(block)
            advance(len(block))

    return write_rows(path, blocks(), count=count, width=extractor.width)


def embed_crops(crops: Iterable[Crop], extractor: Extractor, *, count: int, path: Path, advance: Advance) -> Rows:
    """Write the rows of `count` crops to a file, each at the crop's number."""

    def blocks() -> Iterator[tuple[NDArray[np.int64], Rows]]:
        for block in in_blocks(iter(crops), BATCH):
            yield _numbers(block), extractor([crop.pixels for crop in block]).cpu().numpy()
            advance(len(block))

    return write_rows(path, blocks(), count=count, width=extractor.width)


def embed_insides(
    crops: Iterable[Crop], lite0: Lite0, *, count: int, folder: Path, name: str, advance: Advance
) -> tuple[Rows, Rows]:
    """Write the rows of `count` crops and those of what is inside their masks, in one pass through the network."""
    both = lite0.width + lite0.inside_width

    def blocks() -> Iterator[tuple[NDArray[np.int64], Rows]]:
        for block in in_blocks(iter(crops), BATCH):
            parts = lite0.with_inside([crop.pixels for crop in block], [crop.mask for crop in block])
            yield _numbers(block), np.concatenate([part.cpu().numpy() for part in parts], axis=1)
            advance(len(block))

    rows = write_rows(folder / f"{name}-{lite0.name}-insides.npy", blocks(), count=count, width=both)
    return rows[:, : lite0.width], rows[:, lite0.width :]


def _numbers(block: Sequence[Crop]) -> NDArray[np.int64]:
    return np.array([crop.number for crop in block], np.int64)

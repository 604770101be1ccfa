"""What is looked at: objects cut out with their surroundings, whole images, and tiles; pixels are read when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import extents
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored
from coigan_aug.prepare.objects import SMALLEST_CROP
from coigan_aug.prepare.tiles import offsets
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import shape_source

CROP_FACTOR = 1.5
"""Side of an object's crop in the quality measures, in sides of its box."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One object of a Dataset: its record and class (by position), its mask, the group of images it belongs to.

    `shape_of` is the file of the training image whose shape a synthetic object took; "" for a real one.
    """

    position: int
    label: int
    mask: rle.Rle
    group: str
    shape_of: str = ""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square cut out round an object: its number, uint8 [S, S, 3] pixels, the object's own mask [S, S]."""

    number: int
    pixels: Pixels
    mask: rle.Mask


def find_instances(dataset: Dataset, positions: Sequence[int], *, min_area: int) -> list[Instance]:
    """List the objects of the records at `positions`, class by class, within a class in the order of `positions`.

    Real objects are the 8-connected components of a class's masks; a synthetic mask is one object as it was planned.
    Those of fewer than `min_area` px are left out.
    """
    instances = [item for position in positions for item in _instances_of(dataset, position)]
    sizes = extents([item.mask for item in instances])
    large = (item for item, (area, _) in zip(instances, sizes, strict=True) if area >= min_area)
    return sorted(large, key=lambda item: item.label)


def _instances_of(dataset: Dataset, position: int) -> Iterator[Instance]:
    record = dataset[position]
    group = group_of(record)
    for label, name in enumerate(dataset.names):
        annotations = [annotation for annotation in record.annotations if annotation.label == name]
        shapes = [(item, shape_source(item)) for item in annotations]
        for item, shape_of in shapes:
            if shape_of is not None:
                yield Instance(position, label, item.rle, group, shape_of)
        real = [item.rle for item, shape_of in shapes if shape_of is None]
        for part in split_components(rle.union(real)) if real else ():
            yield Instance(position, label, part, group)


def group_of(record: ImageRecord) -> str:
    """Return the group of images that count as one: the record's, else the image alone."""
    return record.group or record.file


def object_crops(dataset: Dataset, instances: Sequence[Instance], *, factor: float) -> Iterator[Crop]:
    """Yield the crop of every object, each image read once; `number` is the object's place in `instances`.

    The image is mirrored beyond its edges; masks end there.
    """
    order = sorted(range(len(instances)), key=lambda number: instances[number].position)
    for position, numbers in groupby(order, key=lambda number: instances[number].position):
        image = dataset.image(position)
        for number in numbers:
            yield cut_crop(image, instances[number], number=number, factor=factor)


def cut_crop(image: Pixels, instance: Instance, *, number: int, factor: float) -> Crop:
    """Cut one object out of its image [H, W, 3]."""
    region = rle.box(instance.mask).square(factor, least=SMALLEST_CROP)
    return Crop(number, cut_mirrored(image, region), rle.decode_box(instance.mask, region))


def with_objects(dataset: Dataset, positions: Sequence[int]) -> list[int]:
    """Return those of the records at `positions` that hold an object."""
    return [position for position in positions if dataset[position].annotations]


def list_tiles(dataset: Dataset, positions: Sequence[int], *, side: int, touched: bool = False) -> NDArray[np.int64]:
    """List the tiles that cover the records' images: [n, 3] of record, left, top.

    Tiles are spread evenly and overlap as little as they can; in an image that is smaller than a tile, one is.

    Args:
        touched: only tiles that the box of a mask touches.
    """
    tiles = [
        (position, left, top)
        for position in positions
        for left, top in _corners(dataset[position], side=side, touched=touched)
    ]
    return np.array(tiles, np.int64).reshape(-1, 3)


def _corners(record: ImageRecord, *, side: int, touched: bool) -> Iterator[tuple[int, int]]:
    boxes = [rle.box(annotation.rle) for annotation in record.annotations]
    for top in offsets(record.height, side, 0.0):
        for left in offsets(record.width, side, 0.0):
            if not touched or any(box.meets(Box(left, top, side, side)) for box in boxes):
                yield left, top


def tile_pixels(dataset: Dataset, tiles: NDArray[np.int64], *, side: int) -> Iterator[Pixels]:
    """Yield the tiles [n, 3], uint8 [side, side, 3], each image read once where its tiles follow each other."""
    for position, of_image in groupby(tiles.tolist(), key=lambda tile: tile[0]):
        image = dataset.image(position)
        for _, left, top in of_image:
            yield cut_mirrored(image, Box(left, top, side, side))


def in_blocks(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Cut a stream into lists of `size`, the last one shorter."""
    block: list[Any] = []
    for item in items:
        block.append(item)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block

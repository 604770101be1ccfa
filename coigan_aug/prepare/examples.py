"""Examples: images of a Dataset with their objects and decoded pixels, to cut windows from."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np

from coigan_aug.annotations.batches import extents
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.rle import Mask, Rle, decode_box
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, folded, to_rgb
from coigan_aug.prepare.cache import DecodedCache, open_cache
from coigan_aug.prepare.kept import kept_objects
from coigan_aug.prepare.objects import DefectObject, scaled_void, window_masks
from coigan_aug.progress import Report, silently
from coigan_aug.settings import DataSettings
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Some images of a Dataset at the working scale; picklable (pixels stay memory-mapped).

    `window` is the side of a window in px at the working scale, `scale` that scale, `fit` the share of a view's side that
    an object takes at most (0: whatever it takes). `objects` holds all objects,
    `by_class[k]` the positions in it of those of a class that are large enough to learn from, `by_record[position]`
    those of one record. `void` holds the void of the records that have any, at the working scale.
    """

    dataset: Dataset
    cache: DecodedCache
    window: int
    scale: float
    fit: float
    objects: list[DefectObject]
    by_class: list[list[int]]
    by_record: dict[int, list[int]]
    void: dict[int, Rle] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return len(self.dataset.classes)

    @cached_property
    def by_image(self) -> list[dict[int, list[int]]]:
        """For each class the positions in `objects` of those in `by_class`, by record: records ascending."""
        by_image: list[dict[int, list[int]]] = [defaultdict(list) for _ in self.by_class]
        for images, members in zip(by_image, self.by_class, strict=True):
            for k in sorted(members, key=lambda k: self.objects[k].position):
                images[self.objects[k].position].append(k)
        return [dict(images) for images in by_image]

    @property
    def too_small(self) -> list[int]:
        """For each class the number of its objects that are too small to learn from."""
        counts = Counter(item.label for item in self.objects)
        return [counts[label] - len(members) for label, members in enumerate(self.by_class)]

    @property
    def grey(self) -> bool:
        """True where all images are grey."""
        return all(self.cache[position].ndim == 2 for position in self.cache)

    @property
    def positions(self) -> list[int]:
        """The positions of the records, ascending."""
        return sorted(self.cache)

    def pixels(self, position: int, region: Box) -> Pixels:
        """Cut a region out of a working image: uint8 [h, w, 3]; reflected beyond its edges."""
        return to_rgb(cut_mirrored(self.cache[position], region))

    def masks(self, position: int, region: Box) -> Mask:
        """Draw all masks of a record inside a region of its working image: uint8 [K, h, w]; reflected as the pixels are."""
        return self._mirrored([self.objects[k] for k in self.by_record.get(position, ())], position, region)

    def void_in(self, position: int, region: Box) -> Mask | None:
        """Draw a record's void inside a region of its working image: uint8 [h, w]; reflected as the pixels are; None for none.

        At a scale below 1 a pixel may be both void and of a mask: it is the mask's.
        """
        void = self.void.get(position)
        if void is None:
            return None
        return self.unfolded(partial(decode_box, void), position, region)

    def is_clean(self, position: int) -> bool:
        """Tell whether all of a record's image is clean surface: it has neither defects nor void."""
        return not self.by_record.get(position) and position not in self.void

    def object_mask(self, item: DefectObject, region: Box) -> Mask:
        """Draw one object's mask inside a region of its working image: uint8 [h, w]; reflected as the pixels are."""
        return self._mirrored([item], item.position, region)[item.label]

    def _mirrored(self, objects: Sequence[DefectObject], position: int, region: Box) -> Mask:
        return self.unfolded(lambda shown: window_masks(objects, shown, classes=self.classes), position, region)

    def unfolded(self, draw: Callable[[Box], Mask], position: int, region: Box) -> Mask:
        """Draw masks [..., h, w] inside a region of a working image, mirrored where it reaches beyond."""
        image = Box.of(self.cache[position].shape)
        if region.within(image):
            return draw(region)
        rows = folded(region.top, region.height, image.height)
        return draw(image)[..., rows[:, None], folded(region.left, region.width, image.width)[None, :]]

    def view(self, position: int, region: Box) -> tuple[Pixels, Mask]:
        """Cut a square region and show it as a window: uint8 [window, window, 3] and masks [K, window, window].

        A region larger than the window is shown smaller, averaged over areas.
        """
        masks = self.masks(position, region)
        if region.height != self.window:
            masks = np.stack([resize(mask, height=self.window, width=self.window) for mask in masks])
        return self.shown(self.pixels(position, region)), masks

    def shown(self, pixels: Pixels) -> Pixels:
        """Show the pixels of a square region [h, h, 3] as a window: uint8 [window, window, 3]."""
        if len(pixels) == self.window:
            return pixels
        size = (self.window, self.window)
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def side(self, length: float, position: int) -> int:
        """Return the side of the square region in which an object of that length is seen whole, px.

        It is the window's, or larger so that the object takes `fit` of it, but never larger than the image's longer side.
        """
        if self.fit == 0:
            return self.window
        return max(self.window, min(math.ceil(length / self.fit), max(self.cache[position].shape[:2])))


def load_examples(
    dataset: Dataset, positions: Sequence[int], settings: DataSettings, *, cache_root: Path,
    progress: Callable[[str], Report] = silently,
) -> Examples:  # fmt: skip
    """List the objects of the records at `positions` and open their decoded cache.

    Args:
        progress: called with the title of each long step; returns what reports it.
    """
    kept = kept_objects(dataset, scale=settings.scale, root=cache_root, progress=progress)
    objects = [item for position in positions for item in kept[position]]
    areas = [area for area, _ in extents([item.full for item in objects])]
    voids = ((position, scaled_void(dataset[position], settings.scale)) for position in positions)
    void = {position: own for position, own in voids if own is not None}
    by_class: list[list[int]] = [[] for _ in dataset.classes]
    by_record: dict[int, list[int]] = defaultdict(list)
    for k, (item, area) in enumerate(zip(objects, areas, strict=True)):
        if area >= settings.min_area:
            by_class[item.label].append(k)
        by_record[item.position].append(k)
    cache = open_cache(dataset, positions, scale=settings.scale, root=cache_root, report=progress("reading images"))
    return Examples(
        dataset=dataset,
        cache=cache,
        window=settings.window,
        scale=settings.scale,
        fit=settings.fit,
        objects=objects,
        by_class=by_class,
        by_record=dict(by_record),
        void=void,
    )


def defect_region(rng: np.random.Generator, examples: Examples, *, whole: bool = False) -> tuple[int, Box]:
    """Choose a window round an object, each class as often as any other, the object anywhere in it: record and region.

    An object that is larger than the window fills it with some part of its box; with `whole` the region grows with it,
    as `Examples.side` says.
    """
    labels = [k for k, members in enumerate(examples.by_class) if members]
    members = examples.by_class[labels[int(rng.integers(len(labels)))]]
    item = examples.objects[members[int(rng.integers(len(members)))]]
    side = examples.side(item.box.longer, item.position) if whole else examples.window
    return item.position, place_window(rng, item.box, examples.cache[item.position].shape[:2], side=side)


def place_window(rng: np.random.Generator, box: Box, size: tuple[int, ...], *, side: int) -> Box:
    """Choose a square of a side in an image of `size` (height, width), so that a box lies anywhere in it, or fills it."""
    height, width = size
    left, top, across, down = box
    return Box(_side(rng, left, across, side, width), _side(rng, top, down, side, height), side, side)


def _side(rng: np.random.Generator, start: int, length: int, window: int, room: int) -> int:
    """Choose where a window begins on one side so that it holds the object, or lies within one that is larger."""
    if window > room:  # both ends of the image show, mirrored
        return (room - window) // 2
    low, high = sorted((start + length - window, start))
    low, high = min(max(low, 0), max(room - window, 0)), min(max(high, 0), max(room - window, 0))
    return int(rng.integers(low, high + 1))

"""What training and synthesis draw from: the training split's objects and windows, and its decoded pixels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from coigan_aug.annotations.rle import Box, Mask, area
from coigan_aug.errors import DataError
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.cache import DecodedCache, open_cache
from coigan_aug.prepare.objects import DefectObject, find_objects, window_masks
from coigan_aug.prepare.tiles import Window, cut_windows
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True)
class Prepared:
    """The training split, ready to be composed from; picklable (pixels stay memory-mapped).

    `window` is the side of a window in px at the working scale, `scale` that scale. `objects` holds all objects,
    `by_class[k]` the positions in it of those of a class that are large enough to learn from, `by_record[position]`
    those of one record.
    """

    dataset: Dataset
    cache: DecodedCache
    window: int
    scale: float
    objects: list[DefectObject]
    clean: list[Window]
    with_objects: list[Window]
    blank: int
    by_class: list[list[int]] = field(default_factory=list)
    by_record: dict[int, list[int]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return len(self.dataset.classes)

    @property
    def grey(self) -> bool:
        """True where all training images are grey."""
        return all(self.cache[position].ndim == 2 for position in self.cache)

    def pixels(self, position: int, region: Box) -> Pixels:
        """Cut a region (left, top, width, height) out of a working image: uint8 [h, w, 3]; reflected beyond its edges."""
        return to_rgb(cut_mirrored(self.cache[position], region))

    def masks(self, position: int, region: Box) -> Mask:
        """Draw all masks of a record inside a region of its working image: uint8 [K, h, w]; nothing beyond its edges."""
        own = [self.objects[k] for k in self.by_record.get(position, ())]
        return window_masks(own, region, classes=self.classes)


def prepare(dataset: Dataset, settings: DataSettings, *, cache_root: Path, report: Report = silent) -> Prepared:
    """List the objects and windows of the training split and open its decoded cache.

    Raises:
        DataError: no training images, no objects, or no clean window to put defects on.
    """
    positions = dataset.indices("train")
    if not positions:
        raise DataError(f"{dataset.folder} has no training images.", remedy="Import it again with --split 0.8.")
    objects = find_objects(dataset, positions, scale=settings.scale)
    if not objects:
        raise DataError("The training images hold no defects; there is nothing to learn from.")
    cache = open_cache(dataset, positions, scale=settings.scale, root=cache_root, report=report)
    by_class: list[list[int]] = [[] for _ in dataset.classes]
    by_record: dict[int, list[int]] = defaultdict(list)
    for k, item in enumerate(objects):
        if area(item.full) >= settings.min_area:
            by_class[item.label].append(k)
        by_record[item.position].append(k)
    windows = [
        window
        for position in positions
        for window in cut_windows(
            position,
            cache[position],
            [objects[k].box for k in by_record.get(position, ())],
            window=settings.window,
            overlap=settings.overlap,
            blank=settings.max_blank,
            level=settings.blank_level,
        )
    ]
    clean = [window for window in windows if window.kind == "clean"]
    if not clean:
        raise DataError(
            "No window of the training images is free of defects and not nearly black.",
            remedy="Add defect-free images with --images DIR, or a smaller --set data.window=64.",
        )
    return Prepared(
        dataset=dataset,
        cache=cache,
        window=settings.window,
        scale=settings.scale,
        objects=objects,
        clean=clean,
        with_objects=[window for window in windows if window.kind == "objects"],
        blank=sum(window.kind == "blank" for window in windows),
        by_class=by_class,
        by_record=dict(by_record),
    )

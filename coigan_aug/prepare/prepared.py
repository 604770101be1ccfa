"""What training and synthesis draw from: the training split's objects and windows, and its decoded pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Mask, Rle, area, decode_box, encode
from coigan_aug.annotations.void import beside
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.log import detail
from coigan_aug.prepare.cache import DecodedCache
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.objects import scaled_void
from coigan_aug.prepare.tiles import Window, cut_windows
from coigan_aug.progress import Report, silently
from coigan_aug.settings import DataSettings
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Prepared(Examples):
    """The training split, ready to be composed from: examples and their windows, clean or with objects.

    `erased` holds the images with objects once more, their defects erased; None where nobody has made it. Where no window
    is clean, `clean` is empty, or holds windows with objects that are to be looked at with these erased
    (`compose.erase.with_surface`).

    `beside` holds, of the void at the working scale, what lies beside defects, by record: it is erased along with them.
    """

    clean: list[Window]
    with_objects: list[Window]
    blank: int
    erased: DecodedCache | None = None
    beside: dict[int, Rle] = field(default_factory=dict)

    def hole(self, position: int, region: Box) -> Mask:
        """Draw what is erased of a record inside a region of its working image, defects and void beside: uint8 [h, w]."""
        union = np.asarray(self.masks(position, region).max(axis=0), np.uint8)
        beside = self.beside.get(position)
        return union if beside is None else union | self.unfolded(partial(decode_box, beside), position, region)

    def void_left(self, position: int, region: Box) -> bool:
        """Tell whether a region of a record's working image holds void that is not erased along with its defects."""
        void = self.void_in(position, region)
        return void is not None and bool((void > self.hole(position, region)).any())

    def erased_pixels(self, position: int, region: Box) -> Pixels:
        """Cut a region as `pixels` does, out of the image without its defects where `erased` holds it."""
        if self.erased is None or position not in self.by_record:
            return self.pixels(position, region)
        return to_rgb(cut_mirrored(self.erased[position], region))

    def surface(self, window: Window, region: Box) -> Pixels:
        """View a square region round a clean window: uint8 [window, window, 3]; where it has objects, without them."""
        cut = self.pixels if window.kind == "clean" else self.erased_pixels
        return self.shown(cut(window.position, region))


def prepare(
    dataset: Dataset, settings: DataSettings, *, cache_root: Path, progress: Callable[[str], Report] = silently
) -> Prepared:
    """List the objects and windows of the training split and open its decoded cache.

    Args:
        progress: called with the title of each long step; returns what reports it.

    Raises:
        DataError: no training images, no objects that are large enough, or nothing but black.
    """
    positions = training_positions(dataset, settings)
    detail(f"data set: {dataset.folder}, {len(dataset):,} images, {len(positions):,} to train with")
    if not positions:
        raise DataError(f"{dataset.folder} has no training images.", remedy="Import it again with --split 0.8.")
    examples = load_examples(dataset, positions, settings, cache_root=cache_root, progress=progress)
    if not examples.objects:
        raise DataError("The training images hold no defects; there is nothing to learn from.")
    if not any(examples.by_class):
        raise _too_small(examples, settings.min_area)
    windows, report = list[Window](), progress("cutting windows")
    for done, position in enumerate(positions):
        report(done, len(positions))
        windows += _windows(examples, position, settings)
    report(len(positions), len(positions))
    if all(window.kind == "blank" for window in windows):
        raise DataError(
            f"At least {settings.max_blank:.0%} of every window of the training images is nearly black.",
            remedy="Allow it with --set data.max_blank=1",
        )
    return Prepared(
        **vars(examples),
        clean=[window for window in windows if window.kind == "clean"],
        with_objects=[window for window in windows if window.kind == "objects"],
        blank=sum(window.kind == "blank" for window in windows),
        beside={position: part for position in examples.void if (part := _beside(examples, position)) is not None},
    )


def _beside(examples: Examples, position: int) -> Rle | None:
    record = examples.dataset[position]
    part = beside(record.void, [annotation.rle for annotation in record.annotations])
    return None if part is None else scaled_void(replace(record, void=encode(part)), examples.scale)


def _too_small(examples: Examples, least: int) -> DataError:
    areas = [area(item.full) for item in examples.objects]
    what = (
        f"All {len(areas):,} objects of the training images have fewer than {least} px; the largest has {max(areas)}."
    )
    return DataError(
        f"{what} Such are left out (data.min_area).",
        remedy="Take them with --set data.min_area=1, or train on larger images.",
    )


def training_positions(dataset: Dataset, settings: DataSettings) -> list[int]:
    """Return the positions of the training records: all, or the defect-free ones and some groups of each class.

    With `groups_per_class` above 0 the groups of each class are put in an order that `subset_seed` decides, and the
    first so many stay. Defect-free images always stay.
    """
    positions = dataset.indices("train")
    if settings.groups_per_class == 0:
        return positions
    labels = {p: {annotation.label for annotation in dataset[p].annotations} for p in positions}
    groups: dict[str, set[str]] = defaultdict(set)
    for position, names in labels.items():
        for name in names:
            groups[name].add(dataset[position].group or dataset[position].file)
    kept: set[str] = set()
    for k, name in enumerate(dataset.names):
        of_class = sorted(groups[name])
        order = streams.generator(settings.subset_seed, "subset", k).permutation(len(of_class))
        kept |= {of_class[i] for i in order[: settings.groups_per_class]}
    return [p for p in positions if not labels[p] or (dataset[p].group or dataset[p].file) in kept]


def _windows(examples: Examples, position: int, settings: DataSettings) -> list[Window]:
    whole = Box.of(examples.cache[position].shape)
    return cut_windows(
        position,
        examples.cache[position],
        [examples.objects[k].box for k in examples.by_record.get(position, ())],
        window=settings.window,
        overlap=settings.overlap,
        blank=settings.max_blank,
        level=settings.blank_level,
        masks=examples.masks(position, whole).max(axis=0) if settings.clean == "masks" else None,
        void=examples.void_in(position, whole),
    )

"""Defects inserted on the fly, inside a team's own training: a clean image in, the image with a defect and its mask out.

    from coigan_aug.insertion import DefectInserter

    insert = DefectInserter("coigan", p=0.5, seed=0)  # a workspace, or the folder of a data set or of a synthesized one
    image, mask = insert(image)                       # mask: 0 where nothing was inserted, k + 1 for class k

What is inserted are the defects of the training images, or, from a synthesized set, those that a generator drew ahead. All of
them are held in memory, cut out with their surroundings, so that nothing is read while a training runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from coigan_aug import rng as streams
from coigan_aug.annotations import masks, rle
from coigan_aug.annotations.rle import Mask
from coigan_aug.annotations.void import no_surface
from coigan_aug.asking import StrPath
from coigan_aug.errors import DataError, UsageError, class_named, meant
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.objects import objects_of
from coigan_aug.rng import drawn_within
from coigan_aug.settings import SynthesizeSettings
from coigan_aug.settings.synthesize import VARIED
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.change import measure_change
from coigan_aug.synthesis.margin import add_change, soft_edge
from coigan_aug.synthesis.paste import RING, Cut, matched

ENGINES = ("auto", "transplant", "paste")
ALIKE = 1.25
"""How much larger or smaller an image's sides may be for it to count as one like the defect's own (`auto`)."""
TRIES = 8
LEAST_SHOWN = SynthesizeSettings().least_shown  # of a defect's pixels must differ visibly from the surface
MARGIN = 1  # px: the edge is half a pixel's step beyond the mask
_REACH = MARGIN + RING + 1
_MOST_CLASSES = 254  # that a uint8 mask can tell apart

Rng = np.random.Generator


class Pairs(Protocol):
    """What has a length and pairs of image and mask by number, such as a map-style `torch.utils.data.Dataset`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Pixels, Mask]: ...


@dataclass(frozen=True, slots=True)
class Donor:
    """A defect with its surroundings: RGB uint8 [h, w, 3], its mask uint8 [h, w], where plain surface shows, bool [h, w].

    `across` and `down` say where it lay in its own image: shares of the room that its region had there, 0 at the left and
    top. `size` is that image's height and width, `image` its number.
    """

    label: int
    image: int
    pixels: Pixels
    mask: Mask
    surface: NDArray[np.bool_]
    across: float
    down: float
    size: tuple[int, int]


class DefectInserter:
    """Puts defects of a data set into images; each call draws anew. It can be pickled.

    In a worker of a `torch.utils.data.DataLoader` the draws are those of the worker and its epoch. A number given as `index`
    decides the draw alone.

    Args:
        source: a workspace, whose data set's training images are taken; or a Dataset's folder, such as
            `coigan/synthetic/NAME`, of which all images are that are not held out.
        engine: "transplant" puts a defect where it lay in its own image, in proportion; "paste" anywhere in the image; "auto"
            the former in images of about the size of the defect's own, the latter in others, such as windows.
        p: the chance that something is inserted, 0..1.
        seed: of the draws.
        classes: names of the classes to insert, each as often as any other; None: all.
        scale: the size of the images given, where it is not that of the data set's: 0.5 for images of half the size.
        flip: mirror defects, across and down.
        most: of defects that are inserted into an image.
        size: how many times as large as its original a defect is made, from and to, such as (0.5, 2).
        strength: how strongly it shows beside its original, from and to, such as (0.4, 1.1): 0.5 is half as dark.

    Raises:
        UsageError: an argument is out of its range, or names what there is not.
        DataError: the data set is not there, or has no defect in its training images.
    """

    def __init__(
        self, source: StrPath = "coigan", *, engine: str = "auto", p: float = 0.5, seed: int = 0,
        classes: Sequence[str] | None = None, scale: float = 1.0, flip: bool = True, most: int = 1,
        size: tuple[float, float] = (1.0, 1.0), strength: tuple[float, float] = (1.0, 1.0),
    ) -> None:  # fmt: skip
        if engine not in ENGINES:
            raise UsageError(
                f"There is no engine {engine!r} to insert with.{meant(engine, ENGINES)}",
                remedy=f"Engines: {', '.join(ENGINES)}.",
            )
        for name, value, low, high in (("p", p, 0.0, 1.0), ("scale", scale, 0.01, 16.0), ("most", most, 1, 100)):
            if not low <= value <= high:
                raise UsageError(f"{name}={value} is not from {low} to {high}.", remedy=f"Give another {name}.")
        for name, bounds in (("size", size), ("strength", strength)):
            least, highest = VARIED[name]
            if len(bounds) != 2 or not least <= bounds[0] <= bounds[1] <= highest:
                raise UsageError(
                    f"{name}={bounds} is not from and to, within {least:g} to {highest:g}.",
                    remedy=f"Such as {name}=(0.5, 1.0).",
                )
        dataset = _opened(Path(source))
        self.classes = dataset.names
        self.engine, self.p, self.seed, self.flip, self.most = engine, p, seed, flip, most
        self.size, self.strength = size, strength
        labels = _labels(dataset, classes)
        self.donors = _donors(dataset, labels, scale)
        self._by_class = _by_image(self.donors, labels)
        self._calls = 0

    def __call__(self, image: Pixels, mask: Mask | None = None, *, index: int | None = None) -> tuple[Pixels, Mask]:
        """Insert defects into an image, or none.

        Args:
            image: uint8 [H, W] or [H, W, 3] (RGB); it is not changed.
            mask: what is defective already, uint8 [H, W]; nothing is inserted there or near it, and it is kept.
            index: a number that decides the draw; None: the next one.

        Returns:
            The image, and the mask uint8 [H, W] with 1 + the number of its class at each pixel of an inserted defect.

        Raises:
            UsageError: image or mask has another type or shape.
        """
        _check(image, mask)
        rng = self._stream(index)
        out = image
        marks = np.zeros(image.shape[:2], np.uint8) if mask is None else mask.copy()
        if rng.random() < self.p:
            for _ in range(int(rng.integers(1, self.most + 1))):
                out = self._insert(rng, out, marks)
        return out, marks

    def over(self, dataset: Pairs) -> Inserted:
        """Return a data set of (image, mask) pairs, as `__call__` takes them, with defects inserted into its images."""
        return Inserted(dataset, self)

    def __repr__(self) -> str:
        return f"DefectInserter({len(self.donors):,} defects of {', '.join(self.classes)}, engine={self.engine!r}, p={self.p})"

    def _stream(self, index: int | None) -> Rng:
        if index is not None:
            return streams.generator(self.seed, "insertion by number", index)
        self._calls += 1
        worker = get_worker_info()
        key = "insertion" if worker is None else f"insertion {worker.seed}"
        return streams.generator(self.seed, key, self._calls)

    def _insert(self, rng: Rng, image: Pixels, marks: Mask) -> Pixels:
        """Return the image with one more defect and mark it; the image as it is where none fits in a few tries."""
        for _ in range(TRIES):
            images = self._by_class[int(rng.integers(len(self._by_class)))]
            members = images[int(rng.integers(len(images)))]
            donor = self.donors[members[int(rng.integers(len(members)))]]
            x, y = (bool(value) for value in (rng.random(2) < 0.5) & self.flip)
            size, strength = drawn_within(rng, self.size), drawn_within(rng, self.strength)
            donor = donor if size == 1 else _scaled(donor, size)
            region = self._place(rng, donor, image.shape, x=x, y=y)
            made = _put(donor, image, marks, region, x=x, y=y, strength=strength)
            if made is not None:
                return made
        return image

    def _place(self, rng: Rng, donor: Donor, shape: tuple[int, ...], *, x: bool, y: bool) -> Box:
        """Choose where a donor's region goes: it may reach beyond the image as it did beyond its own."""
        height, width = donor.mask.shape
        sides = [max(new / old, old / new) for new, old in zip(shape[:2], donor.size, strict=True)]
        across, down = rng.random(2)
        if self.engine == "transplant" or (self.engine == "auto" and max(sides) <= ALIKE):
            across, down = (1 - donor.across if x else donor.across), (1 - donor.down if y else donor.down)
        around = Box.of(shape).grow(_REACH)  # so that a defect may come to lie at the image's edge
        left = around.left + across * (around.width - width)
        top = around.top + down * (around.height - height)
        return Box(round(left), round(top), width, height)


class Inserted:
    """A map-style data set of (image, mask) pairs with defects inserted."""

    def __init__(self, dataset: Pairs, inserter: DefectInserter) -> None:
        self.dataset, self.inserter = dataset, inserter

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Pixels, Mask]:
        image, mask = self.dataset[index]
        return self.inserter(image, mask)


def albumentations_transform(inserter: DefectInserter, p: float = 1.0) -> Any:
    """Return the inserter as a transform of albumentations, of images and their masks, to be composed with others.

    Args:
        p: the chance that the inserter is called; its own `p` comes on top.

    Raises:
        UsageError: albumentations is not installed.
    """
    try:
        albumentations: Any = importlib.import_module("albumentations")
    except ImportError as error:
        raise UsageError(
            "albumentations is not installed.", remedy='pip install "coigan-aug[albumentations]"'
        ) from error

    class InsertDefects(albumentations.DualTransform):  # type: ignore[misc]
        """Insert a defect into the image, and mark it in the mask."""

        _targets = (
            albumentations.core.type_definitions.Targets.IMAGE,
            albumentations.core.type_definitions.Targets.MASK,
        )

        @property
        def targets_as_params(self) -> list[str]:
            return ["image", "mask"]

        def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
            image, mask = inserter(data["image"], data.get("mask"))
            return {"made": image, "marks": mask}

        def apply(self, img: Pixels, made: Pixels, **params: Any) -> Pixels:
            return made

        def apply_to_mask(self, mask: Mask, marks: Mask, **params: Any) -> Mask:
            return marks

        def get_transform_init_args_names(self) -> tuple[str, ...]:
            return ()

    return InsertDefects(p=p)


# Cutting out


def _opened(source: Path) -> Dataset:
    folder = source if (source / "dataset.json").exists() else Folders(source).dataset
    if not (folder / "dataset.json").exists():
        raise DataError(
            f"{source} is neither a workspace with a data set nor the folder of one.",
            remedy="Make one with: coigan-aug import YOUR.csv",
        )
    return Dataset(folder)


def _labels(dataset: Dataset, classes: Sequence[str] | None) -> list[int]:
    chosen = [class_named(name, dataset.names) for name in classes or ()]
    if len(dataset.names) > _MOST_CLASSES:
        raise UsageError(
            f"A mask tells {_MOST_CLASSES} classes apart; there are {len(dataset.names)}.",
            remedy="Import it with fewer: coigan-aug import SOURCE --classes defect",
        )
    return [k for k, name in enumerate(dataset.names) if classes is None or name in chosen]


def _donors(dataset: Dataset, labels: Sequence[int], scale: float) -> list[Donor]:
    positions = [k for k, record in enumerate(dataset) if record.split != "test" and not record.unknown]
    least = 1 if scale >= 1 else 1 / scale**2
    donors = [donor for k in positions for donor in _cut_out(dataset, k, labels, least)]
    if not donors:
        raise DataError(
            f"{dataset.folder} has no defect of {', '.join(dataset.names[k] for k in labels)} in its training images.",
            remedy="Import more, or take other classes.",
        )
    return donors if scale == 1 else [_scaled(donor, scale) for donor in donors]


def _cut_out(dataset: Dataset, position: int, labels: Sequence[int], least: float) -> Iterator[Donor]:
    record = dataset[position]
    if not record.annotations:
        return
    image = to_rgb(dataset.stored(position))
    around, marked = Box.of(image.shape).grow(_REACH), no_surface(record)
    for item in objects_of(record, position, names=dataset.names, scale=1):
        if item.label not in labels or rle.area(item.full) < least:
            continue
        region = item.box.grow(_REACH)
        yield Donor(
            label=item.label,
            image=position,
            pixels=cut_mirrored(image, region),
            mask=rle.decode_box(item.full, region),
            surface=masks.inside(region, image.shape) & (rle.decode_box(marked, region) == 0),
            across=(region.left - around.left) / max(around.width - region.width, 1),
            down=(region.top - around.top) / max(around.height - region.height, 1),
            size=(record.height, record.width),
        )


def _scaled(donor: Donor, scale: float) -> Donor:
    height, width = (max(round(side * scale), 1) for side in donor.mask.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    surface = masks.cover(~donor.surface, height=height, width=width) == 0
    size = round(donor.size[0] * scale), round(donor.size[1] * scale)
    pixels = np.asarray(cv2.resize(donor.pixels, (width, height), interpolation=way), np.uint8)
    mask = masks.resize(donor.mask, height=height, width=width)
    return replace(donor, pixels=pixels, mask=mask, surface=surface, size=size)


def _by_image(donors: Sequence[Donor], labels: Sequence[int]) -> list[list[list[int]]]:
    """Return, for each class that has any, the numbers of its donors by image: each image counts as much as any other."""
    by_class: dict[int, dict[int, list[int]]] = {label: {} for label in labels}
    for number, donor in enumerate(donors):
        by_class[donor.label].setdefault(donor.image, []).append(number)
    return [list(images.values()) for images in by_class.values() if images]


# Putting in


def _check(image: Pixels, mask: Mask | None) -> None:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UsageError(
            f"An image is uint8 [H, W] or [H, W, 3], not {image.dtype} {list(image.shape)}.",
            remedy="Insert defects before what turns images into floats or tensors.",
        )
    if mask is not None and (mask.dtype != np.uint8 or mask.shape != image.shape[:2]):
        raise UsageError(
            f"A mask is uint8 {list(image.shape[:2])} as its image is, not {mask.dtype} {list(mask.shape)}.",
            remedy="mask.astype(np.uint8)",
        )


def _put(donor: Donor, image: Pixels, marks: Mask, region: Box, *, x: bool, y: bool, strength: float) -> Pixels | None:
    """Return the image with a donor in a region, and mark it; None where it would not fit, meet a defect, or not be seen."""
    flips = (slice(None, None, -1 if y else 1), slice(None, None, -1 if x else 1))
    held = region.clip(image.shape)
    inner = held.seen_from(region).slices
    mask = np.ascontiguousarray(donor.mask[flips][inner])
    taken = marks[held.slices] != 0
    if 2 * np.count_nonzero(mask) < np.count_nonzero(donor.mask) or (masks.grow(mask, MARGIN) & taken).any():
        return None
    source = np.ascontiguousarray(donor.pixels[flips][inner])
    surface = np.ascontiguousarray(donor.surface[flips][inner])
    old = image[held.slices]
    cut = Cut(held, to_rgb(old), source, mask, surface & ~taken)
    change = (matched(cut, MARGIN) - cut.target) / np.float32(255)
    new = add_change(old, change, soft_edge(mask, MARGIN) * np.float32(strength))
    if measure_change(old, new, rle.encode(mask), [], margin=MARGIN).shown < LEAST_SHOWN:
        return None
    out = image.copy()
    out[held.slices] = new
    marks[held.slices][mask != 0] = donor.label + 1
    return out

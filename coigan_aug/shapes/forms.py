"""What shapes are like, measured: size, direction, elongation; of one mask and of a class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coigan_aug.annotations.batches import in_batches, regions
from coigan_aug.annotations.rle import Mask, box, decode_box
from coigan_aug.prepare.examples import Examples
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.progress import Report, silent

THIN = 0.12  # area over squared length below which a shape is a line; an ellipse seven times as long as wide has 0.12
DIRECTED = 0.4  # anisotropy from which a shape has a direction: an ellipse half as long again as wide has 0.38
QUANTILES = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Form:
    """A mask in numbers, by its second moments.

    `length` and `width` are the sides of the rectangle with the same moments, px; `angle` is the direction of its longer
    side, radians from x towards y (down), in 0..pi; `anisotropy` is (length² - width²) / (length² + width²): 0 for a
    round or square shape, 1 for a line.
    """

    area: int
    length: float
    width: float
    angle: float

    @property
    def size(self) -> float:
        """The square root of the area, px."""
        return math.sqrt(self.area)

    @property
    def anisotropy(self) -> float:
        long, short = self.length**2, self.width**2
        return (long - short) / (long + short)

    @property
    def directed(self) -> bool:
        """True where the shape is long enough to have a direction."""
        return self.anisotropy >= DIRECTED

    @property
    def thin(self) -> bool:
        """True where the shape is a line, straight or curved."""
        return self.area < THIN * self.length**2


def measure(mask: Mask) -> Form:
    """Measure a mask [h, w] with at least one pixel; pixels count as squares, so a rectangle's own sides come back.

    >>> measure(np.ones((3, 7), np.uint8))
    Form(area=21, length=7.0, width=3.0, angle=0.0)
    """
    rows, columns = np.nonzero(mask)
    y, x = rows - rows.mean(), columns - columns.mean()
    xx, yy, xy = float((x * x).mean()) + 1 / 12, float((y * y).mean()) + 1 / 12, float((x * y).mean())
    middle, half = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    angle = 0.5 * math.atan2(2 * xy, xx - yy) % math.pi
    return Form(len(rows), math.sqrt(12 * (middle + half)), math.sqrt(12 * max(middle - half, 1 / 12)), angle)


@dataclass(frozen=True, kw_only=True)
class ClassForms:
    """What the training objects of a class are like: ranges (from the 5th to the 95th percentile) and directions.

    `sizes` are square roots of areas and `lengths` those of `Form`, px. `angles` are the directions, radians, of the
    objects that have one; `concentration` is how much they agree: 1 all the same, 0 all different (the length of the mean
    of exp(2i angle); Mardia and Jupp 2000, "Directional Statistics", section 2.3), 0 where none has a direction.
    """

    sizes: tuple[float, float]
    lengths: tuple[float, float]
    angles: tuple[float, ...]
    concentration: float


def class_forms(forms: Sequence[Form]) -> ClassForms:
    """Sum the forms of a class' objects up, at least one."""
    angles = tuple(form.angle for form in forms if form.directed)
    return ClassForms(
        sizes=_range([form.size for form in forms]),
        lengths=_range([form.length for form in forms]),
        angles=angles,
        concentration=abs(np.exp(2j * np.array(angles)).mean()) if angles else 0.0,
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, QUANTILES).tolist()
    return low, high


@dataclass(frozen=True, slots=True)
class Edges:
    """Which edges of its image an object touches."""

    left: bool = False
    top: bool = False
    right: bool = False
    bottom: bool = False

    @property
    def spans(self) -> bool:
        """True where the object reaches from one edge to the opposite one."""
        return (self.left and self.right) or (self.top and self.bottom)

    def __iter__(self) -> Iterator[bool]:
        return iter((self.left, self.top, self.right, self.bottom))

    def within(self, other: Edges) -> bool:
        """Tell whether the other touches all of these edges."""
        return all(theirs or not ours for ours, theirs in zip(self, other, strict=True))

    def mirrored(self, *, flip_x: bool, flip_y: bool) -> Edges:
        left, right = (self.right, self.left) if flip_x else (self.left, self.right)
        top, bottom = (self.bottom, self.top) if flip_y else (self.top, self.bottom)
        return Edges(left, top, right, bottom)


def edges_of(examples: Examples, item: DefectObject) -> Edges:
    """Return the edges of its image that an object touches."""
    record = examples.dataset[item.position]
    place = box(item.full)
    return Edges(place.left == 0, place.top == 0, place.right == record.width, place.bottom == record.height)


@dataclass(frozen=True, slots=True)
class Traits:
    """A training object's form, the edges of its image that it touches, and its group of images."""

    form: Form
    edges: Edges
    group: str


def traits_of(examples: Examples, numbers: Sequence[int], *, report: Report = silent) -> dict[int, Traits]:
    """Measure objects, by their position in `examples.objects`. Their group is the image's name where there are no groups."""
    traits: dict[int, Traits] = {}
    order = sorted(numbers, key=lambda k: examples.objects[k].position)
    tight = (each for batch in in_batches(examples.objects[k].full for k in order) for each in regions(batch))
    position, record = -1, None
    for k, (left, top, mask) in zip(order, tight, strict=True):
        report(len(traits), len(order))
        if record is None or examples.objects[k].position != position:  # each is read once
            position = examples.objects[k].position
            record = examples.dataset[position]
        right, bottom = left + mask.shape[1], top + mask.shape[0]
        edges = Edges(left == 0, top == 0, right == record.width, bottom == record.height)
        traits[k] = Traits(measure(mask), edges, record.group or record.file)
    return {k: traits[k] for k in numbers}


def mask_of(item: DefectObject) -> Mask:
    """Return an object's full-size mask, cut tight: uint8 [h, w]."""
    return decode_box(item.full, box(item.full))

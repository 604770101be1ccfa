"""What can be measured of each object in a data set: where it lies on its part, how large and long it is, which way it runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask, box, decode_box
from coigan_aug.prepare.examples import Examples
from coigan_aug.prepare.parts import Parts
from coigan_aug.prepare.room import Room, room_of
from coigan_aug.progress import Report, silent

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Traits:
    """Traits of the objects of one class, [n] each, in the order of the objects.

    `x`, `y`: shares of the free room on the part (see `room.Place`); `distance`: from the part's edge over the part's shorter
    side; `area`: log10 of the pixels at full size; `elongation`: length over width, 1 or more; `orientation`: of the longer
    axis, degrees from the rows, counter-clockwise as seen, 0 to 180; `touches`: the part's edge. `groups`: of each object's
    image.
    """

    x: Values
    y: Values
    distance: Values
    area: Values
    elongation: Values
    orientation: Values
    touches: NDArray[np.bool_]
    groups: tuple[str, ...]


NUMBERS = tuple(field.name for field in fields(Traits) if field.name not in ("touches", "groups"))


def object_traits(examples: Examples, parts: Parts, *, report: Report = silent) -> list[Traits]:
    """Measure the objects of each class that are large enough to learn from, at full size: a `Traits` for each class.

    Real and synthetic data sets alike; `parts` says whether parts are looked for, and is that of the training set.
    """
    rows: list[list[tuple[float, ...]]] = [[] for _ in examples.by_class]
    groups: list[list[str]] = [[] for _ in examples.by_class]
    large = {k for members in examples.by_class for k in members}
    for done, (position, own) in enumerate(sorted(examples.by_record.items())):
        report(done, len(examples.by_record))
        room = room_of(parts.full(examples, position), scale=examples.scale)
        record = examples.dataset[position]
        for item in (examples.objects[k] for k in own if k in large):
            left, top, width, height = region = box(item.full)
            rows[item.label].append(_measured(decode_box(item.full, region), room, left, top))
            groups[item.label].append(record.group or record.file)
    return [_traits(own, names) for own, names in zip(rows, groups, strict=True)]


def _measured(mask: Mask, room: Room, left: int, top: int) -> tuple[float, ...]:
    place = room.place(mask, left=left, top=top)
    return place.x, place.y, place.relative, float(np.log10(mask.sum())), *axes(mask), float(place.touches)


def _traits(rows: list[tuple[float, ...]], groups: list[str]) -> Traits:
    table = np.array(rows, np.float64).reshape(len(rows), len(NUMBERS) + 1)
    columns = {name: table[:, k] for k, name in enumerate(NUMBERS)}
    return Traits(**columns, touches=table[:, -1] > 0, groups=tuple(groups))


def axes(mask: Mask) -> tuple[float, float]:
    """Return elongation and orientation (degrees, 0 to 180) of a mask [h, w], from the second moments of its pixels.

    A pixel is a square, with a moment of 1/12, so that a line one pixel wide is as long as it is wide in pixels; a
    filled rectangle's elongation is the ratio of its sides.

    >>> axes(np.ones((2, 10), np.uint8))
    (5.0, 0.0)
    """
    rows, columns = np.nonzero(mask)
    across, down = float(np.var(columns)) + 1 / 12, float(np.var(rows)) + 1 / 12
    mixed = -float(np.mean((columns - columns.mean()) * (rows - rows.mean())))  # rows count downwards
    middle, away = (across + down) / 2, float(np.hypot((across - down) / 2, mixed))
    turn = float(np.degrees(np.arctan2(2 * mixed, across - down)) / 2) % 180
    return round(float(np.sqrt((middle + away) / max(middle - away, 1 / 12))), 6), turn

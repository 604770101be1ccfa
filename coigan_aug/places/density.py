"""Where the defects of each class lie on their parts, measured on real ones; and a place like that for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.batches import in_batches, regions
from coigan_aug.annotations.rle import Mask
from coigan_aug.places.placing import put
from coigan_aug.places.room import RelativePlace, Room, room_of, whole_room
from coigan_aug.places.survey import PartSurvey, survey_parts
from coigan_aug.prepare.examples import Examples
from coigan_aug.progress import Report, silent

_NARROW, _WIDE = 0.01, 0.05  # smallest and largest bandwidth, shares of the free room
_NOWHERE = RelativePlace(0.5, 0.5, 0.0, 0.0, (False, False, False, False), False)


@dataclass(frozen=True, kw_only=True)
class PlaceDensity:
    """Where the training objects of each class lie on their parts.

    `of[k]` is the place of `examples.objects[k]`, for those that are large enough to learn from; `by_class[label]` lists
    those k; `bandwidths[label]` is how far (x, y, shares of the free room) places of the class are blurred; `touching[label]`
    the share of them that touch the part's edge. `parts` tells whether parts are looked for; `scale` at which scale.
    """

    of: Mapping[int, RelativePlace]
    by_class: tuple[tuple[int, ...], ...]
    bandwidths: tuple[tuple[float, float], ...]
    touching: tuple[float, ...]
    parts: PartSurvey
    scale: float

    def find(
        self,
        rng: np.random.Generator,
        label: int,
        mask: Mask,
        allowed: NDArray[np.bool_],
        room: Room,
        *,
        near: tuple[float, float] | None = None,
        beside: int | None = None,
    ) -> tuple[int, int] | None:
        """Find a (left, top) for a defect of a class, wholly inside what is allowed; None where none is found.

        The place of a real object of the class is proposed and moved at random by the class' bandwidth: a smoothed
        bootstrap (Silverman and Young 1987, "The bootstrap: to smooth or not to smooth?"), so what is drawn follows the
        kernel density of the class' own places. Of several such places the one is taken whose distance from the part's edge
        is nearest to that object's. What touches an edge of its part comes to touch that edge, and what touches none
        touches none, unless no such place is free and the class does both.

        Args:
            mask: the defect, tight, full-size px, uint8 [h, w].
            allowed: where it may lie, bool [H, W]. Where that is a window of an image, the arrays are still the image's.
            room: that on the part in the image, as `room` measures it.
            near: the place to propose instead of that object's: shares of the free room (x, y), exactly 0 or 1 at an edge.
            beside: the object whose place is proposed, by its position in `examples.objects`; drawn from the class by
                default, with `near` the nearest one.
        """
        proposal = self._proposal(rng, label, near, beside)
        exact, other = put(rng, mask, allowed, room, proposal=proposal, blur=self.bandwidths[label])
        return exact if exact or not 0 < self.touching[label] < 1 else other

    def mirror(
        self, rng: np.random.Generator, label: int, beside: int, *, x: bool, y: bool
    ) -> tuple[bool, bool, RelativePlace]:
        """Decide how an object's shape is mirrored, and which place is proposed for it then.

        `x` and `y` are the mirroring that was drawn. It holds on an axis where the object touches no edge, or both; the
        place stays then. A shape that touches one edge moves to the other one when it is mirrored, so it is mirrored only
        as often as the class' objects touch that other edge.

        Returns:
            Whether to mirror left and right, and top and bottom; the place to propose.
        """
        place, flips, moved = self.of[beside], [], []
        for axis, drawn in enumerate((x, y)):
            touched = place.edges[axis::2]
            one_sided, flip = touched[0] != touched[1], drawn
            if drawn and one_sided:
                of_class = [self.of[k].edges[axis::2] for k in self.by_class[label]]
                one_edge = [(first, last) for first, last in of_class if first != last]
                flip = one_edge[int(rng.integers(len(one_edge)))] != touched
            flips.append(flip)
            moved.append(flip and one_sided)
        return flips[0], flips[1], place.mirrored(x=moved[0], y=moved[1])

    def room(self, part: Mask) -> Room:
        """Measure the room on a part, uint8 [H, W]: once for all that is put on it."""
        return room_of(part, scale=self.scale)

    def spans(self, beside: int, mask: Mask, room: Room) -> bool:
        """Tell whether a mask shaped after an object goes from edge to edge of a part as the object does of its own.

        True for an object that does not go from edge to edge; a mask larger than the part counts, since it will be cut.
        Where it is False, the defect would end where none of its kind ends: take another base.
        """
        left, top, right, bottom = self.of[beside].edges
        across, down = room.free((mask.shape[0], mask.shape[1]))
        return not (left and right and across >= room.slack) and not (top and bottom and down >= room.slack)

    def _proposal(
        self, rng: np.random.Generator, label: int, near: tuple[float, float] | None, beside: int | None
    ) -> RelativePlace:
        """Return the place to propose: that of an object, moved to `near` where that is given."""
        members = self.by_class[label]
        if beside is not None and beside in self.of:
            place = self.of[beside]
        elif near is None:
            place = self.of[members[int(rng.integers(len(members)))]] if members else _NOWHERE
        else:
            x, y = near
            places = [self.of[k] for k in members]
            place = min(places, key=lambda item: (item.x - x) ** 2 + (item.y - y) ** 2, default=_NOWHERE)
        if near is None:
            return place
        left, top, right, bottom = place.edges
        across = (True, True) if left and right else (near[0] == 0, near[0] == 1)
        down = (True, True) if top and bottom else (near[1] == 0, near[1] == 1)
        edges = (across[0], down[0], across[1], down[1])
        elsewhere = place.touches and not any(place.edges)  # at the part's outline, but not where its box touches it
        return replace(place, x=near[0], y=near[1], edges=edges, touches=elsewhere or any(edges))


def measure_places(examples: Examples, *, report: Report = silent) -> PlaceDensity:
    """Measure where the objects that are large enough to learn from lie, and whether parts are to be looked for."""
    parts = survey_parts(examples, report=report)
    measured: dict[int, RelativePlace] = {}
    rooms: dict[int, Room] = {}
    every = sorted(k for members in examples.by_class for k in members)
    tight = (each for batch in in_batches(examples.objects[k].full for k in every) for each in regions(batch))
    for k, (left, top, mask) in zip(every, tight, strict=True):
        report(len(measured), len(every))
        position = examples.objects[k].position
        if position not in rooms:  # objects come record by record
            rooms = {position: _room(examples, parts, position)}
        measured[k] = rooms[position].place(mask, left=left, top=top)
    of_class = [[measured[k] for k in members] for members in examples.by_class]
    return PlaceDensity(
        of=measured,
        by_class=tuple(tuple(members) for members in examples.by_class),
        bandwidths=tuple(
            _bandwidths(examples, places, members) for places, members in zip(of_class, examples.by_class, strict=True)
        ),
        touching=tuple(float(np.mean([place.touches for place in places])) if places else 0.0 for places in of_class),
        parts=parts,
        scale=examples.scale,
    )


def _room(examples: Examples, parts: PartSurvey, position: int) -> Room:
    if position in parts.parts:
        return room_of(parts.full(examples, position), scale=examples.scale)
    record = examples.dataset[position]
    return whole_room(record.height, record.width)


def _bandwidths(examples: Examples, places: Sequence[RelativePlace], members: Sequence[int]) -> tuple[float, float]:
    """Return how far to blur a class' places, x and y, shares of the free room.

    The rule for a normal density of d dimensions is h = (4 / (d + 2)) ** (1 / (d + 4)) * sigma * n ** (-1 / (d + 4))
    (Silverman 1986, "Density Estimation", equation 4.14); with d = 2 it is sigma * n ** (-1 / 6), which is Scott's, too
    (1992, "Multivariate Density Estimation", 6.3). Half of it is taken: defects lie in several heaps, for which a rule for
    one heap is too wide. n counts photographs of one piece once. What lies at an edge stays there and says nothing of the
    others' spread.
    """
    records = [examples.dataset[position] for position in {examples.objects[k].position for k in members}]
    count = max(len({record.group or record.file for record in records}), 1)
    widths = []
    for shares in ([place.x for place in places], [place.y for place in places]):
        inner = [share for share in shares if 0 < share < 1]
        spread = float(np.std(inner)) if inner else 0.0
        widths.append(min(max(0.5 * spread * count ** (-1 / 6), _NARROW), _WIDE))
    return widths[0], widths[1]

"""What a page begins with: of each class a real defect beside a synthetic one, large, and one whole synthetic image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.pictures import surroundings
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.report.crops import Beside, CloseUp, beside, whole_image
from coigan_aug.report.inventory import Inventory
from coigan_aug.report.notes import Notes
from coigan_aug.store.dataset import Dataset

CLASSES = 4
SIDE = 320
WHOLE = 960
LOOKED_AT = 40  # objects, for one that lies alone
WIDE = 1.8  # width / height from which an image and its outlines stand one below the other


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """Of some classes the middle-sized real and synthetic defect, and the whole image that holds most.

    `whole` is None where it can't be shown. `more` counts the classes that are not among them.
    """

    pairs: tuple[Beside, ...]
    more: int
    whole: CloseUp | None

    @property
    def wide(self) -> bool:
        """Tell whether the whole image is so wide that its outlined copy belongs below it."""
        return self.whole is not None and self.whole.plain.shape[1] > WIDE * self.whole.plain.shape[0]


def first_look(
    dataset: Dataset, inventory: Inventory, drawn: Dataset, *, notes: Notes, made: Sequence[DefectObject]
) -> FirstLook | None:
    """Show a real and a synthetic defect of each class that was drawn, and one image; None where nothing can be shown.

    None is picked by hand: the defects are of the middle size, or the next to it that have no other class beside them; the
    image is the first of those with most classes and then most defects.

    Args:
        inventory: of the data set.
        drawn: the synthetic set; `made` are its objects at full size.
    """
    names = [name for k, name in enumerate(drawn.names) if any(item.label == k for item in made)]
    shown, train = [row for row in inventory.classes if row.item.name in names][:CLASSES], set(dataset.indices("train"))
    every = [item for row in inventory.classes for item in row.objects]
    rows = [
        dataclasses.replace(row, objects=_middle(dataset, [o for o in row.objects if o.position in train], every))
        for row in shown
    ]
    labels = [drawn.names.index(row.item.name) for row in shown]
    picked = [item for k in labels for item in _middle(drawn, [item for item in made if item.label == k], made)]
    part = dataclasses.replace(inventory, classes=tuple(rows))
    pairs = tuple(beside(dataset, part, drawn, notes=notes, made=picked, count=1, side=SIDE))
    whole = _whole(drawn, made)
    if whole is None and not any(pair.real or pair.synthetic for pair in pairs):
        return None
    return FirstLook(pairs=pairs, more=max(len(names) - len(pairs), 0), whole=whole)


def _middle(
    dataset: Dataset, objects: Sequence[DefectObject], every: Sequence[DefectObject]
) -> tuple[DefectObject, ...]:
    """Return the object of the middle size, or of the next ones the first whose close-up shows no other class; none of none."""
    by_size = sorted(objects, key=lambda item: (item.box.width * item.box.height, item.position, item.box))
    near = sorted(range(len(by_size)), key=lambda k: abs(k - len(by_size) // 2))[:LOOKED_AT]
    for item in (by_size[k] for k in near):
        record = dataset[item.position]
        rows, columns = surroundings(item.box, height=record.height, width=record.width)
        place = Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        others = (o for o in every if o.position == item.position and o.label != item.label)
        if not any(other.box.meets(place) for other in others):
            return (item,)
    return tuple(by_size[k] for k in near[:1])


def _whole(drawn: Dataset, made: Sequence[DefectObject]) -> CloseUp | None:
    held: dict[int, list[int]] = {}
    for item in made:
        held.setdefault(item.position, []).append(item.label)
    if not held:
        return None
    position = min(held, key=lambda k: (-len(set(held[k])), -len(held[k]), k))
    record = drawn[position]
    try:
        return whole_image(drawn, position, side=min(WHOLE, 2 * max(record.height, record.width)))
    except DataError:  # the close-ups say so
        return None

"""Real and synthetic defects of each class, close up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coigan_aug.errors import DataError
from coigan_aug.prepare.objects import DefectObject, find_objects
from coigan_aug.report.crops import CloseUp, close_ups
from coigan_aug.report.figure import colour
from coigan_aug.report.inventory import Inventory, shown_classes
from coigan_aug.report.notes import Notes
from coigan_aug.report.results import CLASSES
from coigan_aug.store.dataset import Dataset

EXAMPLES = 4


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A class: real and synthetic defects close up, with the number there are of each."""

    name: str
    colour: str
    real: tuple[CloseUp, ...]
    synthetic: tuple[CloseUp, ...]
    real_count: int
    synthetic_count: int


def beside(
    dataset: Dataset, inventory: Inventory, drawn: Dataset, *, notes: Notes, count: int = EXAMPLES
) -> Iterator[Beside]:
    """Show `count` training objects of each class and as many synthetic ones; images that can't be read become notes.

    Args:
        inventory: of the data set.
        drawn: the synthetic set.
    """
    made = find_objects(drawn, range(len(drawn)), scale=1.0)
    train = set(dataset.indices("train"))
    for own in shown_classes(inventory, most=CLASSES).classes:
        real = [found for found in own.objects if found.position in train]
        name = own.item.name
        label = drawn.names.index(name) if name in drawn.names else -1
        synthetic = [found for found in made if found.label == label]
        if real or synthetic:
            yield Beside(
                name=name,
                colour=colour(own.item),
                real=_close_ups(dataset, real, count, notes),
                synthetic=_close_ups(drawn, synthetic, count, notes),
                real_count=len(real),
                synthetic_count=len(synthetic),
            )
    if len(inventory.classes) > CLASSES:
        notes.add("beside", f"The {CLASSES} classes with most objects of {len(inventory.classes)} are shown.")


def _close_ups(dataset: Dataset, objects: Sequence[DefectObject], count: int, notes: Notes) -> tuple[CloseUp, ...]:
    try:
        return tuple(close_ups(dataset, objects, count=count))
    except DataError as error:
        notes.add("beside", f"Some pictures can't be shown: {error.message}")
        return ()

"""What a format could not hold: counted while it is written, and told.

A loss is what a reader of the output would miss. What a format has no place for, while something else tells the same
things apart (images by their names, classes by their names or ids), is told as a note, which `strict` lets pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.rle import Rle
from coigan_aug.errors import DataError


@dataclass(frozen=True, slots=True)
class Loss:
    """How often something could not be held, and the first image (or class) that it was met in."""

    what: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.what} (first: {self.first})"


class Losses:
    """Counts what a writer could not hold; with `strict` the first loss ends the writing, notes never do.

    What is counted is a plural that reads on from a number and says what became of it: "masks with holes, which are
    filled", "class names, which are not written". Only what a reader of the output would not get back is a loss: a
    mask that comes back the same in several pieces is one where it is one object no more.

    Args:
        strict: raise a DataError instead of counting.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._losses: dict[str, Loss] = {}
        self._notes: dict[str, Loss] = {}

    def add(self, what: str, *, first: str, count: int = 1) -> None:
        """Count a loss; `first` names the image's file, or the class.

        Raises:
            DataError: losses are errors here (`strict`).
        """
        if count < 1:
            return
        if self.strict:
            raise DataError(f"{first}: the format can't hold {what}.", remedy="Without --strict they are counted.")
        _count(self._losses, what, first, count)

    def note(self, what: str, *, first: str, count: int = 1) -> None:
        """Count what the format has no place for though it tells what it is of apart; as `add`, but no error ever."""
        if count > 0:
            _count(self._notes, what, first, count)

    def lost(self) -> tuple[Loss, ...]:
        """Return what was lost, in the order in which it was met."""
        return tuple(self._losses.values())

    def noted(self) -> tuple[Loss, ...]:
        """Return what there was no place for, in the order in which it was met."""
        return tuple(self._notes.values())

    def add_attributes(self, record: ImageRecord, *, kept: Sequence[str] = ()) -> None:
        """Count the masks that say more (but for their id) than the attributes that the format keeps."""
        known = {"id", *kept}
        count = sum(not known.issuperset(annotation.attributes) for annotation in record.annotations)
        self.add("masks with attributes, which are not written", first=record.file, count=count)


def _count(losses: dict[str, Loss], what: str, first: str, count: int) -> None:
    before = losses.get(what, Loss(what, 0, first))
    losses[what] = Loss(what, before.count + count, before.first)


def class_masks(record: ImageRecord, losses: Losses) -> Iterator[tuple[str, Rle]]:
    """Yield the union mask of each class in an image, for formats that know no objects; joined ones are a loss."""
    by_label: dict[str, list[Annotation]] = {}
    for annotation in record.annotations:
        by_label.setdefault(annotation.label, []).append(annotation)
    for label, items in by_label.items():
        losses.add("masks joined with another of their class in the image", first=record.file, count=len(items) - 1)
        yield label, rle.union([annotation.rle for annotation in items]) if len(items) > 1 else items[0].rle


def add_class_ids(losses: Losses, classes: Sequence[DefectClass], written: Iterable[int | None]) -> None:
    """Count the classes whose id in the source is not the one that is written, in a format that has a place for it."""
    names = [c.name for c, number in zip(classes, written, strict=True) if c.source_id not in (None, number)]
    losses.add("class ids, which are numbered anew", first="".join(names[:1]), count=len(names))


def note_class_ids(losses: Losses, classes: Sequence[DefectClass], *, least: int | None = None) -> None:
    """Count the classes that have an id in the source, for a format that knows them by name.

    Args:
        least: the number of the first class, where the format numbers them by their places; such an id is kept.
    """
    places = range(least, least + len(classes)) if least is not None else [None] * len(classes)
    names = [c.name for c, place in zip(classes, places, strict=True) if c.source_id not in (None, place)]
    losses.note("class ids, which the format does not keep", first="".join(names[:1]), count=len(names))

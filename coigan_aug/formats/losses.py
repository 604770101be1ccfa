"""What a format could not hold: counted while it is written, and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Counts what a writer could not hold; with `strict` the first loss ends the writing.

    What is counted is a plural that reads on from a number and says what became of it: "masks with holes, which are
    filled", "class names, which are not written". Only what a reader of the output would not get back is a loss: a
    mask that comes back the same in several pieces is one where it is one object no more.

    Args:
        strict: raise a DataError instead of counting.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, what: str, *, first: str, count: int = 1) -> None:
        """Count a loss; `first` names the image's file, or the class.

        Raises:
            DataError: losses are errors here (`strict`).
        """
        if count < 1:
            return
        if self.strict:
            raise DataError(f"{first}: the format can't hold {what}.", remedy="Without --strict they are counted.")
        self._counts[what] = self._counts.get(what, 0) + count
        self._first.setdefault(what, first)

    def found(self) -> tuple[Loss, ...]:
        """Return what was lost, in the order in which it was met."""
        return tuple(Loss(what, count, self._first[what]) for what, count in self._counts.items())

    def add_attributes(self, record: ImageRecord, *, kept: Sequence[str] = ()) -> None:
        """Count the masks that say more (but for their id) than the attributes that the format keeps."""
        known = {"id", *kept}
        said = sum(not known.issuperset(annotation.attributes) for annotation in record.annotations)
        self.add("masks with attributes, which are not written", first=record.file, count=said)


def class_masks(record: ImageRecord, losses: Losses) -> Iterator[tuple[str, Rle]]:
    """Yield the union mask of each class in an image, for formats that know no objects; joined ones are a loss."""
    own: dict[str, list[Annotation]] = {}
    for annotation in record.annotations:
        own.setdefault(annotation.label, []).append(annotation)
    for label, items in own.items():
        losses.add("masks joined with another of their class in the image", first=record.file, count=len(items) - 1)
        yield label, rle.union([annotation.rle for annotation in items]) if len(items) > 1 else items[0].rle


def add_class_ids(losses: Losses, classes: Sequence[DefectClass], written: Sequence[int | str | None]) -> None:
    """Count the classes whose id in the source is not the one that is written (None: none is)."""
    pairs = [(c.name, c.source_id) for c, own in zip(classes, written, strict=True) if c.source_id not in (None, own)]
    losses.add("class ids, which the format does not keep", first=pairs[0][0] if pairs else "", count=len(pairs))

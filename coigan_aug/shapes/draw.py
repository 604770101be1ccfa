"""Drawing a shape of a class: of one of several kinds, from the training objects and what was measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coigan_aug.errors import DataError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings
from coigan_aug.shapes.forms import ClassForms, class_forms, mask_of, measure
from coigan_aug.shapes.shape import Shape, check_kinds
from coigan_aug.shapes.warped import real, warped


@dataclass(frozen=True, kw_only=True)
class ShapeSource:
    """What shapes are drawn with: what each class shows (None for one without objects)."""

    classes: tuple[ClassForms | None, ...]


def shape_source(
    prepared: Prepared, data_settings: DataSettings, kinds: Sequence[str], *, root: Path, device: torch.device,
    report: Report = silent,
) -> ShapeSource:  # fmt: skip
    """Measure the training objects.

    Raises:
        UsageError: there is no such kind of shapes.
    """
    check_kinds(kinds)
    forms = [[measure(mask_of(prepared.objects[k])) for k in members] for members in prepared.by_class]
    return ShapeSource(classes=tuple(class_forms(own) if own else None for own in forms))


def draw_shape(
    prepared: Prepared, source: ShapeSource, rng: np.random.Generator, label: int, *, kinds: Sequence[str], flip: bool,
    exclude_position: int | None = None,
) -> Shape:  # fmt: skip
    """Draw a shape of a class (by position), of each of the `kinds` as often as of any other.

    The same (prepared, source, state of `rng`) gives the same shape.

    Args:
        flip: shapes may be mirrored.
        exclude_position: a record whose objects serve only where the class has no others.

    Raises:
        DataError: the class has no training object.
    """
    forms, members = source.classes[label], _members(prepared, label, exclude_position)
    if forms is None:
        raise DataError(f"There is no training object of: {prepared.dataset.names[label]}.")
    kind = kinds[int(rng.integers(len(kinds)))]
    chosen = members[int(rng.integers(len(members)))]
    if kind == "real":
        return real(prepared, rng, chosen, flip=flip)
    return warped(prepared, forms, rng, chosen, flip=flip)


def _members(prepared: Prepared, label: int, excluded: int | None) -> list[int]:
    members = prepared.by_class[label]
    return [k for k in members if prepared.objects[k].position != excluded] or members

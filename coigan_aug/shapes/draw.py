"""Drawing a shape of a class: of one of several kinds, from the training objects and what was measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coigan_aug.errors import DataError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings
from coigan_aug.shapes.fit import ShapeGeneratorFile, ShapeGeneratorSettings, trained_shape_generator
from coigan_aug.shapes.forms import ClassForms, Traits, class_forms, traits_of
from coigan_aug.shapes.learned import FEWEST, learned
from coigan_aug.shapes.recombine import recombined
from coigan_aug.shapes.shape import Shape, check_kinds
from coigan_aug.shapes.warped import Mirrors, draw_mirror, real, warped


@dataclass(frozen=True, kw_only=True)
class ShapeSource:
    """What shapes are drawn with.

    What each class shows (None for one without objects), the traits of each training object that serves as a shape (by its
    position in `Prepared.objects`), the smallest area, px, and the generator of learned shapes. Real shapes need no more than
    the objects themselves: where no other kind is drawn nothing is measured, and `classes` and `traits` are empty.
    """

    classes: tuple[ClassForms | None, ...]
    traits: Mapping[int, Traits]
    min_area: int
    generator: ShapeGeneratorFile | None = None


def shape_source(
    prepared: Prepared, data_settings: DataSettings, kinds: Sequence[str], *, root: Path, device: torch.device,
    report: Report = silent,
) -> ShapeSource:  # fmt: skip
    """Measure the training objects; with "learned" among the kinds, train a generator where `root` does not hold it yet.

    Args:
        root: the workspace's cache.

    Raises:
        UsageError: there is no such kind of shapes.
    """
    check_kinds(kinds)
    if set(kinds) == {"real"}:
        return ShapeSource(classes=(), traits={}, min_area=data_settings.min_area)
    traits = traits_of(prepared, [k for members in prepared.by_class for k in members], report=report)
    classes = [class_forms([traits[k].form for k in members]) if members else None for members in prepared.by_class]
    generator = None
    if "learned" in kinds:
        settings = ShapeGeneratorSettings(flip=data_settings.flip)
        generator = trained_shape_generator(
            prepared, traits, data_settings, settings, root=root, device=device, report=report
        )
    return ShapeSource(classes=tuple(classes), traits=traits, min_area=data_settings.min_area, generator=generator)


def draw_shape(
    prepared: Prepared, source: ShapeSource, rng: np.random.Generator, label: int, *, kinds: Sequence[str], flip: bool,
    mirrors: Mirrors | None = None, size: tuple[float, float] = (1.0, 1.0), among: Sequence[int] | None = None,
) -> Shape:  # fmt: skip
    """Draw a shape of a class (by position), of each of the `kinds` as often as of any other.

    The same (prepared, source, state of `rng`) gives the same shape. Where a new one can't be made (a class of few objects,
    no two that fit together), a warped one is returned, and says so by its kind.

    Args:
        flip: shapes may be mirrored.
        mirrors: how they are mirrored then; at random by default.
        size: real ones are made larger or smaller by a factor within these.
        among: the training objects that shapes are drawn after; by default all of the class.

    Raises:
        DataError: the class has no training object.
    """
    members = prepared.by_class[label] if among is None else among
    how = mirrors or (lambda stream, _: draw_mirror(stream, flip=flip))
    if not members:
        raise DataError(f"There is no training object of: {prepared.dataset.names[label]}.")
    kind = kinds[int(rng.integers(len(kinds)))]
    chosen = members[int(rng.integers(len(members)))]
    if kind == "real":
        return real(prepared, rng, chosen, mirrors=how, size=size)
    forms, made = source.classes[label], None
    assert forms is not None  # the class has objects
    if kind == "recombined":
        made = recombined(
            prepared,
            forms,
            source.traits,
            rng,
            chosen,
            members=members,
            mirrors=how,
            flip=flip,
            min_area=source.min_area,
        )
    if kind == "learned" and source.generator is not None and len(prepared.by_class[label]) >= FEWEST:
        made = learned(
            prepared, forms, source.traits, source.generator.network, rng, chosen, mirrors=how, min_area=source.min_area
        )
    return made or warped(prepared, forms, rng, chosen, mirrors=how)

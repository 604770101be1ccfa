"""The engine patch: patches of a class's real defects, put together anew in the planned mask; nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import decode_mirrored, depths, grow, inside
from coigan_aug.annotations.rle import Mask, Rle, box, decode_box
from coigan_aug.annotations.void import no_surface
from coigan_aug.compose.patchwork import Example, light_of, patchwork, reach_of
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.contrast import contrast_of, no_surface_in
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import add_change, straddling_alpha
from coigan_aug.synthesis.paste import GAIN, covered

EXAMPLES = 3  # training objects that a defect is made of
ALIKE = 10  # those that it resembles most, of which they are drawn
MOST = 500  # objects of a class that are compared, evenly spread
_DARK = 8.0  # grey levels added before levels are compared: in the dark all are alike

Floats = NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Form:
    """How large a mask is and how it lies: log2 of its thickness and length, px; `lies` is as long as it is longish.

    `lies` points along twice the angle of the longer axis: mirroring turns its second number round.
    """

    thickness: float
    length: float
    lies: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Traits:
    """What an object is chosen by: form, log2 of the brightness round it, contrast, and the group of its image."""

    form: Form
    level: float
    contrast: float
    group: str


class Sources:
    """The training objects of a data set, to take patches from; what they are chosen by is looked at once each."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self._traits: dict[int, Traits] = {}

    def choose(self, rng: Rng, defect: PlannedDefect, form: Form, *, level: float) -> list[int]:
        """Draw training objects of a defect's class that resemble it: positions in `Prepared.objects`, one at least.

        They are of other groups than the object that the defect is shaped after, and each of another one, as long as there
        are any: photographs of one piece show the same defect.

        Args:
            level: the mean brightness of the surface that the defect is put on, 0..255.
        """
        members = self.prepared.by_class[defect.label]
        members = [
            members[k] for k in np.unique(np.linspace(0, len(members) - 1, min(len(members), MOST)).round().astype(int))
        ]
        shape = defect.shape_of
        own = self.traits(shape).group if shape is not None else None
        others = [k for k in members if self.traits(k).group != own] or [k for k in members if k != shape] or members
        light = math.log2(level + _DARK)
        order = sorted(others, key=lambda k: (_unlike(self.traits(k), form, light, defect.contrast), k))
        drawn = [order[i] for i in rng.permutation(min(len(order), ALIKE))]
        first = {self.traits(k).group: k for k in reversed(drawn)}.values()
        return sorted(drawn, key=lambda k: k not in first)[:EXAMPLES]

    def traits(self, number: int) -> Traits:
        """Look at an object, by its position in `Prepared.objects`."""
        if number not in self._traits:
            self._traits[number] = _traits(self.prepared, number)
        return self._traits[number]


def patched(sources: Sources, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Draw each of a job's defects onto the image [H, W(, 3)] from patches of training objects of its class."""
    out, masks = image.copy(), [defect.rle for defect in job.defects]
    for k, defect in enumerate(job.defects):
        _draw(streams.generator(job.seed, "patch", k), sources, defect, out, masks[:k] + masks[k + 1 :], settings)
    return out


def _draw(
    rng: Rng, sources: Sources, defect: PlannedDefect, image: Pixels, others: Sequence[Rle], settings: Settings
) -> None:
    """Draw one defect into an image [H, W(, 3)], but not where others' masks are."""
    tight = box(defect.rle)
    solid = decode_box(defect.rle, tight)
    reach = reach_of(solid)
    region = tight.grow(reach)
    pixels = _values(cut_mirrored(image, region), grey=image.ndim == 2)
    mask = decode_mirrored(defect.rle, region)
    light = light_of(pixels, np.zeros(mask.shape, bool))
    level, form = light[mask != 0].mean(axis=0), form_of(solid)
    examples = []
    for number in sources.choose(rng, defect, form, level=float(level.mean())):
        other = sources.traits(number).form
        turned = settings.data.flip and other.lies[1] * form.lies[1] < 0
        example = _example(sources.prepared, number, reach, level)
        examples.append(_flipped(example, turned, False))
        if settings.data.flip:
            examples.append(_flipped(example, not turned, True))
    made = light + patchwork(rng, pixels - light, mask, examples)
    held = region.clip(image.shape)
    inner, own = held.slices, held.seen_from(region).slices
    alpha = straddling_alpha(decode_box(defect.rle, held), settings) * (covered(others, held) == 0)
    alpha *= np.float32(defect.strength)
    image[inner] = add_change(image[inner], (made - pixels)[own] / np.float32(255), alpha)


def _example(prepared: Prepared, number: int, reach: int, level: Floats) -> Example:
    """Cut an object and `reach` px round it out of its image: what it changes of its surface, at another surface's level [C].

    Light multiplies: a change is scaled by the ratio of the levels, within 0.5 and 2. Other defects and void beside it, and
    what would lie beyond the image, may not be used.
    """
    item = prepared.objects[number]
    image = prepared.dataset.stored(item.position)
    region = box(item.full).grow(reach)
    pixels = _values(cut_mirrored(image, region), grey=len(level) == 1)
    mask = decode_mirrored(item.full, region)
    defects = decode_mirrored(no_surface(prepared.dataset[item.position]), region)
    hole = grow(defects, 1) != 0
    light = light_of(pixels, hole if not hole.all() else mask != 0)
    gain = np.clip((level + 1) / (light[mask != 0].mean(axis=0) + 1), *GAIN)
    others = (grow(defects & (1 - mask), 2) != 0) & (mask == 0)
    return Example(np.asarray((pixels - light) * gain, np.float32), mask, inside(region, image.shape) & ~others)


def _flipped(example: Example, across: bool, down: bool) -> Example:
    rows, columns = slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1)
    change, mask, usable = example.change[rows, columns], example.mask[rows, columns], example.usable[rows, columns]
    return Example(np.ascontiguousarray(change), np.ascontiguousarray(mask), np.ascontiguousarray(usable))


def _values(pixels: Pixels, *, grey: bool) -> Floats:
    """Return pixels [h, w(, 3)] as float32 [h, w, 1] or [h, w, 3]."""
    if not grey:
        return to_rgb(pixels).astype(np.float32)
    return (pixels if pixels.ndim == 2 else pixels.mean(axis=2))[..., None].astype(np.float32)


def form_of(mask: Mask) -> Form:
    """Measure a mask [h, w] that is not empty."""
    rows, columns = np.nonzero(mask)
    across, down = columns.var() + 1 / 12, rows.var() + 1 / 12
    slant = float(((columns - columns.mean()) * (rows - rows.mean())).mean())
    spread = float(across + down)
    thickness = 2 * float(depths(np.pad(mask, 1)).max())
    lies = (float(across - down) / spread, 2 * slant / spread)
    return Form(math.log2(thickness), 0.5 * math.log2(12 * spread), lies)


def _traits(prepared: Prepared, number: int) -> Traits:
    item = prepared.objects[number]
    region = item.box.grow(4)
    pixels = prepared.pixels(item.position, region).mean(axis=2)
    surface = no_surface_in(prepared, item.position, region) == 0
    level = float(np.median(pixels[surface] if surface.any() else pixels))
    record = prepared.dataset[item.position]
    form = form_of(decode_box(item.full, box(item.full)))
    return Traits(form, math.log2(level + _DARK), contrast_of(prepared, item), record.group or record.file)


def _unlike(traits: Traits, form: Form, level: float, contrast: float) -> float:
    """Return how far an object is from what is to be drawn: 1 is twice as thick, or as bright a surface, or lies across."""
    own = traits.form
    lies = abs(own.lies[0] - form.lies[0]) + abs(abs(own.lies[1]) - abs(form.lies[1]))  # mirrored if need be
    return (
        abs(own.thickness - form.thickness) + 0.5 * abs(own.length - form.length) + 0.5 * lies
        + abs(traits.level - level) + 2 * abs(traits.contrast - contrast)
    )  # fmt: skip

"""Screening: is a drawn defect visible, where its mask says, no copy of a training object, and without a seam?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Talk
from coigan_aug.segmenter.real_only import is_kept, real_only_segmenter, segmenter_key
from coigan_aug.settings import Settings
from coigan_aug.store.card import Screening
from coigan_aug.synthesis.agreeing import Bounds, Sight, kept_bounds
from coigan_aug.synthesis.change import Change, measure_change
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.paste import PUT
from coigan_aug.synthesis.resemblance import Known, known_objects


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a picture is rejected: the reason, the class (by position) and the number of the defect, value and limit."""

    reason: str
    label: int
    defect: int
    value: float
    limit: float


@dataclass(frozen=True)
class Screen:
    """What a picture is judged by. Without `sight` no segmenter is asked, without `known` copies are not looked for."""

    settings: Settings
    margin: int
    sight: Sight | None = None
    bounds: Bounds | None = None
    known: Known | None = None
    on: bool = True

    def judge(
        self, job: Job, base: Pixels, image: Pixels, engines: Sequence[str]
    ) -> tuple[list[Change], Finding | None]:
        """Measure each defect of a drawn picture [H, W(, 3)] and return what is wrong with it first; None: nothing.

        Args:
            engines: what drew each defect; copies are looked for only where it does not copy by its nature.
        """
        masks = [defect.rle for defect in job.defects]
        changes = [
            measure_change(base, image, mask, masks[:k] + masks[k + 1 :], margin=self.margin)
            for k, mask in enumerate(masks)
        ]
        return changes, self._first(job, base, image, engines, changes) if self.on else None

    def _first(
        self, job: Job, base: Pixels, image: Pixels, engines: Sequence[str], changes: Sequence[Change]
    ) -> Finding | None:
        asked = self.settings.synthesize
        for k, (defect, change) in enumerate(zip(job.defects, changes, strict=True)):
            if change.shown < asked.least_shown:
                return Finding("invisible", defect.label, k, change.shown, asked.least_shown)
            if change.seam is not None and change.seam > asked.most_seam:
                return Finding("seam", defect.label, k, change.seam, asked.most_seam)
        return self._disagreed(job, base, image) or self._copied(job, image, engines)

    def _disagreed(self, job: Job, base: Pixels, image: Pixels) -> Finding | None:
        if self.sight is None or self.bounds is None:
            return None
        defects = [(defect.label, defect.rle) for defect in job.defects]
        for k, seen in enumerate(self.sight.look(base, image, defects, margin=self.margin)):
            label = defects[k][0]
            least, most = self.bounds.found[label], self.bounds.spilled[label]
            if least is not None and seen.found < least and self._rejects_hard:
                return Finding("mask", label, k, seen.found, least)
            if most is not None and seen.spilled > most:
                return Finding("mask", label, k, seen.spilled, most)
        return None

    @property
    def _rejects_hard(self) -> bool:
        return self.settings.synthesize.hard == "reject"

    def _copied(self, job: Job, image: Pixels, engines: Sequence[str]) -> Finding | None:
        if self.known is None:
            return None
        for k, (defect, engine) in enumerate(zip(job.defects, engines, strict=True)):
            limit = self.known.limits[defect.label]
            if engine in PUT or limit is None:
                continue
            distance = self.known.distance(image, defect.label, defect.rle)
            if distance < limit:
                return Finding("copy", defect.label, k, distance, limit)
        return None

    def about(self, names: Sequence[str]) -> Screening:
        """Return the limits, for the card."""
        if not self.on:
            return Screening(on=False)
        asked = self.settings.synthesize
        limits: dict[str, Any] = {"least_shown": asked.least_shown, "most_seam": asked.most_seam}
        if self.bounds is not None:
            if self._rejects_hard:
                limits["least_found"] = dict(zip(names, self.bounds.found, strict=True))
            limits["most_spilled"] = dict(zip(names, self.bounds.spilled, strict=True))
        if self.known is not None:
            limits["least_distance"] = dict(zip(names, self.known.limits, strict=True))
        return Screening(on=True, attempts=asked.attempts, limits=limits)


def screen_of(
    prepared: Prepared,
    settings: Settings,
    *,
    on: bool,
    copies: bool,
    cache_root: Path,
    device: torch.device,
    talk: Talk,
) -> Screen:
    """Return the screen: with a segmenter of the training images, trained once, and with their objects.

    Args:
        on: reject at all; else pictures are measured only.
        copies: look for copies of training objects too: something is drawn that is none by its nature. What only copies
            changes nothing beside its defects, so no segmenter is needed to see it, unless it is to reject hard ones.
    """
    margin = margin_of(settings)
    if not on:
        return Screen(settings, margin, on=False)
    if not copies and settings.synthesize.hard == "keep":
        return Screen(settings, margin)
    if not is_kept(prepared.dataset, settings, cache_root=cache_root, device=device):
        talk.say("To screen, a segmenter of your images is trained first, once; --no-screen draws without.")
    with talk.step("train the screening segmenter") as report:
        network = real_only_segmenter(prepared.dataset, settings, cache_root=cache_root, device=device, report=report)
    sight = Sight(network, prepared.scale, prepared.window, device)
    name = segmenter_key(prepared.dataset, settings, device)
    with talk.step("try the screening segmenter on real defects"):
        bounds = kept_bounds(sight, prepared, cache_root / f"segmenter-{name}.json")
    known = None
    if copies:
        with talk.step("look at the training objects") as report:
            known = known_objects(prepared, cache_root=cache_root, device=device, report=report)
    return Screen(settings, margin, sight, bounds, known)

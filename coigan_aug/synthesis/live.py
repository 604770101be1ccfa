"""Copies made for a segmenter while it trains: another one in each window, never written anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import cover, grow, resize
from coigan_aug.annotations.rle import Mask, decode
from coigan_aug.compose.erase import TELEA
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.cache import shrink
from coigan_aug.prepare.examples import place_window
from coigan_aug.segmenter.windows import Cut, Range, draw_side, resized, with_void
from coigan_aug.synthesis.bases import Base, read_base, void_of
from coigan_aug.synthesis.job import Job, base_of
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.paste import PUT, counterfeit
from coigan_aug.synthesis.plan import Planner
from coigan_aug.synthesis.screen import Screen
from coigan_aug.synthesis.void import made_void

TRIES = 20
Rng = np.random.Generator
_NUMBERS = (1 << 31) - 1


@dataclass(frozen=True, kw_only=True)
class LiveCopies:
    """Windows with a copied defect of each class as often as of any other; picklable.

    `engine` is "transplant", "paste" or "poisson"; the planner must be made for it (`Engine.own_places`). What is hardly
    visible, or has a seam, is made anew, as by the screen. With `counterfeit` clean surface is moved in the defect's stead,
    and the window's masks are empty. `scale`, `window` and `jitter` are the segmenter's. `label`: defects of that class alone.
    """

    planner: Planner
    engine: str
    scale: float
    window_side: int
    jitter: Range
    counterfeit: bool = False
    label: int | None = None

    def window(self, seed: int, index: int) -> Cut:
        """Make window `index`: uint8 [S, S, 3] and masks uint8 [K, S, S] of 0, 1 and VOID, where its base is void.

        Raises:
            DataError: nothing visible could be made in twenty tries.
        """
        rng = streams.generator(seed, "counterfeit" if self.counterfeit else "live", index)
        prepared, settings = self.planner.prepared, self.planner.settings
        every = [label for label, members in enumerate(prepared.by_class) if members]
        labels = every if self.label is None else [self.label]
        screen = Screen(settings, margin_of(settings))
        for _ in range(TRIES):
            label = labels[int(rng.integers(len(labels)))]
            job = self.planner.place(int(rng.integers(_NUMBERS)), [label], part=0, attempt=0)
            if job is None:
                continue
            base = read_base(prepared, base_of(job), TELEA)
            if self.counterfeit:
                others = [other for other in self.planner.bases if other.position != job.base]
                other = others[int(rng.integers(len(others)))] if others else base_of(job)
                image = counterfeit(job, base, settings, surface=read_base(prepared, other, TELEA))
                return self._shown(rng, job, image, labelled=False, surface=other)
            image = PUT[self.engine](prepared, job, base, settings)
            if screen.judge(job, base, image, [self.engine])[1] is None:
                return self._shown(rng, job, image, labelled=True)
        raise DataError(
            f"{TRIES} tries at a copied defect were all invisible or had a seam.",
            remedy="--set synthesize.least_shown=0 takes them as they are.",
        )

    def _shown(self, rng: Rng, job: Job, image: Pixels, *, labelled: bool, surface: Base | None = None) -> Cut:
        """Cut a window round one of the parts of the defect, at the segmenter's scale.

        Args:
            surface: what was moved in the defect's stead, where that was done.
        """
        defect, small = job.defects[0], to_rgb(shrink(image, self.scale))
        mask = resize(decode(defect.rle), height=small.shape[0], width=small.shape[1])
        side = draw_side(rng, self.window_side, self.jitter)
        region = place_window(rng, _a_part(rng, mask), mask.shape, side=side)
        masks = np.zeros((self.planner.prepared.classes, side, side), np.uint8)
        masks[defect.label] = cut_mirrored(mask, region) * labelled
        pixels, masks = resized(cut_mirrored(small, region), masks, self.window_side)
        void = self._void(job, surface)
        if void is None:
            return pixels, masks
        return pixels, with_void(masks, cut_mirrored(cover(void, height=small.shape[0], width=small.shape[1]), region))

    def _void(self, job: Job, surface: Base | None) -> Mask | None:
        """Return what is void of a job's picture, uint8 [H, W], with that of a surface that was moved into it."""
        prepared, margin = self.planner.prepared, margin_of(self.planner.settings)
        if surface is None:
            made = made_void(prepared, job, [self.engine], margin=margin)
            return None if made is None else decode(made)
        own, moved = void_of(prepared, base_of(job)), void_of(prepared, surface)
        void = np.zeros((job.region.height, job.region.width), np.uint8) if own is None else decode(own)
        if moved is None:
            return None if own is None else void
        near = grow(decode(job.defects[0].rle), margin)
        return void | (cover(decode(moved), height=void.shape[0], width=void.shape[1]) & near)


def _a_part(rng: Rng, mask: Mask) -> Box:
    """Return the box of one of the parts of a mask [h, w]; each as often as any other."""
    number, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
    chosen = stats[1 + int(rng.integers(number - 1))]
    return Box(*chosen[:4].tolist())

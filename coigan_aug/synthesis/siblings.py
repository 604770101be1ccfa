"""Siblings of real defects: drawn with latents near the one that redraws the defect itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.store.card import Varied
from coigan_aug.synthesis.job import PlannedDefect
from coigan_aug.synthesis.latents import packed, varied
from coigan_aug.synthesis.projecting import Projection


@dataclass(frozen=True)
class Siblings:
    """The training objects (by their place in `Prepared.objects`) that are varied, and by how much, 0..1."""

    sources: Mapping[int, Projection]
    spread: float

    @cached_property
    def name(self) -> str:
        """Tell these siblings from others."""
        parts = [f"{number} {packed(source.latent)}" for number, source in sorted(self.sources.items())]
        return hashlib.sha256(f"{self.spread} {parts}".encode()).hexdigest()[:16]

    def of(self, prepared: Prepared, label: int) -> Sequence[int]:
        """Return the objects of a class (by position) that are varied."""
        return [number for number in prepared.by_class[label] if number in self.sources]

    def vary(self, defect: PlannedDefect, rng: np.random.Generator) -> PlannedDefect:
        """Give a planned defect a latent near that of the object it is shaped after."""
        assert defect.shape_of is not None
        latent = varied(self.sources[defect.shape_of].latent, rng, spread=self.spread)
        return replace(defect, latent=packed(latent), projected_from=defect.shape_of)

    def about(self, prepared: Prepared) -> Varied:
        """Return what the card says of them."""
        objects = [prepared.objects[number] for number in sorted(self.sources)]
        numbers = [prepared.by_record[prepared.objects[k].position].index(k) for k in sorted(self.sources)]
        figures = np.array([(s.random, s.best, s.projected) for s in self.sources.values()]).mean(axis=0).round(2)
        return Varied(
            objects=[f"{prepared.dataset[o.position].file}:{n}" for o, n in zip(objects, numbers, strict=True)],
            spread=self.spread,
            random=float(figures[0]),
            best_of_8=float(figures[1]),
            projected=float(figures[2]),
        )

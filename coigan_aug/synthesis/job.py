"""Jobs: one image to make, as plain values. Its pixels depend on the generator file and on these alone."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Rle
from coigan_aug.geometry import Box
from coigan_aug.synthesis.bases import Base

_SEEDS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class PlannedDefect:
    """One defect to draw: its class (by position), its mask in the image to make, where its shape comes from.

    `shape_of` is the training object it is shaped after, None where it is after none. `warp` is the 2 x 3 matrix, row by
    row, that takes (x, y, 1) in that object's image to the image to make, full-size px: what the shape went through, and
    an engine that copies pixels does too; empty where there is no such way. `bend` is what it was bent by besides.
    `contrast` is how much brighter or darker than its surroundings that object is, a ratio less 1, and `strength` how much
    of this it is to be.

    `latent` is its own, as `latents.packed` writes it, and empty where the job's seed draws one; of defects so near each other
    that the network draws them together, the first one's counts. `projected_from` is the training object that the latent
    was found on.
    """

    label: int
    rle: Rle
    shape_of: int | None
    warp: tuple[float, ...]
    contrast: float = 0.0
    bend: tuple[float, ...] = ()
    shape: str = "real"
    strength: float = 1.0
    latent: str = ""
    projected_from: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One image to make: the training record it is based on, the part of it, the defects.

    A plan counts its images from 1; defects that find no place together become parts 0, 1, ... of one number, and a
    rejected image is tried again as the next attempt. `seed` is of the latent and the noise. `erased`: the record's own
    defects are erased first. `truncation` is how far the styles go from their mean, 0..1, `style` how far they go
    along the run's directions (`steering`): names and amounts, in standard deviations of the trait.
    """

    number: int
    base: int
    region: Box
    defects: tuple[PlannedDefect, ...]
    erased: bool = False
    part: int = 0
    attempt: int = 0
    seed: int = 0
    truncation: float = 1.0
    style: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """The name of its image, without a suffix: stable whatever else is made."""
        return f"synthetic_{self.number:06d}" + (f"_{self.part + 1}" if self.part else "")


def base_of(job: Job) -> Base:
    """Return what a job is drawn on."""
    return Base(job.base, job.region, job.erased)


def stream_of(name: str, part: int, attempt: int) -> str:
    """Name the stream that a try at a part of an image draws from; its index is the image's number."""
    return f"{name} {part} {attempt}"


def noise_seed(seed: int, number: int, part: int, attempt: int) -> int:
    """Return the seed of a job's latent and noise: 0 .. 2^31 - 1, short enough to be typed."""
    return int(streams.generator(seed, stream_of("noise seed", part, attempt), number).integers(_SEEDS))

"""The section synthesize."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.errors import ConfigError
from coigan_aug.settings.ranges import check, choice

VARIED = {"strength": (0.05, 2.0), "size": (0.2, 5.0)}
"""Within what defects may be made to differ from their originals."""
HARD = ("keep", "reject")
MASKS = ("planned", "effective")
SHAPES = ("real", "warped", "recombined", "learned")


@dataclass(frozen=True, kw_only=True)
class SynthesizeSettings:
    """What is made, and how it is written."""

    seed: int = 1
    """seed of the plan and of the noise; another one draws another set of the same kind"""
    batch: int = 8
    """windows that go through the network together (on a CPU one by one, so that bits do not depend on it); lower it where
    the GPU's memory runs out"""
    defects: tuple[float, ...] = ()
    """probability of 0, 1, 2, ... defects on one image, all classes together; []: as in the training images"""
    workers: int = 2
    """threads that read, plan and write beside the network; 0: everything in one. Raise it where a GPU waits for images"""
    shapes: tuple[str, ...] = ("real",)
    """kinds of shapes, each as often: real, warped (within what the class shows), recombined, learned"""
    strength: tuple[float, float] = (1.0, 1.0)
    """defects show this much as strongly as their originals, a factor within these; below 1 fainter ones, which are harder to
    find. Of generators those with model.contrast follow it"""
    size: tuple[float, float] = (1.0, 1.0)
    """defects of real shapes are made larger or smaller by a factor within these; where sizes vary more on held-out pieces than
    on the training ones"""
    truncation: float = 1.0
    """how far the styles of drawn defects go from their mean, 0-1, for a generator with a latent: below 1 they are more usual
    and less varied; lower it where some look like nothing that occurs"""
    attempts: int = 6
    """tries at an image before it is given up, where the screen rejects it; raise it where too few images come out"""
    least_shown: float = 0.3
    """screen: the share of a mask's pixels that must change visibly; lower it where real defects are faint, too"""
    most_seam: float = 2.5
    """screen: how much steeper than the base a picture may be where a defect's margin ends; lower it where edges of drawn
    defects can be seen in preview.html"""
    hard: str = "keep"
    """screen: drawn defects that a segmenter of the real images does not see: keep, since it could learn most from them, or
    reject, where preview.html shows some that nobody would call a defect"""
    masks: str = "planned"
    """of drawn defects: planned, the shape that was to be drawn; effective, what changed, to half of its strength, where a
    generator draws past its masks or not to their edge"""
    synthetic_share: float = 0.35
    """the largest share of synthetic images, among those with defects, in a set made with --with-real; raise it where
    evaluate benefit shows a gain at a larger share"""

    def __post_init__(self) -> None:
        for name, high in (("batch", 1024), ("attempts", 100)):
            check(self, name, low=1, high=high)
        check(self, "workers", low=0, high=64)
        check(self, "least_shown", "truncation", low=0.0, high=1.0)
        check(self, "synthetic_share", low=0.01, high=0.99)
        check(self, "most_seam", low=1.0)
        shares = self.defects
        if shares and (min(shares) < 0 or not 0.99 < sum(shares) < 1.01 or sum(shares[1:]) <= 0):
            raise ConfigError(f"synthesize.defects is {list(shares)}; probabilities that add up to 1, or [].")
        for name, (least, most) in VARIED.items():
            values = getattr(self, name)
            if len(values) != 2 or not least <= values[0] <= values[1] <= most:
                raise ConfigError(f"synthesize.{name} is {list(values)}; least and most, within {least:g} to {most:g}.")
        choice(self, "shapes", SHAPES)
        choice(self, "hard", HARD)
        choice(self, "masks", MASKS)

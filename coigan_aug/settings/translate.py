"""The section translate."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.settings.ranges import check, choice

ATTENTION = ("none", "gradcam", "mask")


@dataclass(frozen=True, kw_only=True)
class TranslateSettings:
    """How images of one line take the look of another (`translate train`); its length, batch and rates are in `train`."""

    width: int = 32
    """channels of both generators' first stage"""
    blocks: int = 6
    """residual blocks of both generators"""
    discriminator_width: int = 48
    """channels of the first stage of both discriminators, which judge patches of 70 px"""
    cycle: float = 10.0
    """weight: there and back again must give the image, L1"""
    identity: float = 5.0
    """weight: an image that has the look already must stay, L1; lower it where the looks are far apart"""
    edges: float = 2.0
    """weight: edges must stay where they are, by the directions of gradients; raise it where edges of masks move"""
    edges_elsewhere: float = 0.2
    """share of that weight away from the masks; 1: everywhere alike"""
    edges_grow: int = 4
    """the edges loss looks this far round the masks, px"""
    attention: str = "none"
    """none, gradcam (both ways look at the same places: attention transfer) or mask (the same, and what lies in the masks
    counts more)"""
    attention_weight: float = 1.0
    """weight of attention transfer; a thesis on it tried 0.1, too"""
    attention_blocks: str = "last"
    """the residual blocks whose attention is compared: last, or four (first, two in the middle, last)"""
    attention_detach: bool = False
    """the attention on the way there is a fixed target for the way back"""
    attention_both: bool = True
    """attention transfer from B, too; false: from A alone"""
    mask_weight: float = 4.0
    """attention mask: what lies in the masks counts so much more in cycle and attention"""
    defects: float = 0.6
    """share of A's windows that are put round a defect"""

    def __post_init__(self) -> None:
        choice(self, "attention", ATTENTION)
        choice(self, "attention_blocks", ("last", "four"))
        check(self, "width", "discriminator_width", low=4, high=512)
        check(self, "blocks", low=1, high=32)
        check(self, "cycle", "identity", "edges", "attention_weight", "mask_weight", low=0.0)
        check(self, "edges_elsewhere", "defects", low=0.0, high=1.0)
        check(self, "edges_grow", low=0, high=64)

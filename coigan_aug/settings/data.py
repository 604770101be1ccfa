"""The section data."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.errors import ConfigError
from coigan_aug.settings.ranges import check, choice


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Windows and what is put on them."""

    window: int = 256
    """side of the square training window, px after scaling"""
    scale: float = 1.0
    """images are resized by this factor before windows are cut; results are brought back to full size"""
    overlap: float = 0.5
    """share of a window that neighbouring windows share"""
    max_blank: float = 0.1
    """largest share of nearly black pixels in a usable window; raise it where parts are small before a black background"""
    fit: float = 0.0
    """an object takes at most this share of a window's side: windows round larger ones show more, smaller; 0: no limit"""
    min_area: int = 16
    """smaller objects (full-size px) serve neither as shapes nor as examples; they stay in the masks. Lower it where real
    defects are that small, raise it where annotations hold specks"""
    blank_level: int = 10
    """grey level below which a pixel counts as black, 0-255; lower it for a surface that is nearly black itself"""
    defects: tuple[float, ...] = (0.4, 0.475, 0.1, 0.025)
    """probability of 0, 1, 2, ... defects of each class in a training sample"""
    rotate: float = 180.0
    """largest rotation of a pasted object, degrees"""
    shift: float = 0.0
    """a pasted object is moved in its box by up to this share of its sides, and cut off there (with transforms: one)"""
    shear: float = 0.0
    """largest shear of a pasted object, degrees (with transforms: one)"""
    scale_range: tuple[float, float] = (0.7, 1.2)
    """smallest and largest rescaling of a pasted object"""
    augment: float = 0.5
    """probability that a pasted object is transformed"""
    transforms: str = "together"
    """together: rotated and rescaled, and mirrored besides; one: as in the thesis, rotated or (as often) shifted, rescaled
    and sheared, and never mirrored"""
    flip: bool = True
    """mirror windows, objects and shapes at random, both ways; false where the light has a direction"""
    shapes: str = "same"
    """same: the real defects that drawn ones are told from have their masks; different: masks of their own"""
    reference: str = "defects"
    """real windows that drawn ones are told from: defects (three of four show some) or tiles (any, judged as a whole, as in
    the thesis)"""
    clean: str = "boxes"
    """windows to draw on lie clear of the objects' boxes, or (masks, as in the thesis) of their masks only: more of images
    with thin, slanted defects"""
    erase: str = "telea"
    """how defects are erased: telea (classical, no training) or learned (a network trained first; measured no better)"""
    groups_per_class: int = 0
    """train on so many groups of images of each class (and all defect-free images); 0: on all"""
    subset_seed: int = 0
    """which groups those are"""

    def __post_init__(self) -> None:
        check(self, "window", low=16, high=2048)
        check(self, "scale", low=0.05, high=1.0)
        check(self, "overlap", low=0.0, high=0.9)
        check(self, "max_blank", low=0.0, high=1.0)
        if self.fit:
            check(self, "fit", low=0.25, high=1.0)
        check(self, "blank_level", low=0, high=255)
        check(self, "min_area", low=1)
        check(self, "rotate", low=0.0, high=180.0)
        check(self, "augment", low=0.0, high=1.0)
        check(self, "shift", low=0.0, high=0.5)
        check(self, "shear", low=0.0, high=45.0)
        check(self, "groups_per_class", low=0)
        choice(self, "erase", ("telea", "learned"))
        choice(self, "transforms", ("together", "one"))
        choice(self, "shapes", ("same", "different"))
        choice(self, "reference", ("defects", "tiles"))
        choice(self, "clean", ("boxes", "masks"))
        if (self.shift or self.shear) and self.transforms == "together":
            raise ConfigError(
                f"data.shift is {self.shift:g} and data.shear {self.shear:g}; with data.transforms together there is neither.",
                remedy="Set data.transforms to one, or both to 0.",
            )
        if self.window % 8:
            raise ConfigError(f"data.window is {self.window}; it must be a multiple of 8.")
        if min(self.defects, default=-1) < 0 or not 0.99 < sum(self.defects) < 1.01 or self.defects[0] >= 1:
            raise ConfigError(
                f"data.defects is {list(self.defects)}; probabilities that add up to 1, not all on 0 defects."
            )
        if len(self.scale_range) != 2 or not 0.1 <= self.scale_range[0] <= self.scale_range[1] <= 5:
            raise ConfigError(f"data.scale_range is {list(self.scale_range)}; smallest and largest, within 0.1 to 5.")

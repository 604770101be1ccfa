"""What an annotated image is: plain values, free of files and pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coigan_aug.annotations.rle import Rle

UNKNOWN = "unknown"
"""The state of an image of which nobody knows whether its masks are all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectClass:
    """A defect class: its name, its colour (RGB, 0-255) and its id in the source (None where it had none)."""

    name: str
    colour: tuple[int, int, int]
    source_id: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One mask of one class (by name). `attributes` holds what the source said beside it, as JSON values."""

    label: str
    rle: Rle
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image and its masks.

    `file` is relative to the Dataset's image root, with forward slashes; height and width are in pixels.
    `group` names the images that a split must not tear apart, `split` is "train", "test" or "".
    `source` holds what the source said of the image (its id, its row), as JSON values.
    `unknown` says that the image lost an annotation on the way here, or that its mask is missing: what its masks leave
    free need not be free of defects.
    `void` are the pixels of which nobody says what they are, neither defect nor clean surface: in none of the masks. None
    where there are none.
    """

    file: str
    height: int
    width: int
    annotations: tuple[Annotation, ...] = ()
    group: str = ""
    split: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    unknown: bool = False
    void: Rle | None = None

    @property
    def state(self) -> str:
        """What is known of the image: "annotated", "clean" (nothing is wrong with it, but for its void) or "unknown"."""
        return UNKNOWN if self.unknown else "annotated" if self.annotations else "clean"


PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 75, 60), (60, 150, 230), (80, 190, 90), (245, 175, 40), (165, 95, 215),
    (40, 190, 190), (240, 110, 180), (150, 120, 80), (130, 140, 250), (190, 210, 60),
)  # fmt: skip


def colour_of(position: int) -> tuple[int, int, int]:
    """Return the colour of the class at a position; the ten colours repeat darker after that."""
    red, green, blue = PALETTE[position % len(PALETTE)]
    shade = 2 ** (position // len(PALETTE) % 3)
    return (red // shade, green // shade, blue // shade)

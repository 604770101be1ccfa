"""What a synthesized image and each of its defects were made from, as their records say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.geometry import Box

_SHAPE_OF = "shape_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The training image that a synthesized one shows, and the part of it, full-size px; None for all of it.

    `erased_margin` is how far round its defects the image may have been changed by erasing them, px; None where none were.
    """

    base: str
    region: Box | None = None
    erased_margin: int | None = None

    def as_source(self, *, seed: int) -> dict[str, Any]:
        """Return it, and the seed of the image, as the JSON values that `ImageRecord.source` holds."""
        source: dict[str, Any] = {"base": self.base, "region": list(self.region or ()), "seed": seed}
        if self.erased_margin is not None:
            source |= {"erased": True, "erased_margin_px": self.erased_margin}
        return source


def origin_of(record: ImageRecord) -> Origin | None:
    """Return what an image was made from; None where its record does not say."""
    source = record.source
    if "base" not in source:
        return None
    region = source.get("region")
    usable = isinstance(region, list | tuple) and len(region) == 4
    return Origin(
        base=str(source["base"]),
        region=Box(*(int(side) for side in region)) if usable and region else None,
        erased_margin=int(source["erased_margin_px"]) if source.get("erased") else None,
    )


def shape_said(shape_of: str | None) -> Mapping[str, str]:
    """Return the attribute that says of which training image a defect's shape is; "" for a shape of none."""
    return {_SHAPE_OF: shape_of or ""}


def shape_source(annotation: Annotation) -> str | None:
    """Return the training image of which a synthesized defect's shape is, "" for none; None for a defect that is real."""
    return str(annotation.attributes[_SHAPE_OF]) if _SHAPE_OF in annotation.attributes else None

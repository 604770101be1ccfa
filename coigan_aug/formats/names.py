"""Names that others need: of the formats, for the command line's help, and of what lies beside their files."""

from __future__ import annotations

NAMES = (
    "coco", "severstal", "line-json", "labelme", "cvat", "label-studio", "supervisely", "via", "yolo", "voc", "mask-index",
    "mask-folder", "mask-instances",
)  # fmt: skip
"""Those of `detect.FORMATS`, in its order."""
CARD = "card.json"
"""Beside a synthesized set: what made it. No format's own."""

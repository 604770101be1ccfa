"""The names of the formats, for whoever must not load them: the command line's help."""

from __future__ import annotations

NAMES = (
    "coco", "severstal", "line-json", "labelme", "cvat", "label-studio", "supervisely", "yolo", "voc", "mask-index",
    "mask-folder", "mask-instances",
)  # fmt: skip
"""The keys of `detect.FORMATS`, in its order."""

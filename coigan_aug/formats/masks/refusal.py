"""Why a folder is of no layout: the nearest ones with what they miss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.masks.judging import why_no_masks
from coigan_aug.formats.masks.layout import MASK_SUFFIXES, find_layout, tree_of
from coigan_aug.formats.masks.layouts import LAYOUTS, Declaration
from coigan_aug.formats.source import Problems, ReadOptions

TWO_FOLDERS = "Name both folders: coigan-aug import MASKS --images IMAGES  (--pair REGEX where names differ)"
_SHOWN = 3


def refusal(path: Path, options: ReadOptions) -> str:
    """Say in words why no layout fits: the three nearest, each with what is missing; "" of a folder without images."""
    layout = find_layout(path, Problems(), options=options) if path.is_dir() else None
    why = why_no_masks(layout) if layout is not None else ""
    if why or not path.is_dir():
        return why
    tree = tree_of(ImageFolder(path, problems=Problems(), suffixes=MASK_SUFFIXES))
    if not tree:
        return ""
    missing = [(declaration, *_missing(declaration, tree)) for declaration in LAYOUTS]
    near = sorted(missing, key=lambda entry: (-entry[1], len(entry[2])))[:_SHOWN]
    lines = [f"{declaration.name}: {'; '.join(lack)}" for declaration, _, lack in near]
    return f"no mask belongs to an image. Nearest are  {'  |  '.join(lines)}"


def _missing(declaration: Declaration, tree: dict[str, list[str]]) -> tuple[float, list[str]]:
    """Return how near a layout is (the share of its patterns that fit), and what it misses."""
    kinds = ("images", "masks")
    there = {kind: declaration.spots(kind, tree) for kind in kinds}
    pictures = there["images"].keys() - there["masks"].keys()
    lack = list(_lacks(declaration, bool(pictures), bool(there["masks"])))
    if not lack:
        mask = min(there["masks"])
        lack = [f"no image is called like {mask}"]
    near = float(bool(pictures)) + 2 * bool(there["masks"])
    return near, lack


def _lacks(declaration: Declaration, images: bool, masks: bool) -> Iterator[str]:
    for kind, there in (("images", images), ("masks", masks)):
        if not there:
            yield f"no {declaration.shown(kind)[0]}"

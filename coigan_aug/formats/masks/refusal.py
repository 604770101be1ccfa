"""Why a folder is of no layout: the nearest ones with what they miss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.masks.judging import why_no_masks
from coigan_aug.formats.masks.layout import MASK_SUFFIXES, find_layout, tree_of
from coigan_aug.formats.masks.layouts import GENERAL, LAYOUTS, Declaration
from coigan_aug.formats.source import Problems, ReadOptions

TWO_FOLDERS = "Name both folders: coigan-aug import MASKS --images IMAGES  (--pair REGEX where names differ)"
_SHOWN = 3
_PLAIN, _WORDLESS = {"train", "good", "kind", "part", "n", "name"}, 0.25


def refusal(path: Path, options: ReadOptions) -> str:
    """Say in words why no layout fits: the three nearest, each with what is missing; "" of a folder without images."""
    layout = find_layout(path, Problems(), options=options) if path.is_dir() else None
    why = why_no_masks(layout) if layout is not None else ""
    if why or not path.is_dir():
        return why
    tree = tree_of(ImageFolder(path, problems=Problems(), suffixes=MASK_SUFFIXES).paths)
    if not tree:
        return ""
    near = sorted((*GENERAL, *LAYOUTS), key=lambda declaration: _nearness(declaration, tree), reverse=True)
    lines = [f"{declaration.name}: {'; '.join(_lacks(declaration, tree))}" for declaration in near[:_SHOWN]]
    return f"no mask belongs to an image. Nearest are  {'  |  '.join(lines)}"


def _nearness(declaration: Declaration, tree: Mapping[str, list[str]]) -> tuple[bool, float, bool]:
    """Return whether images and masks are there, the share of the layout's own folders that are, whether one of both is."""
    patterns = [pattern for kind in ("images", "masks", "clean") for pattern in declaration.shown(kind)]
    words = {word.lower() for pattern in patterns for word in pattern.split("/")[:-1]} - _PLAIN
    folders = {name.lower() for folder in tree for name in folder.split("/")}
    masks = declaration.spots("masks", tree)
    images = declaration.spots("images", tree).keys() - masks.keys()
    return bool(images and masks), len(words & folders) / len(words) if words else _WORDLESS, bool(images or masks)


def _lacks(declaration: Declaration, tree: Mapping[str, list[str]]) -> Iterator[str]:
    masks = declaration.spots("masks", tree)
    images = declaration.spots("images", tree).keys() - masks.keys()
    if images and masks:
        yield f"no image is called like {min(masks)}"
    else:
        yield from (
            f"no {declaration.shown(kind)[0]}" for kind, there in (("images", images), ("masks", masks)) if not there
        )

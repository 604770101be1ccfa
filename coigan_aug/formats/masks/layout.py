"""Which mask files belong to which image: as a layout known by its name says, else as names of folders and files say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.masks.class_folders import NOTE
from coigan_aug.formats.masks.general import Match, beside, parallel, spot_by_role
from coigan_aug.formats.masks.layouts import LAYOUTS, Bare, Coding, Declaration
from coigan_aug.formats.masks.pairing import MaskFile, by_key, pair
from coigan_aug.formats.masks.templates import Spot
from coigan_aug.formats.masks.words import MASKS_ONLY
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.imaging import SUFFIXES

MASK_SUFFIXES = (*SUFFIXES, *MASKS_ONLY)


@dataclass(frozen=True)
class Layout:
    """Where things are: the images, each with its mask files; and what has no place.

    `folder` is that of the images, below which their paths are, `mask_folder` that of the masks, mostly the same. `orphans` are
    the masks that have no image, `unread` the images that the layout has no place for, `clean` those that are free of defects
    by their place. `bare` and `coding` are as in `layouts.Declaration`.
    """

    words: str
    folder: ImageFolder
    mask_folder: ImageFolder
    images: Mapping[str, list[MaskFile]]
    orphans: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    clean: frozenset[str] = frozenset()
    bare: Bare = "judged"
    coding: Coding = ""

    @property
    def root(self) -> Path:
        """The folder below which the images' paths are."""
        return self.folder.root

    def masks(self) -> list[MaskFile]:
        """Return all mask files that have an image."""
        return [mask for files in self.images.values() for mask in files]

    def mask_path(self, mask: MaskFile) -> Path:
        """Return where a mask lies."""
        return self.mask_folder.root / mask.path


def find_layout(path: Path, problems: Problems, *, options: ReadOptions | None = None) -> Layout | None:
    """Pair images with their masks: those of two folders, or those below one; None where no mask has an image.

    With `options.images` the masks below `path` are paired with the images below that folder; where none pairs, it is
    looked at by itself. `options.pair` finds what names have in common.
    """
    options = options or ReadOptions()
    if options.images is not None and options.images.resolve() != path.resolve():
        layout = _two_folders(path, options.images, problems, options.pair)
        if layout is not None:
            return layout
    return _one_folder(options.images or path, problems, options.pair)


def tree_of(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return paths as a tree: folder with a slash behind ("" for the one that they are below) -> names."""
    tree: dict[str, list[str]] = {}
    for path in paths:
        head, slash, name = path.rpartition("/")
        tree.setdefault(head + slash, []).append(name)
    return tree


# One folder


def _one_folder(root: Path, problems: Problems, pattern: re.Pattern[str] | None) -> Layout | None:
    folder = ImageFolder(root, problems=problems, suffixes=MASK_SUFFIXES)
    ours = (root / NOTE).is_file() or (root / "masks" / NOTE).is_file()
    match, declaration = _matched(tuple(folder.paths), pattern, () if ours else LAYOUTS)
    if match is None:
        return None
    return Layout(
        match.words, folder, folder, match.pairs.images, match.pairs.orphans, match.unread, match.clean,
        declaration.bare if declaration is not None else "judged",
        declaration.coding if declaration is not None else "",
    )  # fmt: skip


@lru_cache(maxsize=1)  # each format of masks looks at the same folder, and the one that fits reads it
def _matched(
    paths: tuple[str, ...], pattern: re.Pattern[str] | None, layouts: tuple[Declaration, ...]
) -> tuple[Match | None, Declaration | None]:
    """Return what fits the files of a folder best, and the declaration that says so where it is known by name."""
    match, declaration = _known_by_name(paths, pattern, layouts)
    for general in (parallel, beside):
        other = general(paths, pattern) if match is None or match.left else None
        if other is not None and (match is None or other.left < match.left):
            match, declaration = other, None
    return match, declaration


def _known_by_name(
    paths: Sequence[str], pattern: re.Pattern[str] | None, layouts: Sequence[Declaration]
) -> tuple[Match | None, Declaration | None]:
    """Return the first declaration that leaves no file over and no image of unknown state, else the one that leaves least."""
    best: tuple[Match | None, Declaration | None] = None, None
    tree, least = tree_of(paths), len(paths) + 1
    for declaration in layouts:
        match = _declared(declaration, tree, pattern)
        if match is None:
            continue
        bare = sum(not masks and image not in match.clean for image, masks in match.pairs.images.items())
        doubtful = match.left + bare * (declaration.bare == "unknown")
        if doubtful < least:
            best, least = (match, declaration), doubtful
        if not doubtful:
            break
    return best


def _declared(declaration: Declaration, tree: Mapping[str, list[str]], pattern: re.Pattern[str] | None) -> Match | None:
    masks = declaration.spots("masks", tree)
    if not masks:
        return None
    clean = _pictures(declaration.spots("clean", tree), masks)
    images = clean | _pictures(declaration.spots("images", tree), masks)
    if pattern is not None:
        images, masks = by_key(images, pattern), by_key(masks, pattern)
    pairs = pair(images, masks)
    if not pairs.count:
        return None
    known = {*images, *masks, *declaration.spots("aside", tree)}
    paths = (head + name for head, names in tree.items() for name in names)
    unread = tuple(path for path in paths if path not in known and not path.lower().endswith(MASKS_ONLY))
    return Match(declaration.words, pairs, frozenset(clean), unread)


def _pictures(spots: Mapping[str, Spot], masks: Mapping[str, Spot]) -> dict[str, Spot]:
    return {path: spot for path, spot in spots.items() if path not in masks and not path.lower().endswith(MASKS_ONLY)}


# Two folders


def _two_folders(masks: Path, images: Path, problems: Problems, pattern: re.Pattern[str] | None) -> Layout | None:
    """Pair two folders; where they lie side by side, paths are those below the folder that holds both."""
    if not masks.is_dir():
        return None
    folder, mask_folder = (ImageFolder(root, problems=problems, suffixes=MASK_SUFFIXES) for root in (images, masks))
    image_spots = {path: spot_by_role(path)[1] for path in _outside(folder, masks)}
    mask_spots = {path: spot_by_role(path)[1] for path in _outside(mask_folder, images)}
    if pattern is not None:
        image_spots, mask_spots = by_key(image_spots, pattern), by_key(mask_spots, pattern)
    pairs = pair(image_spots, mask_spots)
    names = ({path: _name_alone(spot) for path, spot in spots.items()} for spots in (image_spots, mask_spots))
    pairs = pairs if pairs.count else pair(*names)
    if not pairs.count:
        return None
    words = f"{images.name}/ and {masks.name}/"
    if images.parent.resolve() != masks.parent.resolve():
        return Layout(words, folder, mask_folder, pairs.images, pairs.orphans)
    both = ImageFolder(images.parent, problems=Problems(), below=(images.name, masks.name), suffixes=MASK_SUFFIXES)
    joined = {
        f"{images.name}/{path}": [MaskFile(mask.label, f"{masks.name}/{mask.path}", mask.instance) for mask in files]
        for path, files in pairs.images.items()
    }
    return Layout(words, both, both, joined, tuple(f"{masks.name}/{path}" for path in pairs.orphans))


def _outside(folder: ImageFolder, other: Path) -> list[str]:
    """Return the paths below a folder that do not lie in another one; images that are no GIF."""
    within = other.resolve()
    if not within.is_relative_to(folder.root.resolve()):
        return folder.paths
    head = within.relative_to(folder.root.resolve()).as_posix() + "/"
    return [path for path in folder.paths if not path.startswith(head)]


def _name_alone(spot: Spot) -> Spot:
    return replace(spot, stem=spot.stem.rpartition("/")[2], fixed=0)

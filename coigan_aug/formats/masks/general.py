"""Layouts without a name: folders of images and of masks told by their names, and masks beside their images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from coigan_aug.formats.image_folder import masks_beside
from coigan_aug.formats.masks.pairing import Pairs, by_key, pair
from coigan_aug.formats.masks.templates import Spot
from coigan_aug.formats.masks.words import (
    MASKS_ONLY,
    cuts,
    image_spelling,
    is_free,
    mask_spellings,
    role_of,
    says_mask,
    stem_of,
)


@dataclass(frozen=True)
class Match:
    """What a layout makes of a tree: pairs, images that are free of defects by their place, images that it has no place for."""

    words: str
    pairs: Pairs
    clean: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """The number of files that belong nowhere."""
        return len(self.pairs.orphans) + len(self.unread)


def spot_by_role(path: str, *, last: bool = False) -> tuple[str, Spot]:
    """Return the role of a path, and its spot without the word for it, by the first folder that says one.

    >>> spot_by_role("train/images/a.png")[1].stem, spot_by_role("trainannot/a.png")[1].stem
    ('train/a', 'train/a')

    Args:
        last: go by the last such folder, and leave out the words of all of them.
    """
    *folders, name = stem_of(path).split("/")
    roles = [role_of(folder) for folder in folders]
    levels = [k for k, (role, _) in enumerate(roles) if role]
    if not levels:
        return "", Spot((), stem_of(path))
    at = levels[-1] if last else levels[0]
    for k in levels if last else [at]:
        folders[k] = roles[k][1]
    kept, fixed = ([folder for folder in part if folder] for part in (folders, folders[: at + 1]))
    return roles[at][0], Spot((), "/".join([*kept, name]), fixed=len(fixed))


def parallel(paths: Sequence[str], pattern: re.Pattern[str] | None) -> Match | None:
    """Pair folders of images with folders of masks; None where no mask has an image.

    A folder that says neither holds images if a mask is of one of them; else those that are free of defects by its name, or
    what has no place here.
    """
    first = _parallel(paths, pattern, last=False)
    if first is not None and not first.left:
        return first
    last = _parallel(paths, pattern, last=True)
    return min((match for match in (first, last) if match is not None), key=lambda match: match.left, default=None)


def _parallel(paths: Sequence[str], pattern: re.Pattern[str] | None, *, last: bool) -> Match | None:
    spots: dict[str, dict[str, Spot]] = {"images": {}, "masks": {}, "": {}}
    for path in paths:
        role, spot = spot_by_role(path, last=last)
        if role == "masks" or not path.lower().endswith(MASKS_ONLY):
            spots[role][path] = spot
    if pattern is not None:
        spots = {role: by_key(of_role, pattern) for role, of_role in spots.items()}
    pairs = _paired([spots["images"], spots[""]], spots["masks"])
    if not pairs.count:
        return None
    paired = {image.rpartition("/")[0] for image, masks in pairs.images.items() if masks}
    rest = [path for path in spots[""] if path.rpartition("/")[0] not in paired]
    clean = frozenset(path for path in rest if any(is_free(folder) for folder in path.split("/")[:-1]))
    unread = tuple(path for path in rest if path not in clean)
    images = {path: masks for path, masks in pairs.images.items() if path not in unread}
    return Match(_words(pairs), Pairs(images, pairs.orphans), clean, unread)


def _paired(images: list[dict[str, Spot]], masks: Mapping[str, Spot]) -> Pairs:
    """Pair masks with the first of several sets of images that has theirs; if none has, with those in any folder beside."""
    pairs = Pairs({path: [] for spots in images for path in spots}, tuple(masks))
    for spots in images:
        pairs = pairs.with_more(pair(spots, {path: masks[path] for path in pairs.orphans}))
    if pairs.count:
        return pairs
    neighbours = {path: _of_parent(path) for path in pairs.images}
    return pairs.with_more(pair(neighbours, {path: _of_parent(path) for path in pairs.orphans}))


def _of_parent(path: str) -> Spot:
    folder, _, name = stem_of(path).rpartition("/")
    return Spot((folder.rpartition("/")[0].lower(),), name)


def _words(pairs: Pairs) -> str:
    """Name the two folders that most pairs lie in."""
    both = Counter(
        (_down_to_role(image), _down_to_role(mask.path)) for image, masks in pairs.images.items() for mask in masks
    )
    return " and ".join(f"{folder or '.'}/" for folder in both.most_common(1)[0][0])


def _down_to_role(path: str) -> str:
    folders = path.split("/")[:-1]
    ends = [k for k, folder in enumerate(folders, start=1) if role_of(folder)[0]]
    return "/".join(folders[: ends[-1]] if ends else folders)


# Beside


def beside(paths: Sequence[str], pattern: re.Pattern[str] | None) -> Match | None:
    """Pair images with the masks beside them; None where there are none.

    A mask is a .png beside an image of the same name and another kind, what is called like an image with a word for a mask,
    or a .png that is called like an image of another kind with a class or number behind it.
    """
    masks = masks_beside(paths)
    named = [path for path in paths if _is_keyed(path, pattern)] if pattern is not None else list(_named(paths, masks))
    masks = masks.union(named)
    spots = {path: Spot((), stem_of(path)) for path in paths}
    if pattern is not None:
        spots = by_key(spots, pattern)
    images = {path: spot for path, spot in spots.items() if path not in masks and not path.lower().endswith(MASKS_ONLY)}
    pairs = pair(images, {path: spots[path] for path in sorted(masks)})
    if not pairs.count:
        return None
    words = "masks beside images, by the ends of their names"
    if not named:
        labels = {mask.label for files in pairs.images.values() for mask in files}
        words = f"masks beside images, {f'a folder a class: {len(labels)}' if len(labels) > 1 else 'one class'}"
    return Match(words, pairs)


def _is_keyed(path: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(stem_of(path).rpartition("/")[2]) is not None


def _named(paths: Sequence[str], masks: Set[str]) -> Iterator[str]:
    images = [stem_of(path) for path in paths if path not in masks]
    stems = {stem.lower() for stem in images} | {image_spelling(stem) for stem in images if not says_mask(stem)}
    others = {stem_of(path).lower() for path in paths if not path.lower().endswith((".png", *MASKS_ONLY))}
    for path in paths:
        stem = stem_of(path)
        worded = says_mask(stem) and any(name in stems for name in list(mask_spellings(stem))[1:])
        if worded or (path.lower().endswith(".png") and any(start.lower() in others for start, _ in cuts(stem))):
            yield path

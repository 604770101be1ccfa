"""Pairing images with masks by where they lie and how they are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from coigan_aug.errors import UsageError
from coigan_aug.formats.masks.templates import Spot
from coigan_aug.formats.masks.words import class_of, cuts, image_spelling, mask_spellings, word_and_number

Place = tuple[str, ...]


@dataclass(frozen=True, order=True)
class MaskFile:
    """A mask file: the word for its class, its path, and its number where it is one instance of several ("" if not)."""

    label: str
    path: str
    instance: str = ""


@dataclass(frozen=True)
class Pairs:
    """The images, each with its masks, and the masks that have no image, or of which several could be theirs."""

    images: dict[str, list[MaskFile]]
    orphans: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of masks that have an image."""
        return sum(len(masks) for masks in self.images.values())

    def with_more(self, later: Pairs) -> Pairs:
        """Return these with the pairs that were made of their orphans."""
        images = {path: sorted([*files, *later.images.get(path, [])]) for path, files in self.images.items()}
        return Pairs(images, later.orphans)


@dataclass(frozen=True)
class _Stems:
    """Images by place and stem in lower case: as they are called, and without the words for an image."""

    exact: dict[tuple[Place, str], list[str]] = field(default_factory=dict)
    bare: dict[tuple[Place, str], list[str]] = field(default_factory=dict)

    def find(self, place: Place, stem: str) -> list[str]:
        key = place, stem.lower()
        return self.exact.get(key) or self.bare.get(key) or []


def parse_pair(text: str | None) -> re.Pattern[str] | None:
    """Read the value of --pair, a regular expression with a group `key`.

    Raises:
        UsageError: it is none, or has no such group.
    """
    if text is None:
        return None
    example = r"Write  --pair '(?P<key>\d+)_GT'"
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"--pair {text} is not a regular expression: {error}.", remedy=example) from error
    if "key" not in pattern.groupindex:
        raise UsageError(f"--pair {text} has no group named key, which an image and its mask share.", remedy=example)
    return pattern


def pair(images: Mapping[str, Spot], masks: Mapping[str, Spot]) -> Pairs:
    """Pair images with masks that lie in the same place and have the same stem, in whatever case.

    A mask's stem may have a word for a mask before or behind it, an image's suffix, a folder more, which is its class, or
    behind it a class, a number, or both (`x_pit.png`, `x_3.png`, `x_pit_3.png`). Of several images the one whose stem is
    the mask's to the letter is meant, else none.
    """
    stems = _Stems()
    for path, spot in images.items():
        stems.exact.setdefault((spot.place, spot.stem.lower()), []).append(path)
        stems.bare.setdefault((spot.place, image_spelling(spot.stem)), []).append(path)
    pairs: dict[str, list[MaskFile]] = {path: [] for path in images}
    orphans = []
    for path, spot in masks.items():
        image, mask = _image_of(path, spot, stems, images) or ("", None)
        if mask is None:
            orphans.append(path)
        else:
            pairs[image].append(mask)
    return Pairs({path: sorted(files) for path, files in pairs.items()}, tuple(sorted(orphans)))


def by_key(names: Mapping[str, Spot], pattern: re.Pattern[str]) -> dict[str, Spot]:
    """Return the spots of files with the group `key` of a pattern as their name; where it does not fit, the name stays."""
    return {path: replace(spot, stem=_keyed(spot.stem, pattern)) for path, spot in names.items()}


def _keyed(stem: str, pattern: re.Pattern[str]) -> str:
    folder, slash, name = stem.rpartition("/")
    match = pattern.search(name)
    return f"{folder}{slash}{match['key'] if match is not None and match['key'] else name}"


def _image_of(path: str, spot: Spot, stems: _Stems, images: Mapping[str, Spot]) -> tuple[str, MaskFile] | None:
    """Find a mask's image: by its stem with and without each of its folders, which is then its class."""
    shortened = list(_without_a_folder(spot))
    default = spot.label or class_of(spot.stem.split("/")[:-1])
    for stem, folder in shortened:
        for name in mask_spellings(stem):
            image = _only(stems.find(spot.place, name), stem, images)
            if image:
                return image, MaskFile(folder or default, path, spot.number)
    for stem, folder in shortened:
        for start, ending in cuts(stem):
            word, number = word_and_number(ending)
            image = _only(stems.find(spot.place, start), start, images)
            label = folder or spot.label
            if image and (not word or not label or word.lower() == label.lower()):
                return image, MaskFile(label or word or default, path, number or spot.number)
    return None


def _without_a_folder(spot: Spot) -> Iterator[tuple[str, str]]:
    """Yield a spot's stem as it is, and without each of its folders that may be a class, which comes beside."""
    yield spot.stem, ""
    *folders, name = spot.stem.split("/")
    for k, folder in list(enumerate(folders))[spot.fixed :]:
        yield "/".join([*folders[:k], *folders[k + 1 :], name]), folder


def _only(paths: list[str], stem: str, images: Mapping[str, Spot]) -> str:
    """Return the one image that is meant, "" where none or several are."""
    if len(paths) > 1:
        paths = [path for path in paths if images[path].stem == stem] or paths
    return paths[0] if len(paths) == 1 else ""
